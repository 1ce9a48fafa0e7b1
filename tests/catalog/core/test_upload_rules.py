"""Upload rules: one table of what is refused, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.core.upload_rules import (
    ACTIVE_CONTENT,
    Candidate,
    TenantUploadRules,
    UploadRules,
    check_upload,
    extensions_of,
    find_active_content,
)
from proxy.core.media.facts import Facts
from proxy.core.media.formats import ALWAYS_READ, GIF, JPEG, PNG, SVG, Format

JUST = UploadRules(max_bytes=1_000, max_pixels=10_000)


def of(image_format: Format | None, name: str | None = None, declared: str | None = None) -> Candidate:
    return Candidate(name, declared, 100, image_format, sniffed_known=True)


@pytest.mark.parametrize(
    ("candidate", "code"),
    [
        (Candidate("chair.jpg"), None),
        (Candidate("chair.JPG"), None),
        (Candidate("chair"), None),
        (Candidate("notes.v2"), None),
        (Candidate("evil.php"), "extension-dangerous"),
        (Candidate("evil.php.jpg"), "extension-dangerous"),
        (Candidate("evil.PHP .jpg"), "extension-dangerous"),
        (Candidate("evil.exe"), "extension-dangerous"),
        (Candidate("evil.sh"), "extension-dangerous"),
        (Candidate("evil.svg.php"), "extension-dangerous"),
        (Candidate("evil.php."), "extension-dangerous"),
        (Candidate("a\0.jpg"), "file-name"),
        (Candidate("drawing.svg"), "extension"),
        (Candidate(size_bytes=0), "empty"),
        (Candidate(size_bytes=1_000), None),
        (Candidate(size_bytes=1_001), "too-large"),
        (of(JPEG), None),
        (of(None), "format"),
        (of(SVG), "format"),
        (of(JPEG, "a.jpeg", "image/jpeg"), None),
        (of(JPEG, "a.jpeg", "image/jpg; charset=x"), None),
        (of(JPEG, "a.jpeg", "application/octet-stream"), None),
        (of(JPEG, "a.jpeg", "image/png"), "type-mismatch"),
        (of(JPEG, "a.jpeg", "text/html"), "type-mismatch"),
        (of(PNG, "a.jpg", ""), "extension-mismatch"),
        (of(PNG, "a.v2", ""), None),
        (Candidate(facts=Facts(PNG, 100, 100)), None),
        (Candidate(facts=Facts(PNG, 101, 100)), "too-many-pixels"),
        (Candidate(trailing_bytes=5), None),
    ],
)
def test_what_is_refused(candidate: Candidate, code: str | None) -> None:
    violation = check_upload(candidate, JUST, ALWAYS_READ)
    assert (violation and violation.code) == code


def test_a_tenant_may_take_fewer_formats_and_forgive_names() -> None:
    only_png = UploadRules(formats=frozenset({"png"}), require_matching_type=False)
    assert check_upload(of(PNG, "a.png", "image/jpeg"), only_png, ALWAYS_READ) is None
    refused = check_upload(of(GIF), only_png, ALWAYS_READ)
    assert refused is not None
    assert refused.detail == "gif images are not accepted. Accepted: png."


def test_trailing_bytes_are_refused_where_the_tenant_says_so() -> None:
    violation = check_upload(Candidate(trailing_bytes=5), UploadRules(reject_trailing_data=True), ALWAYS_READ)
    assert violation is not None
    assert violation.code == "trailing-data"


def test_own_extensions_are_the_only_ones() -> None:
    rules = UploadRules(extensions=frozenset({"jpg"}))
    assert check_upload(Candidate("a.jpg"), rules, ALWAYS_READ) is None
    assert check_upload(Candidate("a.v2"), rules, ALWAYS_READ) is not None


def test_entity_types_may_have_rules_of_their_own() -> None:
    rules = TenantUploadRules(by_entity_type={"avatar": UploadRules(max_bytes=10)})
    assert rules.rules_for("avatar").max_bytes == 10
    assert rules.rules_for("product") == rules.rules_for(None) == rules.default


@pytest.mark.parametrize("encoding", ["ascii", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", ACTIVE_CONTENT)
@given(before=st.integers(0, 60), block_bytes=st.integers(1, 40))
def test_a_script_is_found_wherever_the_blocks_divide_it(
    encoding: str, mark: str, before: int, block_bytes: int
) -> None:
    body = bytes(before) + mark.upper().encode(encoding) + b"\xff" * 20
    blocks = [body[at : at + block_bytes] for at in range(0, len(body), block_bytes)]
    assert find_active_content(blocks) == mark


@pytest.mark.parametrize("body", [b"", b"<scrip t>", b"<?xpacket begin=", b"<rdf:RDF>", b"<?xml ?>", bytes(5_000)])
def test_what_metadata_usually_holds_is_no_script(body: bytes) -> None:
    assert find_active_content([body]) is None


def test_scripts_are_refused_where_the_tenant_says_so() -> None:
    found = Candidate(active_content="<script")
    assert check_upload(found, UploadRules(), ALWAYS_READ) is None
    violation = check_upload(found, UploadRules(reject_active_content=True), ALWAYS_READ)
    assert violation is not None
    assert violation.code == "active-content"


@given(st.text(max_size=300))
def test_any_name_gets_an_answer(name: str) -> None:
    violation = check_upload(Candidate(name), UploadRules(), ALWAYS_READ)
    assert violation is None or violation.detail.isprintable()
    assert all(extension == extension.lower() for extension in extensions_of(name))
