"""Recognition of SVG documents: the XML prolog is skipped, then the root element must be `svg`.

Theory. The bytes are foreign and the check runs on the event loop, so it has to be linear. The scan keeps one position
that only moves forward: every construct of the prolog is searched for its end once, from that position, and a construct
without an end makes the rest of the bytes irrelevant. No regular expression is involved, hence nothing can backtrack.

Source: XML 1.0 §2.8 (prolog, document type declaration) and §2.5 (comments).
"""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WHITE_SPACE = b" \t\r\n"
_ROOTS = tuple(b"<svg" + bytes((end,)) for end in (*_WHITE_SPACE, *b">/"))


def is_svg(head: bytes) -> bool:
    """Return True if the XML document that begins with `head` has the root element `svg`.

    A byte order mark, white space, an XML declaration, comments and document type declarations may precede the root.
    """
    at = _skip_white_space(head, len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0)
    if head.startswith(b"<?xml", at):
        at = _skip_past(head, b">", at)
    while True:
        if head.startswith(b"<!--", at):
            at = _skip_past(head, b"-->", at + len(b"<!--"))
        elif head.startswith(b"<!DOCTYPE", at):
            at = _skip_doctype(head, at)
        else:
            return head.startswith(_ROOTS, at)


def _skip_doctype(head: bytes, at: int) -> int:
    """Return the position behind a document type declaration; its internal subset in brackets may contain `>`."""
    end = head.find(b">", at)
    if end < 0:
        return len(head)
    subset = head.find(b"[", at, end)
    if subset < 0:
        return _skip_white_space(head, end + 1)
    at = _skip_past(head, b"]", subset)
    return _skip_white_space(head, at + 1) if head.startswith(b">", at) else len(head)


def _skip_past(head: bytes, mark: bytes, at: int) -> int:
    """Return the position behind the next `mark` and the white space that follows, or the end if there is no mark."""
    position = head.find(mark, at)
    return len(head) if position < 0 else _skip_white_space(head, position + len(mark))


def _skip_white_space(head: bytes, at: int) -> int:
    while at < len(head) and head[at] in _WHITE_SPACE:
        at += 1
    return at
