"""Originals in eight bytes each, held against a plain set."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from proxy.caching.digest_set import DigestSet
from proxy.core.identifiers import Digest, TenantName

TENANTS = (TenantName("acme"), TenantName("zoo"))
DIGESTS = [Digest(sha256(bytes([number])).hexdigest()) for number in range(12)]
DIGESTS += [Digest("ab" + "0" * 62), Digest("ab" + "f" * 62), Digest("0" * 64), Digest("f" * 64)]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(TENANTS), st.sampled_from(DIGESTS)), max_size=60))
def test_it_holds_what_a_set_holds(steps: list[tuple[bool, TenantName, Digest]]) -> None:
    originals, expected = DigestSet(), set()
    for adding, tenant, digest in steps:
        if adding:
            originals.add(tenant, digest)
            expected.add((tenant, digest))
        else:
            originals.discard(tenant, digest)
            expected.discard((tenant, digest))
    contained = {(tenant, digest) for tenant in TENANTS for digest in DIGESTS if originals.contains(tenant, digest)}
    assert contained == expected
    assert originals.count == len(expected)
    assert set(originals._tenants) == {tenant for tenant, _ in expected}


def test_an_original_takes_eight_bytes() -> None:
    originals = DigestSet()
    for number in range(10_000):
        originals.add(TENANTS[0], Digest(sha256(f"{number}".encode()).hexdigest()))
    arrays = originals._tenants[TENANTS[0]].values()
    assert sum(numbers.itemsize * len(numbers) for numbers in arrays) == 80_000
    assert len(arrays) == 256
