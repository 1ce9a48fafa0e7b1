"""How derivatives are written: lossless, progressive, budgets, targets, metadata. Pillow is the independent reader."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import PIL.ExifTags
import PIL.Image
import PIL.ImageCms
import pytest
import pyvips
from PIL.TiffImagePlugin import IFDRational

from proxy.core.errors import LimitExceeded
from proxy.core.media.derivative import Derivative
from proxy.core.planning.planner import PlanContext, resolve_plan
from proxy.core.planning.rendering_options import RenderingOptions
from proxy.core.recipe.grammar import parse
from proxy.pixels.probe import probe
from proxy.pixels.quality import analyse, score
from proxy.pixels.render import render
from proxy.pixels.scenes import dunes
from tests.pictures import opened, quadrants

NOISE = pyvips.Image.gaussnoise(200, 150, mean=128, sigma=40, seed=1)
NOISY = NOISE.bandjoin([NOISE.rot180(), NOISE.fliphor()]).cast("uchar").copy(interpretation="srgb")
PHOTO = dunes(600, 400)
GRAINY = pyvips.Image.new_from_buffer(PHOTO, "") + (NOISE.resize(4).crop(0, 0, 600, 400) - 128) * 0.5


def made(body: bytes, recipe: str) -> Derivative:
    """Render a picture."""
    with opened(body) as fd:
        return render(fd, resolve_plan(parse(recipe), probe(fd)))


@pytest.fixture(autouse=True)
def tiff() -> Iterator[None]:
    """Let this process read back what it wrote."""
    pyvips.operation_block_set("VipsForeignLoadTiff", False)
    yield
    pyvips.operation_block_set("VipsForeignLoadTiff", True)


@pytest.mark.parametrize("recipe", ["lossless-webp", "lossless-avif", "png", "tiff"])
def test_lossless_is_without_any_loss(recipe: str) -> None:
    body = made(NOISY.pngsave_buffer(), recipe).body
    picture = pyvips.Image.new_from_buffer(body, "").colourspace("srgb")
    assert (picture - NOISY).abs().max() == 0


@pytest.mark.parametrize(("recipe", "word"), [("prog-jpeg", "progressive"), ("prog-png", "interlace")])
def test_progressive_is_what_a_reader_sees(recipe: str, word: str) -> None:
    plain, progressive = (PIL.Image.open(io.BytesIO(made(PHOTO, one).body)) for one in (recipe[5:], recipe))
    assert progressive.info.get(word)
    assert not plain.info.get(word)


@pytest.mark.parametrize("suffix", ["jpeg", "webp", "avif"])
@pytest.mark.parametrize("budget", [4, 12])
def test_a_budget_is_kept_and_used(suffix: str, budget: int) -> None:
    """The body fits, and a larger budget does not lead to a smaller body."""
    smaller, larger = made(PHOTO, f"max{budget}k-{suffix}"), made(PHOTO, f"max{3 * budget}k-{suffix}")
    assert len(smaller.body) <= budget * 1_024
    assert len(smaller.body) <= len(larger.body) <= 3 * budget * 1_024


@pytest.mark.parametrize("suffix", ["jpeg", "webp", "avif"])
def test_no_higher_quality_would_fit_into_a_budget(suffix: str) -> None:
    original = GRAINY.cast("uchar").pngsave_buffer()
    budget = 14 * 1_024
    used = len(made(original, f"max14k-{suffix}").body)
    others = [len(made(original, f"q{quality}-{suffix}").body) for quality in range(5, 97, 3)]
    assert max((size for size in others if size <= budget), default=0) <= used <= budget


def test_a_large_picture_s_budget_is_used_but_for_a_step_or_two() -> None:
    original = GRAINY.cast("uchar").replicate(3, 3).pngsave_buffer()
    budget = 150 * 1_024
    assert 0.85 * budget <= len(made(original, "max150k-jpeg").body) <= budget


def test_a_budget_that_nothing_fits_is_refused_with_the_smallest_there_is() -> None:
    with pytest.raises(LimitExceeded, match=r"The picture has \d+ bytes at the lowest quality; the budget is 1024"):
        made(NOISY.resize(4).pngsave_buffer(), "max1k-jpeg")


@pytest.mark.parametrize("suffix", ["jpeg", "webp", "avif"])
def test_targets_are_hit_and_no_more_than_that(suffix: str) -> None:
    """Each look scores as it should; the next step of quality below would not."""
    original = GRAINY.cast("uchar").pngsave_buffer()
    reference = analyse(pyvips.Image.new_from_buffer(made(original, "w400-png").body, ""))
    sizes = []
    for word, target in (("low", 50), ("good", 70), ("best", 85)):
        body = made(original, f"w400-q{word}-{suffix}").body
        sizes.append(len(body))
        assert target - 0.5 <= score(reference, analyse(pyvips.Image.new_from_buffer(body, ""))) <= target + 5
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("size", [(1, 1), (2, 40), (15, 15), (16, 16), (17, 300)])
def test_a_picture_of_any_size_has_its_target(size: tuple[int, int]) -> None:
    picture = made(NOISY.resize(2).crop(0, 0, *size).pngsave_buffer(), "qgood-webp")
    assert (picture.width, picture.height) == size


def test_a_target_asks_more_of_a_picture_that_shows_more() -> None:
    """The same look takes a flat sky fewer bits of quality than noise."""
    flat = pyvips.Image.black(300, 200, bands=3).linear(1, [90, 130, 200]).cast("uchar").copy(interpretation="srgb")
    sizes = [len(made(one.pngsave_buffer(), "qgood-jpeg").body) for one in (flat, NOISY)]
    assert sizes[0] * 5 < sizes[1]


def original_with_metadata() -> bytes:
    """Return a rotated picture with copyright, artist, camera and position."""
    picture = pyvips.Image.new_from_buffer(quadrants(64, 48, 6, ".jpg"), "").copy()
    for name, value in (
        ("exif-ifd0-Copyright", "(c) Anna Beispiel"),
        ("exif-ifd0-Artist", "Anna Beispiel"),
        ("exif-ifd0-Model", "Kamera 1"),
        ("exif-ifd3-GPSLatitude", "47/1 22/1 0/1"),
        ("exif-ifd3-GPSLatitudeRef", "N"),
    ):
        picture.set_type(pyvips.GValue.gstr_type, name, value)
    picture.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta exif:GPSLatitude='47,22N'/>")
    body: bytes = picture.jpegsave_buffer(Q=95)
    return body


def exif(body: bytes) -> dict[str, object]:
    """Read EXIF with Pillow: names of the first directory, and GPS."""
    block = PIL.Image.open(io.BytesIO(body)).getexif()
    fields = {PIL.ExifTags.TAGS.get(tag, str(tag)): value for tag, value in block.items()}
    return fields | {"GPS": dict(block.get_ifd(PIL.ExifTags.IFD.GPSInfo))}


def test_the_original_tells_it_all() -> None:
    fields = exif(original_with_metadata())
    assert fields["GPS"]
    assert fields["Model"] == "Kamera 1"
    assert b"GPSLatitude" in original_with_metadata()


@pytest.mark.parametrize("suffix", ["jpeg", "webp", "png", "avif", "tiff"])
def test_only_the_rights_leave(suffix: str) -> None:
    body = made(original_with_metadata(), f"w32-{suffix}").body
    fields = exif(body)
    assert str(fields["Copyright"]).strip() == "(c) Anna Beispiel"
    assert str(fields["Artist"]).strip() == "Anna Beispiel"
    assert "Model" not in fields
    assert fields["GPS"] == {}
    assert fields.get("Orientation", 1) == 1
    assert b"xmpmeta" not in body


@pytest.mark.parametrize("suffix", ["jpeg", "webp", "png", "avif"])
def test_keep_keeps_all_but_the_place(suffix: str) -> None:
    body = made(original_with_metadata(), f"w32-keep-{suffix}").body
    fields = exif(body)
    assert str(fields["Model"]).strip() == "Kamera 1"
    assert fields["GPS"] == {}
    assert fields.get("Orientation", 1) == 1
    assert b"GPSLatitude" not in body


def test_a_picture_without_rights_has_no_metadata_at_all() -> None:
    body = made(quadrants(64, 48, 1, ".jpg"), "w32-jpeg").body
    assert b"Exif" not in body


@pytest.mark.parametrize(("recipe", "size"), [("blurhash", 28), ("w10-h30-blurhash", 28)])
def test_a_blurhash_is_text(recipe: str, size: int) -> None:
    answer = made(PHOTO, recipe)
    assert len(answer.body) == size
    assert answer.format.name == "blurhash"


def test_a_thumbhash_tells_transparency() -> None:
    clear = NOISY.bandjoin(pyvips.Image.black(200, 150)).pngsave_buffer()
    assert made(clear, "thumbhash").body != made(NOISY.pngsave_buffer(), "thumbhash").body


@pytest.mark.parametrize(("suffix", "options"), [("jpeg", {"Q": 40}), ("webp", {"Q": 40}), ("gif", {"effort": 10})])
def test_nothing_grows_for_nothing(suffix: str, options: dict[str, int]) -> None:
    """NegotiationHeaders for as it is, it is not larger than it was, and its pixels are its own."""
    body = GRAINY.cast("uchar").write_to_buffer(f".{'jpg' if suffix == 'jpeg' else suffix}", **options)
    for recipe in (suffix, f"dl-{suffix}"):
        answer = made(body, recipe).body
        assert len(answer) <= len(body)
        assert (pyvips.Image.new_from_buffer(answer, "") - pyvips.Image.new_from_buffer(body, "")).abs().max() == 0
    assert made(body, f"w599-{suffix}").body != made(body, suffix).body


def test_a_png_fits_into_a_budget_by_a_palette_where_it_has_to() -> None:
    body = GRAINY.cast("uchar").pngsave_buffer()
    whole = made(body, "w200-png").body
    assert made(body, "w200-max900k-png").body == whole
    fitted = made(body, "w200-max20k").body
    assert len(fitted) <= 20 * 1024 < len(whole)
    assert PIL.Image.open(io.BytesIO(fitted)).mode == "P"
    with pytest.raises(LimitExceeded, match="the budget is 1024"):
        made(body, "w400-max1k-png")


def test_an_original_that_lies_on_its_side_is_written_anew() -> None:
    body = quadrants(64, 48, 6, ".jpg")
    picture = PIL.Image.open(io.BytesIO(made(body, "jpeg").body))
    assert picture.size == (64, 48)
    assert picture.getexif().get(274, 1) == 1


def test_too_much_metadata_stays_behind() -> None:
    picture = GRAINY.cast("uchar").crop(0, 0, 50, 50).copy()
    picture.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta>" + b"a" * 200_000 + b"</x:xmpmeta>")
    assert len(made(picture.pngsave_buffer(), "w20-keep-webp").body) < 65_536


@pytest.mark.parametrize(
    "place",
    [
        b"<ps:City>Oz</ps:City>",
        b"<photoshop:Country>Oz</photoshop:Country>",
        b"<a gps='1'/>",
        b"<rdf:Description hdrgm:Version='1.0'/>",
        b"<Item:Semantic>GainMap</Item:Semantic>",
    ],
)
def test_xmp_that_tells_a_place_or_of_a_gain_map_stays_behind(place: bytes) -> None:
    picture = GRAINY.cast("uchar").crop(0, 0, 50, 50).copy()
    picture.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta><b>kept</b>" + place + b"</x:xmpmeta>")
    assert b"xmpmeta" not in made(picture.jpegsave_buffer(), "w20-keep-jpeg").body
    picture.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta><b>kept</b></x:xmpmeta>")
    assert b"<b>kept</b>" in made(picture.jpegsave_buffer(), "w20-keep-jpeg").body


@pytest.mark.parametrize("dataset", [26, 27, 90, 92, 95, 100, 101])
def test_iptc_that_tells_a_place_stays_behind(dataset: int) -> None:
    for number, leaves in ((dataset, False), (120, True)):
        block = bytes((0x1C, 2, number, 0, 6)) + b"Secret"
        body = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + len(block).to_bytes(4, "big") + block + bytes(len(block) % 2)
        picture = GRAINY.cast("uchar").crop(0, 0, 50, 50).copy()
        picture.set_type(pyvips.GValue.blob_type, "iptc-data", body)
        assert (b"Secret" in made(picture.jpegsave_buffer(), "w20-keep-jpeg").body) is leaves


WRITTEN = ["jpeg", "webp", "png", "avif", "tiff"]
COPYRIGHT, ARTIST = 0x8298, 0x013B


def rights(body: bytes) -> tuple[str, str]:
    """Read copyright and artist with Pillow, which takes each byte for a character."""
    fields = PIL.Image.open(io.BytesIO(body)).getexif()
    copyright_text, artist = (str(fields.get(tag, "")).encode("latin-1").decode() for tag in (COPYRIGHT, ARTIST))
    return copyright_text, artist


NAMES = ["Jane Doe (Studio X)", "2020 Foo (foo.com)", "plain", "© Jörg 2026 (a) (b)", "©山田", "©X"]
RECIPES = [f"{recipe}-{suffix}" for suffix in WRITTEN for recipe in ("w20", "w20-keep")]


@pytest.mark.parametrize("recipe", [*RECIPES, "w20-max9k-jpeg", "w20-max9k-png"])
@pytest.mark.parametrize("text", NAMES)
def test_rights_come_out_as_they_went_in(recipe: str, text: str) -> None:
    exif_in = PIL.Image.Exif()
    exif_in[COPYRIGHT], exif_in[ARTIST] = text.encode(), "Zoë".encode()
    source = io.BytesIO()
    PIL.Image.new("RGB", (40, 30)).save(source, "JPEG", exif=exif_in.tobytes())
    body = made(source.getvalue(), recipe).body
    assert rights(body) == (text, "Zoë")
    assert pyvips.Image.new_from_buffer(body, "", fail_on="warning").avg() < 1  # PNG's checksums are right as well


@pytest.mark.parametrize("suffix", WRITTEN)
def test_rights_that_only_iptc_tells_go_along(suffix: str) -> None:
    datasets = b"".join(
        bytes((0x1C, 2, number)) + len(text.encode()).to_bytes(2, "big") + text.encode()
        for number, text in ((80, "Zoë Doe"), (80, "Second"), (116, "© Agency"), (90, "Oz"))
    )
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + len(datasets).to_bytes(4, "big") + datasets
    picture = GRAINY.cast("uchar").crop(0, 0, 50, 50).copy()
    picture.set_type(pyvips.GValue.blob_type, "iptc-data", block + bytes(len(datasets) % 2))
    body = made(picture.jpegsave_buffer(), f"w20-{suffix}").body
    assert rights(body) == ("© Agency", "Zoë Doe")
    assert b"Second" not in body


XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© A &amp; B</rdf:li>
<rdf:li xml:lang="de">C</rdf:li></rdf:Alt></dc:rights>
<dc:creator><rdf:Seq><rdf:li>Zoë</rdf:li><rdf:li>Jane</rdf:li></rdf:Seq></dc:creator>
<photoshop:City>Oz</photoshop:City></rdf:Description></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize("suffix", WRITTEN)
def test_rights_that_only_xmp_tells_go_along(suffix: str) -> None:
    picture = GRAINY.cast("uchar").crop(0, 0, 50, 50).copy()
    picture.set_type(pyvips.GValue.blob_type, "xmp-data", XMP.encode())
    body = made(picture.pngsave_buffer(), f"w20-{suffix}").body
    assert rights(body) == ("© A & B", "Zoë; Jane")
    assert b"xmpmeta" not in body


def test_what_exif_says_counts_before_what_iptc_and_xmp_say() -> None:
    picture = pyvips.Image.new_from_buffer(original_with_metadata(), "").copy()
    picture.set_type(pyvips.GValue.blob_type, "xmp-data", XMP.encode())
    assert rights(made(picture.jpegsave_buffer(), "w20-jpeg").body) == ("(c) Anna Beispiel", "Anna Beispiel")


def exif_of(fields: Mapping[int, object], sub: Mapping[Any, object] | None = None) -> bytes:
    """Write a JPEG with these EXIF fields, and these of the second directory."""
    exif_in = PIL.Image.Exif()
    for tag, value in fields.items():
        exif_in[tag] = value
    for tag, value in (sub or {}).items():
        exif_in.get_ifd(PIL.ExifTags.IFD.Exif)[tag] = value
    written = io.BytesIO()
    PIL.Image.new("RGB", (40, 30)).save(written, "JPEG", exif=exif_in.tobytes())
    return written.getvalue()


@pytest.mark.parametrize("suffix", ["jpeg", "webp", "png", "avif"])
def test_kept_numbers_are_what_they_were(suffix: str) -> None:
    base = PIL.ExifTags.Base
    rationals = {base.ExposureTime: (1, 125), base.FNumber: (28, 10), base.FocalLength: (71, 2)}
    numbers = {tag: IFDRational(*parts) for tag, parts in rationals.items()} | {base.ISOSpeedRatings: 400}
    body = made(exif_of({COPYRIGHT: "© Zoë".encode(), base.Make: "Kamera (X)"}, numbers), f"w20-keep-{suffix}").body
    fields = PIL.Image.open(io.BytesIO(body)).getexif()
    assert rights(body)[0] == "© Zoë"
    assert fields[base.Make] == "Kamera (X)"
    photo = fields.get_ifd(PIL.ExifTags.IFD.Exif)
    assert {tag: photo[tag] for tag in numbers} == numbers


def test_control_characters_are_dropped() -> None:
    software = PIL.ExifTags.Base.Software
    for number in range(1, 32):
        body = made(exif_of({COPYRIGHT: "© Ann".encode(), software: chr(number) * 30 + "X"}), "w20-keep-jpeg").body
        assert rights(body)[0] == "© Ann"
        assert str(PIL.Image.open(io.BytesIO(body)).getexif().get(software, "X")).strip("\0") in ("X", "")


def test_rights_in_latin_1_and_of_two_are_read() -> None:
    assert rights(made(exif_of({COPYRIGHT: b"\xa9 J\xf6rg"}), "w20-jpeg").body)[0] == "© Jörg"
    assert rights(made(exif_of({COPYRIGHT: b"Photo G\0Editor E"}), "w20-jpeg").body)[0] == "Photo G"


def test_a_profile_that_is_not_written_is_not_told_of() -> None:
    """A tenant that keeps wide colours, and a picture that has none."""
    picture = PIL.Image.new("RGB", (40, 30))
    exif_in, written = PIL.Image.Exif(), io.BytesIO()
    exif_in[COPYRIGHT] = "Ann"
    srgb = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    picture.save(written, "JPEG", exif=exif_in.tobytes(), icc_profile=srgb)
    with opened(written.getvalue()) as fd:
        plan = resolve_plan(parse("w20-jpeg"), probe(fd), PlanContext(rendering=RenderingOptions(wide_gamut=True)))
        answer = PIL.Image.open(io.BytesIO(render(fd, plan).body))
    assert "icc_profile" not in answer.info
    assert answer.getexif().get_ifd(PIL.ExifTags.IFD.Exif)[PIL.ExifTags.Base.ColorSpace] == 1
