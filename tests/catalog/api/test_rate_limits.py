"""Rate limits: per token and per tenant, in memory and in Redis, open while Redis is out."""

from collections.abc import AsyncIterator

import pytest

from catalog.api.rate_limits import DEFAULT_QUOTAS, Quota, RateLimiter, RequestClass, read_quotas
from catalog.core.api_errors import RateLimited
from catalog.core.errors import Misconfigured
from catalog.core.roles import Role
from tests.catalog.samples import ACME, ZOO, principal_of
from tests.servers.redis import OwnRedis

QUOTAS = {request_class: Quota(3, 5) for request_class in RequestClass}
READ, WRITE = RequestClass.READ, RequestClass.WRITE


@pytest.fixture(params=["memory", "redis"])
async def limiter(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[RateLimiter]:
    """Return a limiter of three requests a token and five a tenant."""
    limiter = RateLimiter(QUOTAS, "" if request.param == "memory" else redis_url)
    yield limiter
    await limiter.close()


async def test_a_token_has_its_quota_in_each_class(limiter: RateLimiter) -> None:
    caller = principal_of()
    left = [(await limiter.count(caller, READ))["ratelimit"] for _ in range(3)]
    assert [field.partition(";t=")[0] for field in left] == ['"read";r=2', '"read";r=1', '"read";r=0']
    with pytest.raises(RateLimited) as refused:
        await limiter.count(caller, READ)
    fields = refused.value.headers()
    assert 1 <= int(fields["retry-after"]) <= 60
    assert fields["ratelimit-policy"] == '"read";q=3;w=60'
    assert fields["ratelimit"].startswith('"read";r=0;t=')
    await limiter.count(caller, WRITE)


async def test_a_tenants_tokens_share_a_quota_and_tenants_do_not(limiter: RateLimiter) -> None:
    for number in range(5):
        await limiter.count(principal_of(subject=f"token:{number}"), READ)
    with pytest.raises(RateLimited):
        await limiter.count(principal_of(subject="token:5"), READ)
    await limiter.count(principal_of(Role.VIEWER, ZOO, "token:6"), READ)


async def test_two_nodes_count_together(redis_url: str) -> None:
    one, other = RateLimiter(QUOTAS, redis_url), RateLimiter(QUOTAS, redis_url)
    for limiter in (one, other, one):
        await limiter.count(principal_of(tenant=ACME), READ)
    with pytest.raises(RateLimited):
        await other.count(principal_of(tenant=ACME), READ)
    await one.close()
    await other.close()


@pytest.mark.parametrize("fault", ["kill", "stall"])
async def test_requests_go_on_while_redis_is_out(own_redis: OwnRedis, fault: str) -> None:
    limiter = RateLimiter(QUOTAS, own_redis.url)
    await limiter.count(principal_of(), READ)
    getattr(own_redis, fault)()
    for _ in range(4):
        await limiter.count(principal_of(), READ)
    await limiter.close()


def test_quotas_are_a_setting() -> None:
    quotas = read_quotas(" read=10/20, upload=1/2")
    assert quotas[RequestClass.READ] == Quota(10, 20)
    assert quotas[RequestClass.UPLOAD] == Quota(1, 2)
    assert quotas[RequestClass.WRITE] == DEFAULT_QUOTAS[RequestClass.WRITE]


@pytest.mark.parametrize(
    "text", ["read", "read=1", "read=0/1", "reads=1/2", "read=1/2/3", "read=1/2;write=1/2", "read=-1/2"]
)
def test_a_quota_that_cannot_be_read_names_the_setting_and_its_form(text: str) -> None:
    with pytest.raises(Misconfigured, match=r"DARKROOM_API_RATES.*write class=token/tenant"):
        read_quotas(text)
