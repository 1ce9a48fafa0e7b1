"""Names of hosts: look-ups are shared, bounded for each owner, and have a deadline."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator

import pytest

from proxy.adapters import name_resolver
from proxy.adapters.name_resolver import NameResolver, NoPublicAddressError, resolving_for
from proxy.core.url.public_addresses import is_public
from tests.patience import until


class NameServer:
    """getaddrinfo(3) in the test's hands: some names hang until `release`."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.running = 0
        self.addresses = {"good.test": ["192.0.2.1"]}
        self.release = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        with self._lock:
            self.questions.append(host)
            self.running += 1
        if host.startswith("hangs"):
            self.release.wait(30)
        with self._lock:
            self.running -= 1
        if host not in self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.addresses[host]]


@pytest.fixture
def names() -> NameServer:
    return NameServer()


@pytest.fixture
async def resolver(names: NameServer) -> AsyncIterator[NameResolver]:
    resolver = NameResolver(look_up=names)
    yield resolver
    names.release.set()
    await resolver.close()


async def addresses_of(resolver: NameResolver, host: str, owner: str = "acme") -> list[str]:
    with resolving_for(owner):
        return [result["host"] for result in await resolver.resolve(host, 443)]


async def test_a_name_is_resolved(resolver: NameResolver) -> None:
    assert await addresses_of(resolver, "good.test") == ["192.0.2.1"]


async def test_a_name_that_does_not_exist_is_an_os_error(resolver: NameResolver) -> None:
    with pytest.raises(OSError, match="no such name"):
        await addresses_of(resolver, "bad.test")


async def test_those_who_ask_for_one_name_share_one_look_up(resolver: NameResolver, names: NameServer) -> None:
    names.addresses["hangs.test"] = ["192.0.2.2"]
    asking = [asyncio.create_task(addresses_of(resolver, "hangs.test", f"tenant{n}")) for n in range(20)]
    await until(lambda: names.running == 1)
    names.release.set()
    assert await asyncio.gather(*asking) == [["192.0.2.2"]] * 20
    assert names.questions == ["hangs.test"]


async def test_a_tenant_whose_names_hang_does_not_delay_another(
    resolver: NameResolver, names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_resolver, "_DEADLINE_S", 0.05)
    hanging = [asyncio.create_task(addresses_of(resolver, f"hangs{n}.test", "evil")) for n in range(50)]
    answers = await asyncio.gather(*hanging, return_exceptions=True)
    assert all(isinstance(answer, TimeoutError) for answer in answers)
    monkeypatch.setattr(name_resolver, "_DEADLINE_S", 20.0)
    assert names.running == name_resolver._PER_OWNER, "what hangs is counted after its callers have left"
    assert await addresses_of(resolver, "good.test", "acme") == ["192.0.2.1"]


async def test_a_caller_that_leaves_does_not_stop_the_others(resolver: NameResolver, names: NameServer) -> None:
    names.addresses["hangs.test"] = ["192.0.2.2"]
    first, second = (asyncio.create_task(addresses_of(resolver, "hangs.test")) for _ in range(2))
    await until(lambda: names.running == 1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    names.release.set()
    assert await second == ["192.0.2.2"]


@pytest.mark.parametrize("name", ["inside.test", "both.test"])
async def test_addresses_that_are_not_allowed_are_left_out(names: NameServer, name: str) -> None:
    names.addresses |= {"inside.test": ["10.0.0.1"], "both.test": ["10.0.0.1", "1.1.1.1"]}
    resolver = NameResolver(is_public, names)
    if name == "both.test":
        assert await addresses_of(resolver, name) == ["1.1.1.1"]
    else:
        with pytest.raises(NoPublicAddressError):
            await addresses_of(resolver, name)
    await resolver.close()
