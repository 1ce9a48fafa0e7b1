"""Rights in IPTC and XMP; noise contains none, and is read quickly."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.media.copyright import read_iptc, read_xmp
from proxy.core.media.tiff import ARTIST, COPYRIGHT

TAGS = [b"<dc:rights>", b"</dc:rights>", b"<rdf:li>", b"</rdf:li>", b'dc:creator="', b'"', b"a"]
pieces = st.sampled_from([*TAGS, b"\x1c\x02\x74", b"\0\x05", b"\xff"])


@given(st.lists(pieces, max_size=60).map(b"".join) | st.binary(max_size=300))
def test_rubbish_is_read_without_a_fault(block: bytes) -> None:
    for rights in (read_iptc(block), read_xmp(block)):
        assert set(rights) <= {ARTIST, COPYRIGHT}
        assert all(rights.values())


def test_xmp_may_say_it_in_an_attribute() -> None:
    assert read_xmp(b'<rdf:Description dc:rights="A &lt; B" dc:creator="C"/>') == {COPYRIGHT: "A < B", ARTIST: "C"}


def test_xmp_may_say_it_without_a_list_and_in_either_quotes() -> None:
    assert read_xmp(b"<dc:rights>plain</dc:rights><x dc:creator='C'/>") == {COPYRIGHT: "plain", ARTIST: "C"}


def test_a_long_text_is_cut() -> None:
    packet = b"<dc:rights><rdf:Alt><rdf:li>" + b"a" * 2_500 + b"</rdf:li></rdf:Alt></dc:rights>"
    assert read_xmp(packet) == {COPYRIGHT: "a" * 2_000}


def test_a_property_that_does_not_end_is_none() -> None:
    assert read_xmp(b"<dc:rights><rdf:li>" + b"a" * 1_000_000) == {}


def test_what_stands_outside_of_the_property_is_not_its() -> None:
    assert read_xmp(b"<dc:rights></dc:rights><rdf:li>no</rdf:li>") == {}
