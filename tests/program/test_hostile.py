"""What an attacker sends: every malformed target is a 4xx with a problem document, in the contract's order."""

import struct
import zlib

import pytest

from tests.program.conftest import halves
from tests.program.server import Home, Server, sign

H = "a" * 64


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/t/acme/" + H.encode() + b"/w320%2Dh180", 400),
        (b"/t/acme/" + H.encode() + b"/w320//", 400),
        (b"/t//acme/" + H.encode() + b"/w320", 400),
        (b"/t/acme/../acme/" + H.encode() + b"/w320", 400),
        (b"/t/acme/" + H.upper().encode() + b"/w320", 400),
        (b"/t/acme/" + H.encode() + b"/w320?s=a&s=b", 400),
        (b"/t/acme/" + H.encode() + b"/w320?utm=1", 400),
        (b"/t/acme/" + H.encode() + b"/w320?s=a&e=1", 400),
        (b"/t/acme/" + H.encode() + b"/<script>", 400),
        (b"/t/acme/" + H.encode() + b"/" + b"w" * 2100, 414),
        (b"/t/acme/" + H.encode() + b"/w320", 403),
        (b"/t/acme/" + H.encode() + b"/no-such-option", 403),
        (b"/t/acme/" + H.encode() + b"/w320?s=" + b"A" * 43, 403),
        (b"/t/nobody/" + H.encode() + b"/w320?s=" + b"A" * 43, 403),
        (b"/t/acme/~czM6Ly9hL2I/w320?s=" + b"A" * 43, 403),
        (b"/t", 404),
        (b"/", 404),
        (b"//t/acme/" + H.encode() + b"/w320", 404),
    ],
)
def test_a_hostile_target_is_refused(server: Server, target: bytes, status: int) -> None:
    assert server.raw_status(target) == status
    assert server.raw_status(b"/healthz") == 200


@pytest.mark.parametrize("target", [b"/t/acme/\x00", b"/t/acme/\xff\xfe", b"/t/a b", b"http://x/t/acme"])
def test_what_is_no_http_is_answered_with_a_4xx(server: Server, target: bytes) -> None:
    assert 400 <= server.raw_status(target) < 500


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH", b"TRACE"])
def test_other_methods_are_told_which_are_allowed(server: Server, method: bytes) -> None:
    target = f"/t/acme/{H}/w320".encode()
    answer = server.raw(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"allow: GET, HEAD, OPTIONS" in answer


def test_the_method_is_checked_before_the_shape_and_the_shape_before_the_seal(server: Server) -> None:
    assert server.raw_status(b"/t/x%", method=b"POST") == 405
    assert server.raw_status(b"/t/acme/" + b"w" * 3000) == 414
    assert server.raw_status(f"/t/ACME/{H}/zz".encode()) == 400


@pytest.mark.parametrize("path", ["/nothing", f"/t/acme/{H}/w320"])
def test_every_refusal_has_a_name_to_ask_about(server: Server, path: str) -> None:
    answer = server.get(path)
    assert answer.headers["x-request-id"] == answer.json()["request"]


def test_options_is_answered_without_a_seal(server: Server) -> None:
    assert server.raw_status(f"/t/acme/{H}/w320".encode(), method=b"OPTIONS") == 204


def test_large_headers_are_refused(server: Server) -> None:
    target = sign(f"/t/acme/{H}/w320").encode()
    assert server.raw_status(target, headers=b"X-Pad: " + b"a" * 20_000 + b"\r\n") == 431
    assert 400 <= server.raw_status(target, headers=b"X-Pad: " + b"a" * 200_000 + b"\r\n") < 500


def test_a_sealed_recipe_that_is_misspelled_is_told_its_right_spelling(server: Server, original: str) -> None:
    answer = server.picture(original, "webp-w0320")
    told = answer.json()
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert len(answer.content) <= 1024
    assert (told["code"], told["right"], told["at"]) == ("recipe", "w320-webp", 0)
    assert told["fault"] == "webp-w0320\n^^^^"


def test_an_unknown_tenant_and_a_wrong_seal_read_the_same(server: Server, original: str) -> None:
    answers = [server.picture(original, "w320", tenant=name) for name in ("nobody", "nobody2")]
    answers.append(server.get(f"/t/acme/{original}/w320?s={'A' * 43}"))
    told = [{name: value for name, value in answer.json().items() if name != "request"} for answer in answers]
    assert told[0] == told[1] == told[2]
    assert {answer.status_code for answer in answers} == {403}


def test_a_missing_original_is_404_for_half_a_minute(server: Server) -> None:
    answer = server.picture("b" * 64, "w320-webp")
    assert (answer.status_code, answer.json()["code"]) == (404, "original-missing")
    assert answer.headers["cache-control"] == "public, max-age=30"


def test_what_is_not_http_gets_a_problem_document(server: Server) -> None:
    answer = server.raw(b"GET /t/a b HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"x-content-type-options: nosniff\r\n" in answer
    assert b"content-type: application/problem+json\r\n" in answer


@pytest.mark.parametrize("path", ["/healthz", "/nothing", f"/t/acme/{H}/w320"])
def test_an_http_1_1_request_without_one_host_is_refused(server: Server, path: str) -> None:
    for hosts in (b"", b"Host: x\r\nHost: x\r\n"):
        answer = server.raw(f"GET {path} HTTP/1.1\r\nConnection: close\r\n".encode() + hosts + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b'"code": "malformed"' in answer
    assert not server.raw(f"GET {path} HTTP/1.0\r\n\r\n".encode()).startswith(b"HTTP/1.1 400 ")


def test_pipelined_and_half_requests_hurt_nobody(server: Server) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    assert server.raw(request * 3).count(b"HTTP/1.1 200 OK") == 3
    server.raw(b"GET /t/acme")
    assert server.raw(b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")


JPEG = halves(suffix=".jpg")
PNG = halves(suffix=".png")


def lying_png(side: int) -> bytes:
    """Claim a huge picture and deliver a row of nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (JPEG[: len(JPEG) * 2 // 3], 415, "damaged"),
        (PNG[: len(PNG) * 2 // 3], 415, "damaged"),
        (halves(suffix=".webp")[:-200], 415, "damaged"),
        (b"\xff\xd8\xff\xe0" + b"\x00" * 500, 415, "damaged"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "not-a-picture"),
        (b"II*\x00" + b"\x00" * 100, 415, "not-a-picture"),
        (b"%PDF-1.7\n", 415, "not-a-picture"),
        (b"<!doctype html><script>alert(1)</script>", 415, "not-a-picture"),
        (b"\x00" * 4 + b"ftypheic" + b"\x00" * 100, 415, "not-a-picture"),
        (b"x", 415, "not-a-picture"),
        (lying_png(65_535), 422, "over-limit"),
        (lying_png(5_000), 415, "damaged"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_an_original_that_is_no_whole_picture_is_refused_and_remembered(
    home: Home, server: Server, body: bytes, status: int, code: str
) -> None:
    name = home.plant(body)
    renders = server.metric("darkroom_renders_total")
    for recipe in ("w320-h180-webp", "w320-h180-webp", "w320-h180-webp"):
        answer = server.picture(name, recipe)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["cache-control"] == "public, max-age=60"
    assert server.http.head(sign(f"/t/acme/{name}/w320-h180-webp")).status_code == status
    assert server.metric("darkroom_renders_total") == renders + 1
    assert server.metric("darkroom_worker_crashes_total") == 0


def test_an_original_whose_bytes_changed_is_never_shown(home: Home, server: Server) -> None:
    name = home.plant(halves(seed=9), name="c" * 64)
    answer = server.picture(name, "w320-webp")
    assert (answer.status_code, answer.json()["code"]) == (415, "damaged")


def test_an_upload_that_is_no_picture_is_refused_with_what_to_do(home: Home) -> None:
    path = home.folder / "page.jpg"
    path.write_bytes(b"<!doctype html>")
    done = home.run("upload", path, "--tenant", "acme")
    assert done.returncode == 1
    assert "page.jpg" in done.stderr
    assert "Convert the file" in done.stderr
