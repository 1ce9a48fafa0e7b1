"""The fast path over memory ports: what it answers, and every case that it leaves to the endpoint."""

import pytest

from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import WEBP
from proxy.core.tenant import Tenant
from proxy.core.url.source_reference import write_reference
from tests.http import world as worlds
from tests.http.world import ACME, KEY, Received, World, tenant
from tests.patience import until

H = "a" * 64
_OF_ONE_RESPONSE = {"x-request-id"}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def warm(world: World) -> World:
    """Give a world whose memory holds w300-webp and w300-auto as JPEG, and whose tenant is cached."""
    for recipe in ("w300-webp", "w300-auto"):
        assert (await world.request(world.target(recipe))).status == 200
    return world


def _common(received: Received | None) -> tuple[int, dict[str, str], bytes]:
    assert received is not None
    headers = {name: value for name, value in received.headers.items() if name not in _OF_ONE_RESPONSE}
    return received.status, headers, received.body


async def test_what_memory_holds_is_answered_as_the_endpoint_answers_it(warm: World) -> None:
    for recipe in ("w300-webp", "w300-auto"):
        through_asgi = await warm.request(warm.target(recipe))
        assert _common(warm.fast(warm.target(recipe))) == _common(through_asgi)
        assert _common(warm.fast(warm.target(recipe))) == _common(through_asgi)


async def test_a_304_is_answered_as_the_endpoint_answers_it(warm: World) -> None:
    etag = (await warm.request(warm.target("w300-webp"))).headers["etag"].encode()
    for field in (b'"x", W/' + etag, etag):
        condition = (b"if-none-match", field)
        through_asgi = await warm.request(warm.target("w300-webp"), "GET", condition)
        assert through_asgi.status == 304
        for _ in range(2):
            assert _common(warm.fast(warm.target("w300-webp"), condition)) == _common(through_asgi)
            warm.fast(warm.target("w300-webp"))


async def test_an_etag_that_does_not_match_gets_the_picture(warm: World) -> None:
    received = warm.fast(warm.target("w300-webp"), (b"if-none-match", b'"other"'))
    assert received is not None
    assert (received.status, received.body) == (200, b"300x200 webp")


async def test_each_response_has_an_id_of_its_own(warm: World) -> None:
    answers = [warm.fast(warm.target("w300-webp")) for _ in range(20)]
    ids = {received.headers["x-request-id"] for received in answers if received}
    assert (len(ids), {len(request_id) for request_id in ids}) == (20, {16})


async def test_responses_are_counted(warm: World) -> None:
    before = warm.count("darkroom_requests_total", status="200", tier="memory")
    sent_bytes = warm.count("darkroom_sent_bytes_total")
    warm.fast(warm.target("w300-webp"))
    assert warm.count("darkroom_requests_total", status="200", tier="memory") == before + 1
    assert warm.count("darkroom_sent_bytes_total") == sent_bytes + 12
    assert warm.count("darkroom_fast_path_responses_total") == 1


async def test_clients_that_accept_other_formats_get_other_pictures(warm: World) -> None:
    accept = (b"accept", b"image/webp")
    assert warm.fast(warm.target("w300-auto"), accept) is None
    await warm.request(warm.target("w300-auto"), "GET", accept)
    for fields, media_type in (((), "image/jpeg"), ((accept,), "image/webp")) * 2:
        received = warm.fast(warm.target("w300-auto"), *fields)
        assert received is not None
        assert received.headers["content-type"] == media_type


@pytest.mark.parametrize(
    "target",
    [
        "/t/acme/nothing",
        f"/t/acme/{H}/{'w' * 2_100}",
        f"/t/acme/{H}/w10-webp",
        f"/t/acme/{H}/w10-webp?s={'A' * 43}",
        f"/t/nobody/{H}/w10-webp?s={'A' * 43}",
        worlds.sign(f"/t/acme/{H}/no-such-option"),
        worlds.sign(f"/t/acme/{H}/w10-webp", expires=1_000_000_000),
        worlds.sign(f"/t/acme/{H}/w10-webp"),
        worlds.sign(f"/t/acme/{write_reference('https://host/cat.jpg')}/w10-webp"),
    ],
    ids=["shape", "length", "no seal", "seal", "tenant", "recipe", "expired", "not in memory", "reference"],
)
async def test_what_has_to_wait_or_to_be_refused_is_left_to_the_endpoint(warm: World, target: str) -> None:
    assert warm.fast(target) is None
    assert warm.count("darkroom_fast_path_responses_total") == 0


async def test_large_header_fields_are_left_to_the_endpoint(warm: World) -> None:
    assert warm.fast(warm.target("w300-webp"), (b"x-pad", b"a" * 20_000)) is None


async def test_a_wrong_seal_for_a_picture_in_memory_is_left_to_the_endpoint(warm: World) -> None:
    assert warm.fast(warm.target("w300-webp")) is not None
    assert warm.fast(warm.path("w300-webp") + f"?s={'A' * 43}") is None


async def test_a_tenant_that_is_not_cached_is_left_to_the_endpoint() -> None:
    world = World()
    assert world.fast(world.target("w300-webp")) is None
    world = World(tenant_ttl_s=0.05)
    await world.request(world.target("w300-webp"))
    assert world.fast(world.target("w300-webp")) is not None
    world.app._fast_path._steps._requests._tenants._entries.clear()  # type: ignore[attr-defined]
    assert world.fast(world.target("w300-webp")) is None


async def test_a_picture_that_memory_has_dropped_is_left_to_the_endpoint(warm: World) -> None:
    assert warm.fast(warm.target("w300-webp")) is not None
    await warm.memory.purge(ACME)
    assert warm.fast(warm.target("w300-webp")) is None


async def test_a_head_is_not_reused_for_a_body_of_another_length(warm: World) -> None:
    warm.app.start()
    assert warm.fast(warm.target("w300-webp")) is not None
    await until(lambda: len(warm.slow.rows) == 2)
    [key] = [key for key, derivative in warm.slow.rows.items() if derivative.format is WEBP]
    await warm.memory.purge(ACME)
    warm.memory.store(key, Derivative(b"a body of another length", WEBP, 300, 200))
    received = warm.fast(warm.target("w300-webp"))
    assert received is not None
    assert int(received.headers["content-length"]) == len(received.body) == 24
    await warm.app.stop()


async def test_requests_that_are_all_logged_are_left_to_the_endpoint() -> None:
    world = World(log_requests="all")
    await world.request(world.target("w300-webp"))
    assert world.fast(world.target("w300-webp")) is None


def _change(world: World, changed: Tenant) -> None:
    """Change the tenant and let the cache read it anew."""
    world.tenants.rows[ACME] = changed
    world.app._fast_path._steps._requests._tenants._entries.clear()  # type: ignore[attr-defined]


async def test_a_key_that_was_retired_opens_nothing_any_more(warm: World) -> None:
    assert warm.fast(warm.target("w300-webp")) is not None
    _change(warm, Tenant(ACME, (type(KEY).derive("another secret"),)))
    assert (await warm.request(warm.target("w10-webp"))).status == 403
    assert warm.fast(warm.target("w300-webp")) is None


async def test_a_purge_of_the_tenant_ends_what_is_cached(warm: World) -> None:
    assert warm.fast(warm.target("w300-webp")) is not None
    _change(warm, tenant(cache_epoch=1))
    assert (await warm.request(warm.target("w10-webp"))).status == 200
    assert warm.fast(warm.target("w300-webp")) is None


async def test_only_links_that_were_verified_and_answered_are_cached(warm: World) -> None:
    entries = warm.app._fast_path._entries
    for number in range(100):
        warm.fast(f"/t/acme/{H}/w{number + 1}-webp?s={'A' * 43}")
        warm.fast(worlds.sign(f"/t/acme/{H}/w{number + 1}-webp"))
    assert len(entries) == 0
    warm.fast(warm.target("w300-webp"))
    assert len(entries) == 1


async def test_the_cache_is_bounded_in_bytes_and_does_not_take_long_header_fields(warm: World) -> None:
    entries = warm.app._fast_path._entries
    assert warm.fast(warm.target("w300-webp"), (b"accept", b"a" * 300)) is not None
    assert warm.fast(warm.target("w300-webp"), (b"sec-ch-dpr", b"1" * 300)) is not None
    assert len(entries) == 0
    for number in range(8_000):
        warm.fast(warm.target("w300-webp"), (b"accept", b"image/x%d" % number))
    assert 4_000 < len(entries) < 8_000
    assert entries.currsize <= entries.maxsize == 16 * 2**20


async def test_a_link_that_expires_is_answered_and_not_cached(warm: World) -> None:
    target = warm.target("w300-webp", expires=32_503_680_000)
    await warm.request(target)
    assert warm.fast(target) is not None
    assert len(warm.app._fast_path._entries) == 0
