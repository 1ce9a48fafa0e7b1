"""The endpoint over memory ports: the order of checks, methods, conditional requests, refusals, disconnects."""

import asyncio
import json

import pytest
import structlog

from proxy.core.errors import CorruptImage
from proxy.core.planning.limits import Limits
from proxy.core.url.source_reference import write_reference
from tests.http.world import HOST, World, call, sign, tenant
from tests.patience import until

H = "a" * 64
LONG = "w" * 2_100
CAT = write_reference("https://host/cat.jpg")


@pytest.fixture
def world() -> World:
    return World()


async def test_a_get_returns_the_picture_and_every_header_of_the_contract(world: World) -> None:
    received = await world.request(world.target("w300-webp"))
    assert (received.status, received.body) == (200, b"300x200 webp")
    headers = received.headers
    assert len(headers.pop("x-request-id")) == 16
    assert headers.pop("etag").startswith('"')
    assert headers.pop("server-timing").startswith('tier;desc="render", fetch;dur=')
    assert headers == {
        "content-type": "image/webp",
        "content-length": "12",
        "cache-control": "public, max-age=31536000, immutable",
        "x-amz-meta-cache-tag": f"a-acme-{world.digest}, t-acme",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "cross-origin-resource-policy": "cross-origin",
        "timing-allow-origin": "*",
    }


@pytest.mark.parametrize(
    ("method", "target", "fields", "expected"),
    [
        ("POST", f"/t/acme/{LONG}", (), (405, "method")),
        ("GET", f"/t/ACME/{LONG}", (), (414, "target-too-long")),
        ("GET", f"/t/ACME/{H}/%", ((b"x", b"y" * 20_000),), (400, "malformed")),
        ("GET", f"/t/acme/{H}/w10?s=wrong", ((b"x", b"y" * 20_000),), (431, "headers-too-large")),
        ("GET", f"/t/acme/{H}/no-such-option?s=wrong", (), (403, "seal")),
        ("GET", f"/t/nobody/{H}/w10?s=wrong", (), (403, "seal")),
        ("GET", sign(f"/t/acme/{H}/no-such-option"), (), (400, "recipe")),
        ("GET", sign(f"/t/acme/{H}/~no_such_preset"), (), (400, "recipe")),
        ("GET", sign(f"/t/acme/{H}/w10-webp"), (), (404, "original-missing")),
    ],
)
async def test_the_first_check_of_the_contract_that_fails_decides(
    world: World, method: str, target: str, fields: tuple[tuple[bytes, bytes], ...], expected: tuple[int, str]
) -> None:
    """Each of these requests would also fail a later check."""
    received = await world.request(target, method, *fields)
    document = json.loads(received.body)
    assert (received.status, document["code"]) == expected
    assert document["status"] == received.status
    assert received.headers["content-type"] == "application/problem+json"
    assert received.headers["x-content-type-options"] == "nosniff"
    assert document["request"] == received.headers["x-request-id"]
    assert world.pixels.renders == 0


async def test_a_304_is_answered_before_limits_storage_and_pixels(world: World) -> None:
    etag = (await world.request(world.target("w300-webp"))).headers["etag"]
    twin = World()
    twin.originals.rows.clear()
    received = await twin.request(twin.target("w300-webp"), "GET", (b"if-none-match", f'"x", W/{etag}'.encode()))
    assert (received.status, received.body, received.headers["etag"]) == (304, b"", etag)
    assert set(received.headers) == {"etag", "cache-control", "x-amz-meta-cache-tag", "x-request-id"}
    assert (twin.originals.opens, twin.pixels.renders) == (0, 0)


async def test_an_etag_that_does_not_match_gets_the_picture(world: World) -> None:
    assert (await world.request(world.target("w300-webp"), "GET", (b"if-none-match", b'"other"'))).status == 200


async def test_a_304_needs_a_valid_seal(world: World) -> None:
    etag = (await world.request(world.target("w300-webp"))).headers["etag"]
    received = await world.request(world.path("w300-webp") + "?s=wrong", "GET", (b"if-none-match", etag.encode()))
    assert received.status == 403


async def test_a_second_get_comes_from_memory(world: World) -> None:
    first, second = [await world.request(world.target("w300-webp")) for _ in range(2)]
    assert first.body == second.body
    assert second.headers["server-timing"] == 'tier;desc="memory"'
    assert (world.pixels.renders, world.originals.opens) == (1, 1)


async def test_head_of_an_unknown_picture_makes_no_pixels_and_has_no_length(world: World) -> None:
    head = await world.request(world.target("w300-dl-webp"), "HEAD")
    assert (head.status, head.body, head.headers["content-type"]) == (200, b"", "image/webp")
    assert "content-length" not in head.headers
    assert (world.pixels.probes, world.pixels.renders) == (1, 0)
    got = await world.request(world.target("w300-dl-webp"))
    assert head.headers["etag"] == got.headers["etag"]
    assert head.headers["content-disposition"] == got.headers["content-disposition"]


async def test_head_of_a_picture_in_a_tier_has_its_length_and_no_body(world: World) -> None:
    await world.request(world.target("w300-webp"))
    head = await world.request(world.target("w300-webp"), "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "12")


async def test_a_refused_head_has_no_body(world: World) -> None:
    head = await world.request(sign(f"/t/acme/{H}/w10-webp"), "HEAD")
    assert (head.status, head.body) == (404, b"")
    assert int(head.headers["content-length"]) > 0


async def test_options_needs_a_well_formed_target_and_no_seal(world: World) -> None:
    received = await world.request(f"/t/acme/{H}/w10", "OPTIONS")
    assert (received.status, received.body, received.headers["allow"]) == (204, b"", "GET, HEAD, OPTIONS")
    assert (await world.request("/t/acme/nothing", "OPTIONS")).status == 400
    assert world.tenants.finds == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
async def test_other_methods_are_answered_with_those_that_are_allowed(world: World, method: str) -> None:
    received = await world.request(world.target("w10"), method)
    assert (received.status, received.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("hosts", [(), (HOST, HOST), (HOST, (b"host", b"other.example"))], ids=["none", "twice", "two"])
async def test_an_http_1_1_request_needs_one_host(world: World, hosts: tuple[tuple[bytes, bytes], ...]) -> None:
    received = await call(world.app, world.target("w10-webp"), fields=hosts)
    assert (received.status, json.loads(received.body)["code"]) == (400, "malformed")
    old = await call(world.app, world.target("w10-webp"), fields=hosts, http_version="1.0")
    assert old.status == 200


async def test_a_refusal_of_auto_varies_with_accept_and_no_other_does(world: World) -> None:
    world.tenants.rows[tenant().name] = tenant(limits=Limits(output_side=40))
    refused, plain = [await world.request(world.target(recipe)) for recipe in ("w41-auto", "w41-webp")]
    assert (refused.status, refused.headers["vary"]) == (422, "Accept")
    assert (plain.status, "vary" in plain.headers) == (422, False)


async def test_hints_are_part_of_vary_where_the_tenant_uses_them(world: World) -> None:
    world.tenants.rows[tenant().name] = tenant(hints=True)
    received = await world.request(world.target("w20-auto"), "GET", (b"sec-ch-dpr", b"2"))
    assert received.body == b"40x27 jpeg"
    assert received.headers["vary"].startswith("Accept,")


async def test_repeated_fields_are_one_list(world: World) -> None:
    accepted = [(b"accept", b"image/png"), (b"accept", b"image/webp")]
    assert (await world.request(world.target("w20-auto"), "GET", *accepted)).headers["content-type"] == "image/webp"


async def test_a_client_that_disconnects_cancels_the_work_and_is_counted(world: World) -> None:
    world.pixels.open.clear()
    task = asyncio.create_task(world.request(world.target("w300-webp")))
    await until(lambda: world.pixels.renders == 1)
    world.gone.set()
    received = await task
    assert received.status == 0
    assert world.count("darkroom_requests_total", status="499", tier="none") == 1


async def test_a_client_that_disconnects_ends_the_wait_for_a_source(world: World) -> None:
    world.source.open.clear()
    task = asyncio.create_task(world.request(world.target("w300-webp", CAT)))
    await until(lambda: world.source.fetches == 1)
    world.gone.set()
    assert (await task).status == 0
    await until(lambda: world.source.cancelled == 1)


async def test_an_unexpected_error_is_a_500_without_its_text(world: World) -> None:
    world.pixels.error = RuntimeError("a secret detail")
    received = await world.request(world.target("w300-webp"))
    assert (received.status, json.loads(received.body)["code"]) == (500, "internal")
    assert b"secret" not in received.body
    assert received.headers["cache-control"] == "no-store"
    assert world.count("darkroom_requests_total", status="500") == 1


async def test_a_refusal_of_the_pixels_keeps_its_status_and_lifetime(world: World) -> None:
    world.pixels.error = CorruptImage("The original ends early.")
    received = await world.request(world.target("w300-webp"))
    assert (received.status, json.loads(received.body)["code"]) == (415, "damaged")
    assert received.headers["cache-control"] == "public, max-age=60"


async def test_requests_that_wait_for_one_render_are_one_observation_and_one_line(world: World) -> None:
    world.pixels.open.clear()
    with structlog.testing.capture_logs() as lines:
        tasks = [asyncio.create_task(world.request(world.target("w300-webp"))) for _ in range(5)]
        await until(lambda: world.pixels.renders == 1)
        world.pixels.open.set()
        answers = [await task for task in tasks]
    assert {received.status for received in answers} == {200}
    assert world.count("darkroom_stage_seconds_count", stage="render") == 1
    assert world.count("darkroom_requests_total", tier="render") == 1
    assert world.count("darkroom_requests_total", tier="coalesced") == 4
    assert [line["tier"] for line in lines] == ["render"]


async def test_a_link_that_expires_is_cached_until_then_and_refused_afterwards(world: World) -> None:
    soon = await world.request(world.target("w20-webp", expires=32_503_680_000))
    assert soon.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await world.request(world.target("w20-webp", expires=1_000_000_000))).status == 403


async def test_what_is_named_may_change_and_says_so(world: World) -> None:
    unsigned = await world.request(world.path("~card"))
    assert (unsigned.status, unsigned.body) == (200, b"100x67 webp")
    assert unsigned.headers["cache-control"].startswith("public, max-age=3600, stale-while-revalidate=")
    assert (await world.request(world.path("~large"))).status == 403


async def test_a_reference_is_resolved_and_answered_like_any_original(world: World) -> None:
    first, second = [await world.request(world.target("w30-webp", CAT)) for _ in range(2)]
    assert (first.status, second.status, world.source.fetches) == (200, 200, 1)
    assert first.headers["cache-control"].startswith("public, max-age=3600")
