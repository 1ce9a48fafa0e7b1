"""Examination: one decode to the end, and what it tells of images that were made on purpose."""

import json

import pytest
import pyvips

from proxy.core.errors import CorruptImage, UnsupportedFormat
from proxy.core.media.examination import Examination
from proxy.core.media.perceptual_hash import distance
from proxy.pixels.examine import examine
from proxy.pixels.scenes import dunes
from tests.pictures import opened


def examined(body: bytes) -> Examination:
    with opened(body) as fd:
        return examine(fd)


@pytest.fixture(scope="module")
def scene() -> pyvips.Image:
    """Return a drawn landscape of 1600×1067 with texture, so that there is sharpness to lose."""
    picture = pyvips.Image.new_from_buffer(dunes(1600, 1067), "").copy_memory()
    texture = pyvips.Image.perlin(1600, 1067, cell_size=6, seed=5).linear(12, 0)
    return (picture + texture).cast("uchar").copy(interpretation="srgb").copy_memory()


def test_everything_is_told_of_a_photograph(scene: pyvips.Image) -> None:
    found = examined(scene.jpegsave_buffer(Q=90))
    assert (found.facts.width, found.facts.height, found.failed) == (1600, 1067, ())
    assert found.color is not None
    assert 1 <= len(found.colors) <= 5
    assert found.thumbhash is not None
    assert found.phash is not None
    assert found.quality is not None
    assert found.details is not None


def test_what_is_done_to_an_image_shows_in_its_quality(scene: pyvips.Image) -> None:
    def quality(image: pyvips.Image, suffix: str = ".png") -> dict[str, float]:
        found = examined(image.write_to_buffer(suffix)).quality
        assert found is not None
        return {"score": found.score, "sharpness": found.sharpness, "exposure": found.exposure, "noise": found.noise,
                "contrast": found.contrast, "resolution": found.resolution}  # fmt: skip

    whole = quality(scene)
    noise = pyvips.Image.gaussnoise(1600, 1067, mean=0, sigma=30, seed=1)
    assert quality(scene.gaussblur(6))["sharpness"] < 0.5 * whole["sharpness"]
    assert quality(scene.linear(0.15, 0).cast("uchar"))["exposure"] < 0.5 * whole["exposure"]
    assert quality(scene.linear(0.2, 200).cast("uchar"))["exposure"] < 0.6 * whole["exposure"]
    assert quality(scene.linear(0.1, 110).cast("uchar"))["contrast"] < 0.3 * whole["contrast"]
    assert quality(scene.resize(0.25))["resolution"] < 0.2 * whole["resolution"]
    assert quality((scene + noise).cast("uchar"))["noise"] < whole["noise"]
    for worse in (scene.gaussblur(6), scene.linear(0.15, 0).cast("uchar"), scene.resize(0.2)):
        assert quality(worse)["score"] < whole["score"]


def test_copies_look_alike_and_others_do_not(scene: pyvips.Image) -> None:
    def hash_of(image: pyvips.Image, suffix: str = ".png", **options: int) -> str:
        digits = examined(image.write_to_buffer(suffix, **options)).phash
        assert digits is not None
        return digits

    first = hash_of(scene)
    assert distance(first, hash_of(scene.resize(0.3))) <= 6
    assert distance(first, hash_of(scene, ".jpg", Q=50)) <= 6
    assert distance(first, hash_of(scene.linear(1, 10).cast("uchar"))) <= 6
    assert distance(first, hash_of(scene.rot90())) >= 12


def test_colours_are_the_images_own() -> None:
    left = pyvips.Image.black(300, 200, bands=3).linear(1, [200, 30, 40])
    right = pyvips.Image.black(100, 200, bands=3).linear(1, [10, 60, 220])
    image = left.join(right, "horizontal").cast("uchar").copy(interpretation="srgb")
    found = examined(image.pngsave_buffer())
    expected = ((0xC8, 0x1E, 0x28), (0x0A, 0x3C, 0xDC))
    for color, levels in zip(found.colors, expected, strict=True):  # the edge between them mixes in a level
        assert all(abs(mine - its) <= 1 for mine, its in zip(bytes.fromhex(color[1:]), levels, strict=True))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".gif", ".avif"])
def test_what_ends_early_is_no_image(scene: pyvips.Image, suffix: str) -> None:
    """The last kilobyte is missing: only a decode to the end can know."""
    body = scene.resize(0.5).write_to_buffer(suffix)
    assert examined(body).facts.width == 800
    with pytest.raises(CorruptImage):
        examined(body[:-1_000])


def test_an_animation_is_decoded_to_its_last_frame(scene: pyvips.Image) -> None:
    frames = [scene.resize(0.1).linear(1, 20 * number).cast("uchar") for number in range(4)]
    joined = pyvips.Image.arrayjoin(frames, across=1).copy()
    joined.set_type(pyvips.GValue.gint_type, "page-height", frames[0].height)
    body = joined.gifsave_buffer()
    assert examined(body).facts.frames == 4
    with pytest.raises(CorruptImage):
        examined(body[: len(body) * 3 // 4])


def test_small_grey_transparent_and_turned_images_are_examined(scene: pyvips.Image) -> None:
    tiny = scene.resize(0.001)
    for image in (tiny, scene.colourspace("b-w").resize(0.1), scene.resize(0.1).bandjoin(128)):
        found = examined(image.pngsave_buffer())
        assert found.failed == ()
        assert found.thumbhash is not None
    turned = scene.resize(0.2).copy()
    turned.set_type(pyvips.GValue.gint_type, "orientation", 6)
    upright, stored = (
        examined(turned.jpegsave_buffer()),
        examined(scene.resize(0.2).jpegsave_buffer()),
    )
    assert upright.phash is not None
    assert stored.phash is not None
    assert distance(upright.phash, stored.phash) >= 12


def test_details_come_from_the_metadata(scene: pyvips.Image) -> None:
    image = scene.resize(0.1).copy()
    fields = {"0-Make": "Leica", "0-Model": "M11", "2-DateTimeOriginal": "2026:11:24 12:00:00", "0-Copyright": "Ada"}
    for name, value in fields.items():
        image.set_type(pyvips.GValue.gstr_type, f"exif-ifd{name}", value)
    details = examined(image.jpegsave_buffer()).details
    assert details is not None
    assert (details.camera, details.taken_at, details.copyright) == ("Leica M11", "2026-11-24T12:00:00+00:00", "Ada")


def test_details_come_from_xmp_and_iptc_too(scene: pyvips.Image) -> None:
    image = scene.resize(0.1).copy()
    xmp = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>
    <rdf:Description photoshop:DateCreated="2026-11-24T12:00:00Z">
    <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Blue chair</rdf:li></rdf:Alt></dc:title>
    <dc:rights><rdf:Alt><rdf:li>Ada</rdf:li></rdf:Alt></dc:rights></rdf:Description></rdf:RDF></x:xmpmeta>"""
    image.set_type(pyvips.GValue.blob_type, "xmp-data", xmp)
    for suffix in (".jpg", ".png", ".webp"):
        details = examined(image.write_to_buffer(suffix)).details
        assert details is not None
        assert (details.title, details.copyright) == ("Blue chair", "Ada"), suffix
        assert details.taken_at == "2026-11-24T12:00:00+00:00", suffix


def test_serial_numbers_and_owners_of_cameras_are_never_told(scene: pyvips.Image) -> None:
    image = scene.resize(0.1).copy()
    fields = {"2-BodySerialNumber": "SERIAL1", "2-LensSerialNumber": "SERIAL2", "2-CameraOwnerName": "SERIAL3",
              "2-ImageUniqueID": "SERIAL4", "2-MakerNote": "SERIAL5", "0-Model": "M11"}  # fmt: skip
    for name, value in fields.items():
        image.set_type(pyvips.GValue.gstr_type, f"exif-ifd{name}", value)
    body = image.jpegsave_buffer()
    assert b"SERIAL1" in body
    assert b"SERIAL2" in body
    assert "SERIAL" not in json.dumps(examined(body).to_dict())


def test_other_bytes_are_no_image() -> None:
    for body in (b"", b"nonsense", b"\xff\xd8\xff\xe0" + b"x" * 100):
        with pytest.raises((UnsupportedFormat, CorruptImage)):
            examined(body)
