"""Sources over HTTP: the protocol, and the ways in which a source may try to redirect the server elsewhere."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from proxy.adapters import name_resolver
from proxy.adapters.http import HttpSources, open_http
from proxy.core.errors import LimitExceeded, SourceFailed, SourceNotAllowed, SourceNotFound, SourceTimeout
from proxy.core.url.public_addresses import is_public
from proxy.core.url.resolved_reference import Validators
from proxy.core.url.source import Source
from proxy.core.url.source_reference import parse_reference
from proxy.delivery.staging import StagedFile
from tests.adapters.samples import LARGE, LIMIT_BYTES, content_of
from tests.servers.source import ForeignServer, Heard, answer, foreign_server

BODY = b"\xff\xd8\xff\xe0 a picture"
NEVER = Validators()


class Names(AbstractResolver):
    """A name server that returns the next addresses of a name with each question."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = {name.replace("_", "."): iter(addresses) for name, addresses in answers.items()}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in next(self._answers[host])
        ]

    async def close(self) -> None:
        pass


def anywhere(_address: str) -> bool:
    return True


@asynccontextmanager
async def opened(
    allowed: Callable[[str], bool] = anywhere, names: AbstractResolver | None = None
) -> AsyncIterator[HttpSources]:
    async with open_http(allowed, names) as session:
        yield HttpSources(session)


async def fetch(
    sources: HttpSources, url: str, *prefixes: str | Source, known: Validators = NEVER, limit_bytes: int = LIMIT_BYTES
) -> tuple[Validators | None, bytes]:
    """Fetch a URL; by default its own host is the one source. The validators and the bytes."""
    reference = parse_reference(url)
    allowed = prefixes or (f"{reference.scheme}://{reference.authority}",)
    tenants = [prefix if isinstance(prefix, Source) else Source(prefix) for prefix in allowed]
    with StagedFile(limit_bytes) as intake:
        validators = await sources.fetch(reference, tenants, known, intake)
        return validators, content_of(intake.open())


@pytest.fixture
def foreign() -> Iterator[ForeignServer]:
    with foreign_server() as server:
        yield server


async def test_a_picture_is_fetched_whole_with_its_version(foreign: ForeignServer) -> None:
    foreign.answers["/a?b=%20"] = answer(LARGE, etag='"1"', last_modified="Sat, 21 Nov 2026 06:00:00 GMT")
    async with opened() as sources:
        validators, body = await fetch(sources, f"{foreign.url}/a?b=%20")
    assert body == LARGE
    assert validators == Validators('"1"', "Sat, 21 Nov 2026 06:00:00 GMT")


async def test_the_path_is_sent_as_it_is_written(foreign: ForeignServer) -> None:
    paths = ["/a%20b/%C3%BC/;x=1,2/!$&'()*+:@?q=/?%2F&a=b+c", "//double//", "/%25", "/a%2Cb"]
    async with opened() as sources:
        for path in paths:
            foreign.answers[path] = answer(BODY)
            await fetch(sources, foreign.url + path)
    assert [heard.path for heard in foreign.heard] == paths


async def test_chunks_of_no_announced_length_are_put_together(foreign: ForeignServer) -> None:
    async def trickle(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(len(BODY)):
            writer.write(b"1\r\n" + BODY[at : at + 1] + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    foreign.answers["/a"] = trickle
    async with opened() as sources:
        assert (await fetch(sources, f"{foreign.url}/a"))[1] == BODY


async def test_what_is_sent_says_no_more_than_it_must(foreign: ForeignServer) -> None:
    foreign.answers["/a"] = answer(BODY, set_cookie="a=b; Path=/")
    async with opened() as sources:
        await fetch(sources, f"{foreign.url}/a")
        await fetch(sources, f"{foreign.url}/a")
    assert foreign.heard[0] == foreign.heard[1]
    fields = foreign.heard[0].fields
    assert fields.pop("connection", "keep-alive") == "keep-alive"
    assert fields == {
        "host": f"127.0.0.1:{foreign.port}",
        "user-agent": "darkroom",
        "accept": "image/*",
        "accept-encoding": "identity",
    }


async def test_a_source_has_its_own_fields_and_no_other_source_has_them(foreign: ForeignServer) -> None:
    sources_of = (Source(foreign.url + "/a", (("authorization", "hush"),)), Source(foreign.url + "/b"))
    foreign.answers |= {"/a/1": answer(status="302 Found", location="/b/2"), "/b/2": answer(BODY)}
    async with opened() as sources:
        await fetch(sources, foreign.url + "/a/1", *sources_of)
    assert [heard.fields.get("authorization") for heard in foreign.heard] == ["hush", None]


@pytest.mark.parametrize(
    ("known", "name", "value"),
    [
        (Validators('W/"1"', "Sat"), "if-none-match", 'W/"1"'),
        (Validators("", "Sat, 21 Nov 2026 06:00:00 GMT"), "if-modified-since", "Sat, 21 Nov 2026 06:00:00 GMT"),
    ],
)
async def test_what_is_known_is_asked_for_if_it_has_changed(
    foreign: ForeignServer, known: Validators, name: str, value: str
) -> None:
    foreign.answers["/a"] = answer(status="304 Not Modified")
    async with opened() as sources:
        assert await fetch(sources, f"{foreign.url}/a", known=known) == (None, b"")
    fields = foreign.heard[0].fields
    assert fields[name] == value
    assert len({"if-none-match", "if-modified-since"} & set(fields)) == 1


@pytest.mark.parametrize(
    "status", [201, 203, 204, 206, 300, 304, 305, 400, 401, 403, 407, 416, 429, 500, 502, 503, 504, 599]
)
async def test_only_a_plain_200_is_taken(foreign: ForeignServer, status: int) -> None:
    foreign.answers["/a"] = answer(status=f"{status} Whatever")
    async with opened() as sources:
        with pytest.raises(SourceFailed, match=str(status)):
            await fetch(sources, f"{foreign.url}/a")


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_gone_is_missing(foreign: ForeignServer, status: int) -> None:
    foreign.answers["/a"] = answer(BODY, f"{status} Gone")
    async with opened() as sources:
        with pytest.raises(SourceNotFound, match=str(status)):
            await fetch(sources, f"{foreign.url}/a")


@pytest.mark.parametrize("coding", ["gzip", "br", "x-none", "identity, gzip"])
async def test_a_content_coding_is_refused(foreign: ForeignServer, coding: str) -> None:
    foreign.answers["/a"] = answer(BODY, content_encoding=coding)
    async with opened() as sources:
        with pytest.raises(SourceFailed, match="coding"):
            await fetch(sources, f"{foreign.url}/a")


# what a server may do to a connection


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x16\x03\x01 no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: %s\r\n" % (n, b"y" * 4_000) for n in range(2_000)) + b"\r\n",
    ],
    ids=[
        "nothing",
        "no HTTP",
        "half a head",
        "cut",
        "negative",
        "two lengths",
        "cut chunk",
        "no chunk",
        "field",
        "head",
    ],
)
async def test_a_broken_answer_is_a_failed_source(foreign: ForeignServer, sent: bytes) -> None:
    async def break_off(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        writer.close()

    foreign.answers["/a"] = break_off
    async with opened() as sources:
        with pytest.raises(SourceFailed) as refused:
            await fetch(sources, f"{foreign.url}/a")
    assert type(refused.value) is SourceFailed


async def test_a_connection_that_is_refused_is_a_failed_source(foreign: ForeignServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with opened() as sources:
        with pytest.raises(SourceFailed):
            await fetch(sources, f"http://127.0.0.1:{port}/a")


async def test_a_name_that_does_not_resolve_is_a_failed_source() -> None:
    async with opened(is_public) as sources:
        with pytest.raises(SourceFailed):
            await fetch(sources, "https://nowhere.invalid/a")


async def test_a_look_up_is_counted_as_the_tenant_s(foreign: ForeignServer) -> None:
    owners: list[object] = []

    class Recording(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            owners.append(name_resolver._owner.get())
            return await super().resolve(host, port, family)

    foreign.answers["/a"] = answer(BODY)
    prefixes = (f"http://host.test:{foreign.port}", "https://other.test")
    async with opened(names=Recording(host_test=[["127.0.0.1"]])) as sources:
        await fetch(sources, f"http://host.test:{foreign.port}/a", *prefixes)
    assert owners == [prefixes]


async def test_a_body_that_never_ends_is_cut_at_the_limit(foreign: ForeignServer) -> None:
    async def pour(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(2**16))
            await writer.drain()

    foreign.answers["/a"] = pour
    async with opened() as sources:
        with pytest.raises(LimitExceeded, match=str(2**20)):
            await fetch(sources, f"{foreign.url}/a", limit_bytes=2**20)


async def test_a_length_over_the_limit_is_refused_before_the_body(foreign: ForeignServer) -> None:
    async def announce(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n")  # and no body ever

    foreign.answers["/a"] = announce
    async with opened() as sources:
        with pytest.raises(LimitExceeded, match="1048577"):
            await fetch(sources, f"{foreign.url}/a", limit_bytes=2**20)


async def test_a_source_that_is_silent_is_late(foreign: ForeignServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def be_silent(_: Heard, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr("proxy.adapters.http._TIMEOUT", aiohttp.ClientTimeout(sock_read=0.1))
    foreign.answers["/a"] = be_silent
    async with opened() as sources:
        with pytest.raises(SourceTimeout):
            await fetch(sources, f"{foreign.url}/a")


async def test_a_slow_body_ends_with_the_callers_patience_and_its_connection(foreign: ForeignServer) -> None:
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def drip(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            loop.call_soon_threadsafe(closed.set)

    foreign.answers["/a"] = drip
    async with opened() as sources:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await fetch(sources, f"{foreign.url}/a")
        async with asyncio.timeout(10):
            await closed.wait()


# where a server may lead


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("location", ["/b", "b", "//{host}/b", "http://{host}/b", "HTTP://{host}/b#there"])
async def test_a_redirect_is_followed_within_the_sources(foreign: ForeignServer, status: str, location: str) -> None:
    host = f"127.0.0.1:{foreign.port}"
    foreign.answers |= {"/a": answer(status=status, location=location.format(host=host)), "/b": answer(BODY)}
    async with opened() as sources:
        assert (await fetch(sources, f"{foreign.url}/a"))[1] == BODY


async def test_three_redirects_are_followed_and_no_fourth(foreign: ForeignServer) -> None:
    foreign.answers |= {f"/{n}": answer(status="302 Found", location=f"/{n - 1}") for n in range(1, 5)}
    foreign.answers["/0"] = answer(BODY)
    async with opened() as sources:
        assert (await fetch(sources, f"{foreign.url}/3"))[1] == BODY
        foreign.heard.clear()
        with pytest.raises(SourceFailed, match="3 times"):
            await fetch(sources, f"{foreign.url}/4")
    assert [heard.path for heard in foreign.heard] == ["/4", "/3", "/2", "/1"]


@pytest.mark.parametrize(
    "location",
    ["/other/b", "../other/b", "/img/../other", "//127.0.0.2:{port}/img/a", "https://127.0.0.1:{port}/img/a",
     "http://localhost:{port}/img/a", "http://127.0.0.1/img/a", "/imgs"],
)  # fmt: skip
async def test_a_redirect_beyond_the_sources_is_not_followed(foreign: ForeignServer, location: str) -> None:
    foreign.answers["/img/a"] = answer(status="302 Found", location=location.format(port=foreign.port))
    async with opened() as sources:
        with pytest.raises(SourceNotAllowed):
            await fetch(sources, f"{foreign.url}/img/a", f"{foreign.url}/img")
    assert len(foreign.heard) == 1


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "gopher://127.0.0.1/", "s3://photos/a", "http://user@127.0.0.1/a", "http://2130706433/img/a",
     "http://0x7f.1/img/a", "", "http://[::1", "http://\x7f/", "/img/%2e%2e/other", "/img/%2E%2E%2Fother", "a" * 2_000],
)  # fmt: skip
async def test_a_redirect_to_no_address_is_a_failed_source(foreign: ForeignServer, location: str) -> None:
    foreign.answers["/img/a"] = answer(status="302 Found", location=location)
    async with opened() as sources:
        with pytest.raises((SourceFailed, SourceNotAllowed)):
            await fetch(sources, f"{foreign.url}/img/a", f"{foreign.url}/img")
    assert {heard.path for heard in foreign.heard} == {"/img/a"}


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"])
async def test_a_literal_address_that_is_not_public_is_not_connected_to(foreign: ForeignServer, address: str) -> None:
    foreign.answers["/a"] = answer(BODY)
    async with opened(is_public) as sources:
        with pytest.raises(SourceNotAllowed, match="public"):
            await fetch(sources, f"http://{address}:{foreign.port}/a")
    assert not foreign.connections


async def test_a_name_of_this_machine_is_not_connected_to(foreign: ForeignServer) -> None:
    foreign.answers["/a"] = answer(BODY)
    async with opened(is_public) as sources:
        with pytest.raises(SourceNotAllowed, match="public"):
            await fetch(sources, f"http://localhost:{foreign.port}/a")
    assert not foreign.connections


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["::ffff:127.0.0.1"], ["::1", "127.0.0.1"], ["169.254.169.254", "10.0.0.1", "fd00::1"]]
)
async def test_a_name_that_resolves_to_what_is_not_public_is_not_connected_to(
    foreign: ForeignServer, addresses: list[str]
) -> None:
    foreign.answers["/a"] = answer(BODY)
    async with opened(is_public, Names(inside_test=[addresses])) as sources:
        with pytest.raises(SourceNotAllowed, match="public"):
            await fetch(sources, f"http://inside.test:{foreign.port}/a")
    assert not foreign.connections


def only_127_0_0_2(address: str) -> bool:
    """Stand in for the public Internet, which tests do not have."""
    return address == "127.0.0.2"


@pytest.fixture
def outside() -> Iterator[ForeignServer]:
    with foreign_server("127.0.0.2") as server:
        yield server


async def test_of_several_addresses_only_those_that_are_allowed_are_tried(outside: ForeignServer) -> None:
    outside.answers["/a"] = answer(BODY)
    names = Names(both_test=[["127.0.0.1", "127.0.0.2"]])
    async with opened(only_127_0_0_2, names) as sources:
        assert (await fetch(sources, f"http://both.test:{outside.port}/a"))[1] == BODY


async def test_a_name_that_changes_its_mind_never_leads_inside(outside: ForeignServer) -> None:
    """DNS rebinding: each fetch is a new connection, and each question for its name has the other answer."""

    async def once(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(BODY, connection="close"))
        writer.close()

    outside.answers["/a"] = once
    results: list[object] = []
    with foreign_server("127.0.0.1", outside.port) as inside:
        inside.answers["/a"] = once
        async with opened(only_127_0_0_2, Names(fickle_test=[["127.0.0.2"], ["127.0.0.1"]] * 4)) as sources:
            for _ in range(8):
                try:
                    results.append((await fetch(sources, f"http://fickle.test:{outside.port}/a"))[1])
                except SourceNotAllowed:
                    results.append(SourceNotAllowed)
        assert not inside.connections
    assert results == [BODY, SourceNotAllowed] * 4


async def test_a_redirect_to_what_is_not_public_is_not_followed_though_it_is_a_source(
    foreign: ForeignServer, outside: ForeignServer
) -> None:
    outside.answers["/a"] = answer(status="302 Found", location=f"{foreign.url}/a")
    here = f"http://127.0.0.2:{outside.port}"
    async with opened(only_127_0_0_2) as sources:
        with pytest.raises(SourceNotAllowed, match="public"):
            await fetch(sources, f"{here}/a", here, foreign.url)
    assert not foreign.connections


async def test_a_proxy_of_the_environment_is_not_used(foreign: ForeignServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    foreign.answers["/a"] = answer(BODY)
    async with opened() as sources:
        assert (await fetch(sources, f"{foreign.url}/a"))[1] == BODY


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a file with a key and a certificate for `right.test`, which is its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=right.test"
    named = ["-addext", "subjectAltName=DNS:right.test", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*words.split(), *named], check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    return both


async def test_tls_verifies_the_name_though_the_connection_is_to_an_address(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    names = Names(right_test=[["127.0.0.1"]], wrong_test=[["127.0.0.1"]])
    with foreign_server(context=context) as server:
        server.answers["/a"] = answer(BODY)
        async with opened(names=names) as sources:
            assert (await fetch(sources, f"https://right.test:{server.port}/a"))[1] == BODY
            with pytest.raises(SourceFailed):
                await fetch(sources, f"https://wrong.test:{server.port}/a")
        monkeypatch.delenv("SSL_CERT_FILE")
        async with opened(names=Names(right_test=[["127.0.0.1"]])) as sources:
            with pytest.raises(SourceFailed):
                await fetch(sources, f"https://right.test:{server.port}/a")
    assert len(server.heard) == 1
