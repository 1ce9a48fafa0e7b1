"""A tenant's rules: written and read back, and read by older and newer versions."""

from hypothesis import given
from hypothesis import strategies as st

from catalog.core.tenant_rules import Retention, TenantRules, read_rules, write_rules
from catalog.core.upload_rules import TenantUploadRules, UploadRules

FORMATS = st.none() | st.frozensets(st.sampled_from(["png", "jpeg"]))
UPLOAD_RULES = st.builds(
    UploadRules,
    max_bytes=st.integers(1, 10**9),
    formats=FORMATS,
    extensions=st.none() | st.just(frozenset({"jpg"})),
    reject_active_content=st.booleans(),
)
RULES = st.builds(
    TenantRules,
    uploads=st.builds(
        TenantUploadRules,
        default=UPLOAD_RULES,
        by_entity_type=st.dictionaries(st.sampled_from(["avatar", "product"]), UPLOAD_RULES),
    ),
    retention=st.builds(Retention, trash_days=st.none() | st.integers(0, 999)),
    keep_location=st.booleans(),
    eager_presets=st.lists(st.sampled_from(["card", "hero"]), unique=True).map(tuple),
    cors_origins=st.just(("https://shop.example",)),
)


@given(RULES)
def test_rules_are_read_back(rules: TenantRules) -> None:
    assert read_rules(write_rules(rules)) == rules


def test_a_tenant_without_a_document_has_the_defaults() -> None:
    assert read_rules({}) == TenantRules()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from([*write_rules(TenantRules()), "newer"]), JSON))
def test_documents_of_other_versions_are_read(document: dict[str, object]) -> None:
    assert isinstance(read_rules(document), TenantRules)
