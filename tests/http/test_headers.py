"""Header fields that are read and written, as functions."""

import pytest

from proxy.core.errors import HeadersTooLarge, MalformedRequest, TargetTooLong
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import WEBP
from proxy.delivery.image_request import NegotiationHeaders
from proxy.delivery.service import Delivered
from proxy.http.headers import MAX_HEADER_BYTES, parse_link, raw_target, read_fields, require_host, server_timing
from proxy.http.problem import Headers

H = "a" * 64


def test_accept_if_none_match_and_hints_are_read_and_all_else_is_not() -> None:
    fields = [
        (b"host", b"x"),
        (b"accept", b"image/webp"),
        (b"accept", b"*/*"),
        (b"if-none-match", b'"a"'),
        (b"if-none-match", b'"b"'),
        (b"cookie", b"secret"),
        (b"sec-ch-dpr", b"2"),
    ]
    assert read_fields(fields) == (NegotiationHeaders("image/webp,*/*", (("sec-ch-dpr", "2"),)), '"a","b"')
    assert read_fields([]) == (NegotiationHeaders(), "")


def test_header_fields_have_a_limit_in_bytes() -> None:
    read_fields([(b"x", b"a" * (MAX_HEADER_BYTES - 1))])
    with pytest.raises(HeadersTooLarge):
        read_fields([(b"x", b"a" * MAX_HEADER_BYTES)])


@pytest.mark.parametrize(
    ("version", "fields", "valid"),
    [
        ("1.1", [(b"host", b"a")], True),
        ("1.1", [(b"host", b"")], True),
        ("1.1", [], False),
        ("1.1", [(b"host", b"a"), (b"host", b"a")], False),
        ("1.0", [], True),
    ],
)
def test_http_1_1_needs_one_host(version: str, fields: Headers, valid: bool) -> None:
    scope = {"http_version": version, "headers": fields}
    if valid:
        require_host(scope)
    else:
        with pytest.raises(MalformedRequest, match="Host"):
            require_host(scope)


def test_the_raw_target_is_what_was_sent() -> None:
    assert raw_target({"raw_path": b"/t/%61", "query_string": b""}) == b"/t/%61"
    assert raw_target({"raw_path": b"/t/a", "query_string": b"s=%62"}) == b"/t/a?s=%62"


def test_a_link_is_parsed_from_its_target_and_not_cached() -> None:
    target = f"/t/acme/{H}/w10?s=abc".encode()
    link = parse_link(target)
    assert (link.tenant, link.original, link.recipe, link.seal) == ("acme", H, "w10", "abc")
    assert parse_link(target) is not link
    with pytest.raises(MalformedRequest):
        parse_link(b"/t/acme/x/w10")
    with pytest.raises(TargetTooLong):
        parse_link(b"/t/acme/" + b"a" * 3_000)


def test_server_timing_has_the_tier_and_stages_in_milliseconds() -> None:
    derivative = Derivative(b"", WEBP, 1, 1)
    stages = (("fetch", 0.0012), ("render", 0.25))
    assert (
        server_timing(Delivered(derivative, "render", stages)) == 'tier;desc="render", fetch;dur=1.2, render;dur=250.0'
    )
    assert server_timing(Delivered(derivative, "memory")) == 'tier;desc="memory"'
