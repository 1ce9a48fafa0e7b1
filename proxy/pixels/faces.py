"""Face detection, by OpenCV's cascade classifier (Viola and Jones, 2001; the model is part of the opencv-python wheel).

It detects frontal faces. The picture is reduced to 480 pixels on its longest side: smaller faces than a twentieth of it
do not matter for a crop.
"""

from importlib.metadata import version as distribution_version
from typing import Any

import pyvips

from proxy.core.geometry import Box, Size

_DETECTION_SIDE = 480
_MIN_FACE_SIDE = 24
_SCALE_STEP, _MIN_NEIGHBOURS = 1.1, 3
_DISTRIBUTION = "opencv-python-headless"
_model: list[Any] = []


class NoDetector(Exception):
    """Face detection is enabled, but no detector is installed; the message says what to install."""


def enable() -> None:
    """Load the detector. Raise NoDetector if it is not installed."""
    try:
        import cv2  # noqa: PLC0415 - an extra, and 20 MB of memory
    except ImportError as error:
        raise NoDetector(
            f"DARKROOM_FACES is on, but OpenCV is not installed ({error}): "
            "run pip install '.[faces]' in Darkroom's folder"
        ) from error
    cv2.setNumThreads(1)
    model = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")
    if model.empty():
        raise NoDetector("OpenCV lacks the model for faces: pip install --force-reinstall 'opencv-python-headless<5'")
    _model[:] = [model]


def version() -> str:
    """Return name and version of the installed detector."""
    return f"{_DISTRIBUTION}={distribution_version(_DISTRIBUTION)}"


def place_crop(image: pyvips.Image, size: Size) -> Box | None:
    """Return a crop of this size around all faces, or around the largest one if they do not fit; None without faces.

    `image` is in memory, sRGB or grey.
    """
    faces = find_faces(image)
    if not faces:
        return None
    left, top = min(face.left for face in faces), min(face.top for face in faces)
    right, bottom = max(face.left + face.width for face in faces), max(face.top + face.height for face in faces)
    around = Box(left, top, right - left, bottom - top)
    if around.width > size.width or around.height > size.height:
        around = max(faces, key=lambda face: face.width * face.height)
    return Box(
        _within(around.left + around.width // 2 - size.width // 2, image.width - size.width),
        _within(around.top + around.height // 2 - size.height // 2, image.height - size.height),
        size.width,
        size.height,
    )


def find_faces(image: pyvips.Image) -> list[Box]:
    """Return a box around each face."""
    import numpy as np  # noqa: PLC0415 - comes with OpenCV

    grey = (image.flatten(background=255) if image.hasalpha() else image).colourspace("b-w")
    scale = min(1.0, _DETECTION_SIDE / max(grey.width, grey.height))
    small = grey.resize(scale).cast("uchar") if scale < 1 else grey
    pixels = np.frombuffer(small.write_to_memory(), dtype=np.uint8).reshape(small.height, small.width)
    min_size = (_MIN_FACE_SIDE, _MIN_FACE_SIDE)
    boxes = _model[0].detectMultiScale(pixels, _SCALE_STEP, _MIN_NEIGHBOURS, minSize=min_size)
    return [Box(*(round(int(number) / scale) for number in box)) for box in boxes]


def _within(start: int, maximum: int) -> int:
    return min(max(start, 0), maximum)
