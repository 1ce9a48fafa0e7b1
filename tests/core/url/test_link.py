"""The shape of a request target, before anything in it is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.errors import MalformedRequest, TargetTooLong
from proxy.core.url.link import MAX_TARGET, parse_target

H = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
PATH = f"/t/acme/{H}/w320-h180-webp".encode()


def test_a_target_is_split_into_its_parts() -> None:
    link = parse_target(PATH, b"e=1893456000&s=abc")
    assert (link.tenant, link.original, link.recipe) == ("acme", H, "w320-h180-webp")
    assert (link.expires, link.seal, link.digest) == (1893456000, "abc", H)
    assert link.sealed_text == f"/t/acme/{H}/w320-h180-webp?e=1893456000"


def test_without_expiry_the_path_alone_is_sealed() -> None:
    assert parse_target(PATH, b"s=abc").sealed_text == PATH.decode()


def test_a_source_reference_has_no_digest() -> None:
    assert parse_target(b"/t/acme/~czM6Ly9hL2I/auto", b"").digest is None


def test_the_seal_is_not_in_the_repr() -> None:
    assert "secret-seal" not in repr(parse_target(PATH, b"s=secret-seal"))


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/t/",
        b"/t/acme",
        b"/t/acme/" + H.encode(),
        b"/t/acme/" + H.encode() + b"/",
        b"/t/acme/" + H.encode() + b"/w320/",
        b"/t/acme/" + H.upper().encode() + b"/w320",
        b"/t/acme/" + H[:-1].encode() + b"/w320",
        b"/t/ACME/" + H.encode() + b"/w320",
        b"/t/-acme/" + H.encode() + b"/w320",
        b"/t/" + b"a" * 32 + b"/" + H.encode() + b"/w320",
        b"/t//" + H.encode() + b"/w320",
        b"//t/acme/" + H.encode() + b"/w320",
        b"/t/acme/./" + H.encode() + b"/w320",
        b"/t/acme/" + H.encode() + b"/w320%2dh180",
        b"/t/acme/" + H.encode() + b"/w320 h180",
        b"/t/acme/" + H.encode() + b"/w320+h180",
        b"/t/acme/" + H.encode() + b"/w320\n",
        b"/t/acme/" + H.encode() + b"/w320\x00",
        b"/t/acme/" + H.encode() + "/wü".encode(),
        b"/t/acme/" + H.encode() + b"/<script>",
        b"/t/acme/~abc/w320",
        b"/t/acme/~ab+cd/w320",
    ],
)
def test_a_path_of_another_shape_is_malformed_and_not_echoed(path: bytes) -> None:
    with pytest.raises(MalformedRequest) as refused:
        parse_target(path, b"")
    assert "script" not in refused.value.detail


@pytest.mark.parametrize(
    "query",
    [
        b"s=a&s=b",
        b"s=a&e=1",
        b"e=1&e=2&s=a",
        b"e=1&",
        b"&s=a",
        b"s=a&",
        b"e=01&s=a",
        b"e=-1&s=a",
        b"e=1.5&s=a",
        b"e=&s=a",
        b"e=123456789012&s=a",
        b"x=1",
        b"s=a&utm_source=x",
        b"E=1&s=a",
        b"S=a",
        b"e=1s=a",
    ],
)
def test_any_other_query_is_malformed(query: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parse_target(PATH, query)


@pytest.mark.parametrize("query", [b"", b"s=", b"e=0", b"e=99999999999", b"s=%00", b"s=a=b"])
def test_a_missing_or_wrong_seal_is_no_matter_of_shape(query: bytes) -> None:
    parse_target(PATH, query)


def test_a_target_over_the_limit_is_too_long() -> None:
    room = MAX_TARGET - len(PATH)
    parse_target(PATH, b"s=" + b"a" * (room - 2))
    with pytest.raises(TargetTooLong):
        parse_target(PATH, b"s=" + b"a" * (room - 1))


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_any_bytes_are_split_or_refused(path: bytes, query: bytes) -> None:
    try:
        link = parse_target(path, query)
    except MalformedRequest:
        return
    assert link.sealed_text.startswith("/t/")
