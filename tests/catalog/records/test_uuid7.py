"""UUIDv7 identifiers: well formed, increasing, and dated."""

from uuid import UUID

from catalog.records.uuid7 import Uuid7Generator, is_uuid7, new_uuid


def test_identifiers_are_uuids_of_version_7() -> None:
    parsed = UUID(new_uuid())
    assert (parsed.version, parsed.variant) == (7, "specified in RFC 4122")
    assert is_uuid7(str(parsed))


def test_identifiers_increase_when_the_clock_stands_still_or_goes_back() -> None:
    moments = iter([5_000_000_000, 5_000_000_000, 4_000_000_000, 5_000_000_001])
    generate = Uuid7Generator(lambda: next(moments))
    made = [generate() for _ in range(4)]
    assert made == sorted(set(made))


def test_an_identifier_holds_its_millisecond() -> None:
    assert UUID(Uuid7Generator(lambda: 1_700_000_000_123_456_789)()).int >> 80 == 1_700_000_000_123


def test_other_spellings_are_not_accepted() -> None:
    text = new_uuid()
    for other in (text.upper(), text.replace("-", ""), f"{{{text}}}", text + "0", text[:14] + "4" + text[15:], ""):
        assert not is_uuid7(other)
