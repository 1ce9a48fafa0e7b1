"""Pieces of a file: how what reads headers is given bytes, and nothing else of the file."""

from collections.abc import Callable

Read = Callable[[int, int], bytes]
"""Give so many bytes from an offset; fewer at the end, none beyond it, however far."""
