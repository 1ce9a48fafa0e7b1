"""The fault of a search: where it is, and what was expected there."""

from catalog.core.api_errors import InvalidRequest

_EXCERPT: int = 160


class SearchFault(InvalidRequest):
    """The text is not a search. `start` and `length` locate the fault, in characters."""

    code = "search"
    title = "Search not understood"

    def __init__(self, text: str, start: int, length: int, reason: str) -> None:
        super().__init__(reason)
        self.text = text
        self.start = start
        self.length = max(1, length)

    @property
    def underlined(self) -> str:
        """The search and, in a second line, carets below the fault; at most 160 characters of the search."""
        first = max(0, min(self.start - _EXCERPT // 2, len(self.text) - _EXCERPT))
        excerpt = "".join(c if c.isprintable() else " " for c in self.text[first : first + _EXCERPT])
        carets = "^" * min(self.length, _EXCERPT)
        return f"{excerpt}\n{' ' * (self.start - first)}{carets}"[: 2 * _EXCERPT + 1]

    def members(self) -> dict[str, str | int]:
        """Return the location of the fault."""
        return {"at": self.start, "fault": self.underlined}
