"""Random access to the bytes of a file, for readers of headers."""

from collections.abc import Callable

Read = Callable[[int, int], bytes]
"""Return `size` bytes from `offset`, `Read(offset, size)`: fewer at the end of the file, none beyond it."""
