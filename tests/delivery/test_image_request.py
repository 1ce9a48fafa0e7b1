"""A link is authorized and named: by its seal, its tenant, and nothing that was made up."""

import time
from dataclasses import replace

import pytest

from proxy.core.errors import Forbidden, RecipeError
from proxy.core.geometry import Size
from proxy.core.identifiers import Digest, TenantName
from proxy.core.planning.limits import Limits
from proxy.core.recipe.grammar import parse
from proxy.core.recipe.presets import NO_LADDER
from proxy.core.tenant import Watermark
from proxy.core.url.link import Link
from proxy.core.url.signing import NO_KEY, SigningKey
from proxy.core.url.source_reference import write_reference
from proxy.delivery import image_request
from proxy.delivery.image_request import NAMED_S, NegotiationHeaders
from tests.delivery.world import ACME, KEY, World, link, tenant

H = "a" * 64
PATH = f"/t/acme/{H}/w300-webp"
OTHER_KEY = SigningKey.derive("another secret")
CAT = write_reference("https://host/cat.jpg")
AVIF, WEBP = NegotiationHeaders("image/avif,image/webp"), NegotiationHeaders("image/webp")


async def test_a_seal_of_any_key_is_accepted() -> None:
    world = World()
    world.change(keys=(OTHER_KEY, KEY))
    for key in (KEY, OTHER_KEY):
        assert (await world.requests.authorize(link(PATH, key))).name == ACME
        assert world.requests.authorize_cached(link(PATH, key)) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        link(PATH, OTHER_KEY),
        link(PATH, None),
        link(PATH, expires=999_999),
        link(PATH, expires=1_000_000),
        replace(link(PATH), seal=""),
        replace(link(PATH), seal=f"{link(PATH).seal}="),
        replace(link(PATH), sealed_text=PATH + "0"),
        link(f"/t/nobody/{H}/w300-webp"),
        link(f"/t/nobody/{H}/w300-webp", NO_KEY),
        link(f"/t/nobody/{H}/~card", None),
        link(f"/t/acme/{H}/~large", None),
        link(f"/t/acme/{H}/~card-w300", None),
        link(f"/t/acme/{H}/~card", None, expires=2_000_000),
        link(f"/t/acme/{CAT}/~card", None),
        replace(link(f"/t/acme/{H}/~card"), seal="wrong"),
    ],
    ids=str,
)
async def test_anything_else_is_forbidden(wrong: Link) -> None:
    world = World()
    await world.tenants.find(ACME)
    assert world.requests.authorize_cached(wrong) is None
    with pytest.raises(Forbidden):
        await world.requests.authorize(wrong)


async def test_a_link_is_void_from_its_second_on() -> None:
    world = World()
    soon = link(PATH, expires=1_000_060)
    owner = await world.requests.authorize(soon)
    assert world.requests.build(owner, soon, NegotiationHeaders()).lifetime_s == 60
    world.now_s += 60
    with pytest.raises(Forbidden):
        await world.requests.authorize(soon)


async def test_an_unsigned_preset_is_served_without_a_seal_and_told_apart() -> None:
    world = World()
    request, signed = await world.request("~card", signed=False), await world.request("~card")
    assert (request.signed, signed.signed) == (False, True)
    assert request.key == signed.key


async def test_a_new_key_is_accepted_at_once() -> None:
    world = World()
    await world.tenants.find(ACME)
    world.tenants.records[ACME] = replace(tenant(), keys=(OTHER_KEY, KEY))
    assert world.requests.authorize_cached(link(PATH, OTHER_KEY)) is None
    assert (await world.requests.authorize(link(PATH, OTHER_KEY))).keys == (OTHER_KEY, KEY)
    assert world.tenants.refreshed == {ACME: 1}


async def test_a_new_tenant_is_accepted_at_once() -> None:
    world = World()
    path = f"/t/new/{H}/w300-webp"
    with pytest.raises(Forbidden):
        await world.requests.authorize(link(path))
    world.tenants.records[TenantName("new")] = tenant(TenantName("new"))
    assert (await world.requests.authorize(link(path))).name == "new"


@pytest.mark.parametrize("recipe", ["~fresh-w40", "w300-wm_logo-webp", "~stamped", "~fresh"])
async def test_a_new_preset_or_watermark_is_known_at_once(recipe: str) -> None:
    world = World()
    target = link(f"/t/acme/{H}/{recipe}")
    before = await world.requests.authorize(target)
    with pytest.raises(RecipeError):
        world.requests.build(before, target, NegotiationHeaders())
    assert world.requests.authorize_cached(target) is None
    presets = {"fresh": parse("w100-webp"), "stamped": parse("w100-wm_logo-webp")}
    watermarks = {"logo": Watermark(Digest(H), Size(20, 10))}
    world.tenants.records[ACME] = tenant(presets=presets, watermarks=watermarks)
    after = await world.requests.authorize(target)
    assert world.requests.build(after, target, NegotiationHeaders()).fresh_s == NAMED_S
    assert world.requests.authorize_cached(target) is after


async def test_a_new_unsigned_preset_is_open_at_once() -> None:
    world = World()
    await world.tenants.find(ACME)
    world.tenants.records[ACME] = tenant(unsigned={"card": NO_LADDER, "large": NO_LADDER})
    assert (await world.requests.authorize(link(f"/t/acme/{H}/~large", None))).name == ACME


async def test_what_the_cached_tenant_explains_is_not_read_again() -> None:
    world = World()
    for recipe in ("w300-webp", "~card", "nonsense"):
        await world.requests.authorize(link(f"/t/acme/{H}/{recipe}"))
    with pytest.raises(Forbidden):
        await world.requests.authorize(link(PATH, expires=1))
    assert world.tenants.refreshed == {}


async def test_every_refusal_refreshes_once() -> None:
    world = World()
    for wrong in (link(PATH, OTHER_KEY), link(f"/t/nobody/{H}/w300"), link(f"/t/no-key/{H}/w300", NO_KEY)):
        with pytest.raises(Forbidden):
            await world.requests.authorize(wrong)
    assert world.tenants.refreshed == {ACME: 1, "nobody": 1, "no-key": 1}


async def test_made_up_links_leave_nothing_behind() -> None:
    world = World()
    image_request._parse.cache_clear()
    image_request._names.cache_clear()
    for number in range(50):
        target = link(f"/t/acme/{H}/w{number + 1}-webp", None)
        assert world.requests.authorize_cached(target) is None
        with pytest.raises(Forbidden):
            await world.requests.authorize(target)
    assert image_request._parse.cache_info().currsize == 0
    assert image_request._names.cache_info().currsize == 0


async def test_a_misspelled_recipe_is_a_recipe_error() -> None:
    world = World()
    target = link(f"/t/acme/{H}/webp-w0320")
    owner = await world.requests.authorize(target)
    with pytest.raises(RecipeError) as error:
        world.requests.build(owner, target, NegotiationHeaders())
    assert error.value.right == "w320-webp"


async def test_the_client_counts_for_auto_alone() -> None:
    world = World()
    owner = await world.requests.authorize(link(PATH))

    def build(recipe: str, headers: NegotiationHeaders) -> image_request.ImageRequest:
        return world.requests.build(owner, link(f"/t/acme/{H}/{recipe}"), headers)

    assert build("w300-webp", AVIF).client is None
    assert build("w300-webp", AVIF).key == build("w300-webp", WEBP).key
    assert (build("w300-auto", AVIF).client, build("w300-auto", WEBP).client) == ("avif", "webp")
    assert build("w300-auto", AVIF).etag != build("w300-auto", WEBP).etag


async def test_hints_count_where_the_tenant_allows_them() -> None:
    world = World()
    target = link(f"/t/acme/{H}/auto")
    hinted = NegotiationHeaders("image/webp", (("sec-ch-width", "320"),))
    owner = await world.requests.authorize(target)
    assert world.requests.build(owner, target, hinted).recipe == parse("auto")
    changed = replace(owner, hints=True)
    assert world.requests.build(changed, target, hinted).recipe.width == 400
    limited = replace(changed, limits=Limits(output_side=100))
    assert world.requests.build(limited, target, hinted).recipe.width == 100


async def test_names_depend_on_all_that_affects_the_bytes() -> None:
    world = World()
    target = link(f"/t/acme/{H}/w300-wm_logo-auto")
    logo, new_logo = (Watermark(Digest(digit * 64), Size(20, 10)) for digit in "bc")
    first = replace(tenant(), watermarks={"logo": logo})
    others = [
        replace(first, watermarks={"logo": new_logo}),
        replace(first, cache_epoch=1),
        replace(first, limits=Limits(avif_side=100)),
        replace(first, name=TenantName("other")),
    ]
    keys = [world.requests.build(owner, target, AVIF).key for owner in (first, *others)]
    assert len(set(keys)) == 5


async def test_a_preset_is_the_recipe_it_stands_for() -> None:
    world = World()
    assert (await world.request("~card")).key == (await world.request("w100-webp")).key
    assert (await world.request("~card")).fresh_s == NAMED_S
    assert (await world.request("w100-webp")).fresh_s is None


async def test_a_reference_is_resolved_and_as_fresh_as_the_tenant_wants() -> None:
    world = World()
    world.change(reference_ttl_s=100)
    request = await world.request("w300-webp", CAT)
    assert (ACME, request.original) in world.originals.stored
    assert (request.reference, request.fresh_s) == (CAT, 100)
    assert (await world.request("~card", CAT)).fresh_s == 100


async def test_a_wrong_recipe_is_told_before_the_source_is_asked() -> None:
    world = World()
    target = link(f"/t/acme/{CAT}/~nothing")
    owner = await world.requests.authorize(target)
    with pytest.raises(RecipeError):
        await world.requests.resolve(owner, target)
    assert world.source.conditions == []


async def test_a_reference_has_to_be_resolved_first() -> None:
    world = World()
    target = link(f"/t/acme/{CAT}/w300")
    with pytest.raises(ValueError, match="resolved"):
        world.requests.build(tenant(), target, NegotiationHeaders())


async def test_a_request_is_current_while_its_tenant_is() -> None:
    world = World()
    request = await world.request("w300-webp")
    assert world.requests.is_current(request)
    await world.tenants.refresh(ACME)
    assert world.requests.is_current(request)
    world.change(hints=True)
    assert not world.requests.is_current(request)


def test_the_clock_is_unix_time() -> None:
    world = World()
    version = world.pixels.renderer_version
    builder = image_request.RequestBuilder(world.tenants, world.references, world.refusals, version)
    assert abs(builder._clock() - time.time()) < 60
