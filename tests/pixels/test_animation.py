"""Animations: what a viewer shows at each moment does not change, whatever the disposal of the file's frames.

Pillow writes and reads the animations; each frame's picture is known.
"""

from io import BytesIO
from itertools import pairwise

import pytest
from PIL import Image, ImageSequence

from proxy.core.errors import LimitExceeded
from proxy.core.planning.limits import Limits
from proxy.core.planning.planner import PlanContext, resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.pixels.probe import probe
from proxy.pixels.render import render
from tests.pictures import BLUE, GREEN, RED, opened

SIDE = 48
DELAYS = [40, 50, 100, 1_000, 70]
CLEAR = (0, 0, 0, 0)
Shown = Image.Image


def moving(count: int = 5) -> list[Shown]:
    """Return a red square that moves over transparent ground: each frame differs from the last one in two places."""
    frames = []
    for at in range(count):
        frame = Image.new("RGBA", (SIDE, SIDE), CLEAR)
        frame.paste((*RED, 255), (at * 9, 12, at * 9 + 9, 36))
        frames.append(frame)
    return frames


def growing(count: int = 5) -> list[Shown]:
    """Return a blue ground on which green stripes accumulate: each frame only adds to the previous one."""
    frames = [Image.new("RGBA", (SIDE, SIDE), (*BLUE, 255))]
    for at in range(1, count):
        frame = frames[-1].copy()
        frame.paste((*GREEN, 255), (at * 8, 0, at * 8 + 4, SIDE))
        frames.append(frame)
    return frames


def written(frames: list[Shown], kind: str, **how: object) -> bytes:
    out = BytesIO()
    if kind == "WEBP":
        how = {"lossless": True} | how
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=DELAYS[: len(frames)], **how)
    return out.getvalue()


def made(body: bytes, recipe: str, limits: Limits | None = None) -> bytes:
    with opened(body) as fd:
        return render(fd, resolve_plan(parse(recipe), probe(fd), PlanContext(limits or Limits()))).body


def read(body: bytes) -> tuple[list[Shown], list[int], int | None]:
    """Return what is shown at each frame, the durations in ms, and the loop count in the file, if there is one."""
    with Image.open(BytesIO(body)) as image:
        frames, delays = [], []
        for frame in ImageSequence.Iterator(image):
            frames.append(frame.convert("RGBA"))
            delays.append(int(frame.info["duration"]))
        return frames, delays, image.info.get("loop")


def difference(first: Shown, second: Shown) -> float:
    """Return the mean difference of two pictures over black."""
    ground = Image.new("RGBA", first.size, (0, 0, 0, 255))
    pairs = zip(*(Image.alpha_composite(ground, each).tobytes() for each in (first, second)), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (len(first.tobytes()))


@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
@pytest.mark.parametrize("output", ["gif", "webp"])
def test_partial_frames_of_a_gif_are_put_together(disposal: int, output: str) -> None:
    """Kept, cleared or restored after each frame (GIF89a §23): only what is shown counts."""
    frames = growing() if disposal in (0, 1) else moving()
    body = written(frames, "GIF", disposal=disposal, loop=0, optimize=False)
    expected, _, _ = read(body)
    frames_out, delays, _ = read(made(body, f"lossless-{output}" if output == "webp" else output))
    assert len(frames_out) == len(frames)
    assert delays == DELAYS
    for frame_out, frame_in in zip(frames_out, expected, strict=True):
        assert difference(frame_out, frame_in) < 1


@pytest.mark.parametrize("output", ["gif", "webp"])
def test_partial_frames_of_a_webp_are_put_together(output: str) -> None:
    for frames in (growing(), moving()):
        body = written(frames, "WEBP", loop=0, minimize_size=True)
        frames_out, delays, _ = read(made(body, f"lossless-{output}" if output == "webp" else output))
        assert delays == DELAYS
        for frame_out, frame_in in zip(frames_out, frames, strict=True):
            assert difference(frame_out, frame_in) < 3  # a GIF's palette is of 256 colours


@pytest.mark.parametrize(("source", "output"), [("GIF", "webp"), ("WEBP", "gif"), ("GIF", "gif"), ("WEBP", "webp")])
@pytest.mark.parametrize("plays", [0, 1, 2, 7])
def test_it_plays_as_often_as_before(source: str, output: str, plays: int) -> None:
    """0 means forever. A GIF counts repeats, and has no loop extension for none; a WebP counts plays."""
    loop = {"loop": plays} if source == "WEBP" else {"loop": plays and plays - 1}
    body = written(growing(), source, **({} if plays == 1 and source == "GIF" else loop))
    _, _, loop_count = read(made(body, output))
    repeats = 0 if loop_count is None else loop_count + 1
    assert plays == (loop_count if output == "webp" else 0 if loop_count == 0 else max(1, repeats))


@pytest.mark.parametrize("output", ["gif", "webp"])
def test_a_smaller_animation_shows_the_same_without_bleeding(output: str) -> None:
    """Frames of strong colours: at half the size nothing of a neighbour is at the joint of two frames."""
    paints = [(255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (255, 255, 255, 255)]
    frames = [Image.new("RGBA", (SIDE, SIDE), paint) for paint in paints]
    frames_out, _, _ = read(
        made(written(frames, "GIF", loop=0), f"w24-q90-{output}" if output == "webp" else f"w24-{output}")
    )
    for frame, paint in zip(frames_out, paints, strict=True):
        assert frame.size == (24, 24)
        for y in (0, 12, 23):
            pixel = frame.getpixel((12, y))
            assert isinstance(pixel, tuple)
            assert max(abs(a - b) for a, b in zip(pixel, paint, strict=True)) <= 6


@pytest.mark.parametrize(
    "recipe", ["w24-h12-webp", "rot90-w24-webp", "flip-w24-webp", "pad4-bg102030-webp", "w24-blur1-gif"]
)
def test_every_frame_goes_through_every_step(recipe: str) -> None:
    frames_out, delays, _ = read(made(written(growing(), "GIF", loop=0), recipe))
    assert delays == DELAYS
    assert all(difference(first, second) > 0.5 for first, second in pairwise(frames_out))


@pytest.mark.parametrize("recipe", ["png", "webp", "w24-gif"])
def test_of_an_animated_png_the_first_frame_is_the_picture(recipe: str) -> None:
    frames = [Image.new("RGBA", (SIDE, SIDE), (*paint, 255)) for paint in (RED, GREEN, BLUE)]
    with Image.open(BytesIO(made(written(frames, "PNG"), recipe))) as image:
        assert getattr(image, "n_frames", 1) == 1
        frames_out = image.convert("RGBA")
    assert difference(frames_out, frames[0].resize(frames_out.size)) < 2


@pytest.mark.parametrize("gravity", ["smart", "entropy"])
def test_a_place_that_pixels_decide_is_one_for_all_frames(gravity: str) -> None:
    """A square walks over a ground of two halves: the ground stands still."""
    frames = []
    for at in range(5):
        frame = Image.new("RGBA", (96, 48), (*BLUE, 255))
        frame.paste((*GREEN, 255), (48, 0, 96, 48))
        frame.paste((*RED, 255), (at * 18, 18, at * 18 + 12, 30))
        frames.append(frame)
    frames_out, _, _ = read(made(written(frames, "GIF", loop=0), f"w48-h48-g{gravity}-lossless-webp"))
    tops = {
        bytes(frame.crop((0, 0, 48, 4)).convert("RGB").quantize(4).convert("RGB").tobytes()) for frame in frames_out
    }
    assert len(tops) == 1


def test_too_many_frames_or_pixels_are_refused_by_the_header() -> None:
    body = written(growing(), "GIF", loop=0)
    with pytest.raises(LimitExceeded, match="5 frames; the limit is 4"):
        made(body, "webp", Limits(source_frames=4))
    with pytest.raises(LimitExceeded, match=f"{5 * SIDE * SIDE} pixels in 5 frames"):
        made(body, "webp", Limits(animation_pixels=4 * SIDE * SIDE))
    with pytest.raises(LimitExceeded, match=f"{5 * SIDE * SIDE} pixels; the limit"):
        made(body, "webp", Limits(output_pixels=4 * SIDE * SIDE))
    assert made(body, "still-png", Limits(output_pixels=4 * SIDE * SIDE))
