"""What the port `Originals` promises, of every adapter."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import pytest

from proxy.core.errors import LimitExceeded, NotFound
from proxy.core.identifiers import Digest, TenantName
from proxy.ports import Originals
from tests.adapters.samples import ACME, LARGE, LIMIT_BYTES, OTHER, SMALL, content_of, named, opened


@pytest.fixture(params=["file_originals", "s3_originals"])
def originals(request: pytest.FixtureRequest) -> Originals:
    adapter: Originals = request.getfixturevalue(request.param)
    return adapter


async def put(originals: Originals, content: bytes) -> bool:
    with opened(content) as source:
        return await originals.put(ACME, named(content), source)


@pytest.mark.parametrize("content", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
async def test_what_is_put_is_opened(originals: Originals, content: bytes) -> None:
    await put(originals, content)
    original = await originals.open(ACME, named(content))
    assert original.size_bytes == len(content)
    assert content_of(original) == content


async def test_an_original_is_opened_at_its_beginning_and_can_be_sought(originals: Originals) -> None:
    await put(originals, SMALL)
    with await originals.open(ACME, named(SMALL)) as original:
        assert os.read(original.fd, 4) == SMALL[:4]
        os.lseek(original.fd, -4, os.SEEK_END)
        assert os.read(original.fd, 9) == SMALL[-4:]


async def test_an_opened_original_cannot_be_changed(originals: Originals) -> None:
    await put(originals, SMALL)
    with await originals.open(ACME, named(SMALL)) as original, pytest.raises(OSError, match="Errno"):
        os.write(original.fd, b"x")


async def test_an_opened_original_does_not_leak_into_other_programs(originals: Originals) -> None:
    await put(originals, SMALL)
    with await originals.open(ACME, named(SMALL)) as original:
        assert not os.get_inheritable(original.fd)


async def test_two_who_open_one_original_read_it_independently(originals: Originals) -> None:
    await put(originals, SMALL)
    with await originals.open(ACME, named(SMALL)) as one, await originals.open(ACME, named(SMALL)) as two:
        os.read(one.fd, 9)
        assert os.read(two.fd, 4) == SMALL[:4]


async def test_putting_leaves_the_source_where_it_was(originals: Originals) -> None:
    with opened(SMALL) as source:
        os.lseek(source.fd, 7, os.SEEK_SET)
        await originals.put(ACME, named(SMALL), source)
        assert os.lseek(source.fd, 0, os.SEEK_CUR) == 7
    assert content_of(await originals.open(ACME, named(SMALL))) == SMALL


async def test_the_first_put_is_new_and_the_second_is_not(originals: Originals) -> None:
    assert await put(originals, SMALL) is True
    assert await put(originals, SMALL) is False


async def test_of_sixteen_puts_at_once_one_is_new(originals: Originals) -> None:
    assert sum(await asyncio.gather(*(put(originals, LARGE) for _ in range(16)))) == 1
    assert content_of(await originals.open(ACME, named(LARGE))) == LARGE


async def test_sixteen_can_put_from_one_source_at_once(originals: Originals) -> None:
    with opened(LARGE) as source:
        assert sum(await asyncio.gather(*(originals.put(ACME, named(LARGE), source) for _ in range(16)))) == 1
    assert content_of(await originals.open(ACME, named(LARGE))) == LARGE


async def test_what_was_never_put_is_not_found(originals: Originals) -> None:
    with pytest.raises(NotFound):
        await originals.open(ACME, named(SMALL))


async def test_tenants_do_not_see_each_others_originals(originals: Originals) -> None:
    await put(originals, SMALL)
    with pytest.raises(NotFound):
        await originals.open(OTHER, named(SMALL))


async def test_an_original_over_the_limit_is_refused_with_the_number(originals: Originals) -> None:
    with pytest.raises(LimitExceeded, match=str(LIMIT_BYTES)):
        await put(originals, bytes(LIMIT_BYTES + 1))
    with pytest.raises(NotFound):
        await originals.open(ACME, named(bytes(LIMIT_BYTES + 1)))


@pytest.mark.parametrize("name", ["..", "../" + "a" * 61, "A" * 64, "a" * 63, "a" * 64 + "\n", ""])
async def test_what_is_no_digest_never_becomes_a_name(originals: Originals, name: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        await originals.open(ACME, Digest(name))


@pytest.mark.parametrize("name", ["..", ".incoming", "a/b", "", "A"])
async def test_what_is_no_tenant_never_becomes_a_name(originals: Originals, name: str) -> None:
    with pytest.raises(ValueError, match="tenant"):
        await originals.open(TenantName(name), named(SMALL))


async def test_a_cancelled_put_leaves_nothing_or_the_whole(originals: Originals) -> None:
    for pause_s in (0, 0.001, 0.005, 0.02):
        task = asyncio.ensure_future(put(originals, LARGE))
        await asyncio.sleep(pause_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    with suppress(NotFound):
        assert content_of(await originals.open(ACME, named(LARGE))) == LARGE
    await put(originals, LARGE)
    assert content_of(await originals.open(ACME, named(LARGE))) == LARGE


async def test_a_cancelled_open_leaves_no_descriptor(originals: Originals) -> None:
    await put(originals, LARGE)
    # once in full, so that what stays open (connections) is open already
    (await originals.open(ACME, named(LARGE))).close()
    before = _descriptors()
    for pause_s in (0, 0.001, 0.005, 0.02):
        task = asyncio.ensure_future(originals.open(ACME, named(LARGE)))
        await asyncio.sleep(pause_s)
        if task.cancel():
            await asyncio.gather(task, return_exceptions=True)
        else:
            task.result().close()
    await originals.ping()
    while _descriptors() - before:  # noqa: ASYNC110 - a thread closes it, in its own time
        await asyncio.sleep(0.01)


def _descriptors() -> set[str]:
    """Name the originals that this process holds open."""
    links = []
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            links.append(f"{fd} {fd.readlink()}")
    return {link for link in links if named(LARGE) in link or "darkroom-original" in link}


async def test_what_is_deleted_is_gone_and_can_be_put_again(originals: Originals) -> None:
    for content in (SMALL, LARGE):
        await put(originals, content)
        assert await originals.contains(ACME, named(content))
    with await originals.open(ACME, named(SMALL)) as reader:
        await originals.delete(ACME, named(SMALL))
        assert os.read(reader.fd, len(SMALL)) == SMALL, "who has it open reads on"
    assert not await originals.contains(ACME, named(SMALL))
    with pytest.raises(NotFound):
        await originals.open(ACME, named(SMALL))
    assert await originals.contains(ACME, named(LARGE))
    await originals.delete(ACME, named(SMALL))
    assert await put(originals, SMALL) is True
    assert content_of(await originals.open(ACME, named(SMALL))) == SMALL


async def test_an_original_is_deleted_for_its_tenant_alone(originals: Originals) -> None:
    await put(originals, SMALL)
    assert not await originals.contains(OTHER, named(SMALL))
    await originals.delete(OTHER, named(SMALL))
    assert await originals.contains(ACME, named(SMALL))


@pytest.mark.parametrize("name", ["..", "../" + "a" * 61, ""])
async def test_what_is_no_digest_is_neither_looked_for_nor_deleted(originals: Originals, name: str) -> None:
    for call in (originals.contains, originals.delete):
        with pytest.raises(ValueError, match="SHA-256"):
            await call(ACME, Digest(name))


async def test_a_backend_that_is_there_answers_a_ping(originals: Originals) -> None:
    await originals.ping()
