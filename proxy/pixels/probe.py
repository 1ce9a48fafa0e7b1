"""Reads an original's header."""

import os

import pyvips

from proxy.core.errors import Damaged, NotAPicture
from proxy.core.facts import Facts
from proxy.core.formats import SNIFF_BYTES, sniff


def probe(fd: int) -> Facts:
    """Tell the facts."""
    kind = sniff(os.pread(fd, SNIFF_BYTES, 0))
    if kind is None:
        raise NotAPicture("The original is of no known kind.")
    try:
        image = pyvips.Image.new_from_source(pyvips.Source.new_from_descriptor(fd), "")
    except pyvips.Error as error:
        raise Damaged("The original's header cannot be read.") from error
    return Facts(kind, image.width, image.height, alpha=bool(image.hasalpha()))
