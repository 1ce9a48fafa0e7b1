"""Faces, by OpenCV's cascade classifier (Viola and Jones, 2001; the model is part of the opencv-python wheel).

It finds faces that look at the camera. A picture is looked at with 480 pixels on its longest side: faces smaller than a
twentieth of that are not what a crop is about.
"""

from typing import Any

import pyvips

from proxy.core.geometry import Box, Size

_LOOKED_AT = 480
_SMALLEST = 24
_STEP, _NEIGHBOURS = 1.1, 3
_model: list[Any] = []


class NoDetector(Exception):
    """Faces are asked for, and there is no detector; the message says what to install."""


def enlist() -> None:
    """Load the detector; NoDetector where it is not installed."""
    try:
        import cv2  # noqa: PLC0415 - an extra, and 20 MB of memory
    except ImportError as error:
        told = f"DARKROOM_FACES is on, and there is no OpenCV ({error}): pip install '.[faces]' in Darkroom's folder"
        raise NoDetector(told) from error
    cv2.setNumThreads(1)
    model = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")
    if model.empty():
        raise NoDetector("OpenCV has no model for faces: pip install --force-reinstall 'opencv-python-headless<5'")
    _model[:] = [model]


def place(image: pyvips.Image, kept: Size) -> Box | None:
    """Put a crop of this size where the faces are: around all of them, or the largest alone; None where there is none.

    `image` is in memory, sRGB or grey.
    """
    faces = find_faces(image)
    if not faces:
        return None
    left, top = min(one.left for one in faces), min(one.top for one in faces)
    right, bottom = max(one.left + one.width for one in faces), max(one.top + one.height for one in faces)
    around = Box(left, top, right - left, bottom - top)
    if around.width > kept.width or around.height > kept.height:
        around = max(faces, key=lambda one: one.width * one.height)
    return Box(
        _within(around.left + around.width // 2 - kept.width // 2, image.width - kept.width),
        _within(around.top + around.height // 2 - kept.height // 2, image.height - kept.height),
        kept.width,
        kept.height,
    )


def find_faces(image: pyvips.Image) -> list[Box]:
    """Give a box around each face."""
    import numpy as np  # noqa: PLC0415 - comes with OpenCV

    grey = (image.flatten(background=255) if image.hasalpha() else image).colourspace("b-w")
    scale = min(1.0, _LOOKED_AT / max(grey.width, grey.height))
    small = grey.resize(scale).cast("uchar") if scale < 1 else grey
    pixels = np.frombuffer(small.write_to_memory(), dtype=np.uint8).reshape(small.height, small.width)
    found = _model[0].detectMultiScale(pixels, _STEP, _NEIGHBOURS, minSize=(_SMALLEST, _SMALLEST))
    return [Box(*(round(int(side) / scale) for side in one)) for one in found]


def _within(at: int, most: int) -> int:
    return min(max(at, 0), most)
