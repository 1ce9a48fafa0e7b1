"""References: their canonical form, and the sources of a tenant that allow them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.errors import MalformedRequest, SourceNotAllowed
from proxy.core.identifiers import Digest
from proxy.core.url.resolved_reference import ResolvedReference, Validators
from proxy.core.url.source import Source
from proxy.core.url.source_reference import (
    MAX_BYTES,
    Reference,
    check_prefix,
    find_source,
    follow,
    parse_reference,
    read_reference,
    write_reference,
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("s3://photos/2026/cat.jpg", ("s3", "photos", "/2026/cat.jpg", "")),
        ("s3://my.bucket/a b?c#d%2F/ß", ("s3", "my.bucket", "/a b?c#d%2F/ß", "")),
        ("https://img.example.com/cat.jpg", ("https", "img.example.com", "/cat.jpg", "")),
        ("https://host:8443/", ("https", "host:8443", "/", "")),
        ("http://host:443/a", ("http", "host:443", "/a", "")),
        ("https://host/a?id=3&w=%20", ("https", "host", "/a", "?id=3&w=%20")),
        ("https://xn--mnchen-3ya.de/a.b/..c/%C3%BC", ("https", "xn--mnchen-3ya.de", "/a.b/..c/%C3%BC", "")),
        ("https://8.8.8.8/a", ("https", "8.8.8.8", "/a", "")),
        ("https://[2606:4700::1111]:8443/a", ("https", "[2606:4700::1111]:8443", "/a", "")),
    ],
)
def test_an_address_is_taken_apart_and_reads_as_it_was_written(text: str, parts: tuple[str, str, str, str]) -> None:
    assert read_reference(write_reference(text)) == Reference(*parts)
    assert str(parse_reference(text)) == text


def test_a_host_stands_without_its_port_and_brackets() -> None:
    hosts = [parse_reference(f"https://{host}/").host for host in ("h", "h:8443", "[::1]", "[::1]:8443")]
    assert hosts == ["h", "h", "::1", "::1"]


@pytest.mark.parametrize(
    "text",
    [
        "", "cat.jpg", "/etc/passwd", "file:///etc/passwd", "ftp://host/a", "gopher://host/a", "HTTPS://host/a",
        "//host/a", "https:/host/a", "https://host", "https:///a", "https://?a", "s3://bucket", "s3://bucket/",
        "s3:///key", "s3://Bucket/key", "s3://b/key", "s3://a..b/key", "s3://bucket:80/key", "s3://k@bucket/key",
        "https://Host/a", "https://host./a", "https://.host/a", "https://a..b/a", "https://-a.b/a", "https://a_b/a",
        "https://münchen.de/a", "https://user@host/a", "https://user:pass@host/a", "https://@host/a",
        "https://host:443/a", "http://host:80/a", "https://host:/a", "https://host:0/a", "https://host:080/a",
        "https://host:65536/a", "https://host:8a/a", "https://host/a#b", "https://host/a b", "https://host/ü",
        "https://host/a\\b", "https://host/a\nb", "https://host/a\0", "https://host/%", "https://host/%2", "https://host/%gg",
        "https://host/%c3%bc", "https://host/%41", "https://host/%7E", "https://host/%2e%2e/a", "https://host/%2E/a",
        "https://host/.", "https://host/..", "https://host/a/./b", "https://host/a/../b", "https://host/../a",
        "https://host/a%2Fb", "https://host/a%5Cb", "https://host/a%00", "s3://bucket/../key", "s3://bucket/a/..",
        "s3://bucket/a\\..\\b", "s3://bucket/a\nb", "s3://bucket/a\x7f", "s3://bucket/\u202ea",
        "https://2130706433/a", "https://0x7f000001/a", "https://0177.0.0.1/a", "https://127.1/a", "https://0x7f.1/a",
        "https://127.0.0.01/a", "https://127.0.0.1./a", "https://1.2.3.4.5/a", "https://host.0x1/a", "https://256.1.1.1/a",
        "https://[::1/a", "https://[0::1]/a", "https://[::0001]/a", "https://[::FFFF]/a", "https://[fe80::1%25eth0]/a",
        "https://[::ffff:127.0.0.1]/a", "https://[v1.a]/a", "https://[]/a",
    ],
)  # fmt: skip
def test_what_is_no_address_or_has_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(MalformedRequest):
        parse_reference(text)


def test_an_address_is_at_most_a_kibibyte() -> None:
    longest = "s3://bucket/" + "a" * (MAX_BYTES - 12)
    assert str(read_reference(write_reference(longest))) == longest
    with pytest.raises(MalformedRequest, match="1024 bytes"):
        parse_reference(longest + "a")


@pytest.mark.parametrize(
    "original",
    [
        "~czM6Ly9hYmMvYg==",  # padded
        "~czM6Ly9hYmMvYh",  # an unused bit is set
        "~czM6Ly9hYmMv_w",  # not UTF-8
        "~A",
        "~",
        "~czM6Ly9hYmMvYg\n",
        "~czM6Ly9hYmM/Yg",
    ],
)
def test_base64url_has_one_spelling(original: str) -> None:
    assert str(read_reference("~czM6Ly9hYmMvYg")) == "s3://abc/b"
    with pytest.raises(MalformedRequest):
        read_reference(original)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_whatever_is_referred_to_reads_back_or_is_refused(text: str) -> None:
    try:
        reference = read_reference(write_reference(text))
    except MalformedRequest:
        return
    assert str(reference) == text
    assert write_reference(str(reference)) == write_reference(text)


@given(st.from_regex(r"~[A-Za-z0-9_-]{1,40}", fullmatch=True))
def test_no_two_links_are_one_reference(original: str) -> None:
    try:
        reference = read_reference(original)
    except MalformedRequest:
        return
    assert write_reference(str(reference)) == original


PREFIXES = [
    ("s3://photos", "s3://photos/a/b.jpg", True),
    ("s3://photos/", "s3://photos/a/b.jpg", True),
    ("s3://photos/a", "s3://photos/a/b.jpg", True),
    ("s3://photos/a/", "s3://photos/a/b.jpg", True),
    ("s3://photos/a", "s3://photos/a", True),
    ("s3://photos/a", "s3://photos/ab.jpg", False),
    ("s3://photos", "s3://photos2/a", False),
    ("s3://photos", "https://photos/a", False),
    ("https://host", "https://host/a", True),
    ("https://host", "https://host/?a", True),
    ("https://host", "https://host.evil.example/a", False),
    ("https://host", "https://hosta/a", False),
    ("https://host", "https://host:8443/a", False),
    ("https://host:8443", "https://host:8443/a", True),
    ("https://host:8443", "https://host/a", False),
    ("https://host", "http://host/a", False),
    ("http://host", "http://host/a", True),
    ("https://host/img", "https://host/img?id=1", True),
    ("https://host/img", "https://host/img/a?/../b", True),
    ("https://host/img", "https://host/images/a", False),
    ("https://host/img", "https://host/other?/img/a", False),
    ("https://HOST", "https://host/a", False),
    ("https://", "https://host/a", False),
    ("https:", "https://host/a", False),
    ("", "https://host/a", False),
    ("s3://", "s3://photos/a", False),
    ("https://*", "https://host/a", False),
    ("https://host/a?b", "https://host/a", False),
]


@pytest.mark.parametrize(("prefix", "text", "allowed"), PREFIXES)
def test_a_source_allows_its_prefix_and_what_lies_below(prefix: str, text: str, allowed: bool) -> None:
    sources, reference = (Source(prefix),), parse_reference(text)
    if allowed:
        assert find_source(sources, reference) is sources[0]
    else:
        with pytest.raises(SourceNotAllowed):
            find_source(sources, reference)


@given(st.sampled_from(PREFIXES), st.text("ab/.?:@%\\", max_size=8))
def test_what_a_prefix_allows_begins_with_its_folder(row: tuple[str, str, bool], rest: str) -> None:
    source = Source(row[0])
    try:
        reference = parse_reference(row[0] + rest)
        find_source((source,), reference)
    except (MalformedRequest, SourceNotAllowed):
        return
    folder = parse_reference(source.prefix.rstrip("/") + "/x")
    assert (reference.scheme, reference.authority) == (folder.scheme, folder.authority)
    assert f"{reference.path}/".startswith(folder.path.removesuffix("x"))


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/b", "https://host:8443/b"),
        ("b", "https://host:8443/a/b"),
        ("../b?c", "https://host:8443/b?c"),
        ("?c", "https://host:8443/a/x?c"),
        ("//Other/b", "https://other/b"),
        ("HTTP://Other:80#there", "http://other/"),
        ("https://other:443/%c3%bc", "https://other/%C3%BC"),
        ("/../../b", "https://host:8443/b"),
        ("/a b/ü.jpg?q=a b|c", "https://host:8443/a%20b/%C3%BC.jpg?q=a%20b%7Cc"),
        ("/%41%2d%7e", "https://host:8443/A-~"),
    ],
)
def test_a_redirect_is_read_generously_and_leads_to_one_spelling(location: str, target: str) -> None:
    assert str(follow(parse_reference("https://host:8443/a/x"), location)) == target


@pytest.mark.parametrize(
    "location", ["/%41%2d%7e%2f..", "/%2e%2e/b", "/a\\b", "/50%", "ftp://host/a", "https://ü.example/"]
)
def test_a_redirect_to_what_is_no_address_is_refused(location: str) -> None:
    with pytest.raises(MalformedRequest):
        follow(parse_reference("https://host:8443/a/x"), location)


@given(st.text(max_size=40))
def test_a_redirect_leads_to_an_address_or_nowhere(location: str) -> None:
    try:
        target = follow(parse_reference("https://host/a/x"), location)
    except MalformedRequest:
        return
    assert parse_reference(str(target)) == target


def test_the_longest_prefix_counts() -> None:
    wide, narrow = Source("https://host"), Source("https://host/a")
    for sources in ((wide, narrow), (narrow, wide)):
        assert find_source(sources, parse_reference("https://host/a/b")) is narrow
        assert find_source(sources, parse_reference("https://host/b")) is wide


def test_a_prefix_is_kept_without_its_last_slash() -> None:
    assert [check_prefix(text) for text in ("s3://photos/", "https://host", "https://host/a/")] == [
        "s3://photos",
        "https://host",
        "https://host/a",
    ]


def test_a_source_does_not_show_its_credentials() -> None:
    assert "hush" not in repr(Source("https://host", (("authorization", "hush"),)))


MEANING = ResolvedReference(Digest("ab" * 32), Validators('"v1"', "Sat, 21 Nov 2026 06:00:00 GMT"), 1_795_240_000.5)


def test_a_meaning_is_kept_as_it_was() -> None:
    assert ResolvedReference.unpack(MEANING.pack()) == MEANING


@pytest.mark.parametrize(
    "packed",
    [
        b"", b"{}", b"[]", b"null", b"\xff", b"1", MEANING.pack()[:-1],
        json.dumps({"digest": "../x", "validators": {"etag": "", "last_modified": ""}, "asked_at": 1}).encode(),
        json.dumps({"digest": "ab" * 32, "validators": None, "asked_at": 1}).encode(),
        json.dumps({"digest": "ab" * 32, "validators": {"etag": 1, "last_modified": ""}, "asked_at": 1}).encode(),
        json.dumps({"digest": 1, "validators": {"etag": "", "last_modified": ""}, "asked_at": 1}).encode(),
        json.dumps({"digest": "ab" * 32, "validators": {"etag": "", "last_modified": ""}, "asked_at": None}).encode(),
    ],
)  # fmt: skip
def test_what_is_no_meaning_is_a_value_error(packed: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own among them
        ResolvedReference.unpack(packed)


def test_what_cannot_be_said_back_to_a_source_is_not_kept() -> None:
    assert Validators.from_headers('"a\r\nx: y"', "x" * 257) == Validators()
    assert Validators.from_headers('"a"', "é").conditions() == {"if-none-match": '"a"'}
    assert Validators.from_headers("", "Sat").conditions() == {"if-modified-since": "Sat"}
