"""PDF, by pypdfium2: pages drawn on white, one pixel a point (1/72 inch) before any scaling, as libvips does."""

import pypdfium2
import pyvips

from proxy.core.errors import LimitExceeded
from proxy.core.media.facts import Facts
from proxy.core.media.formats import PDF
from proxy.pixels.extras.pixels import picture


def facts(body: bytes, page: int) -> Facts:
    """Tell how many pages there are, and how large one is."""
    with pypdfium2.PdfDocument(body) as document:
        pages = len(document)
        if page >= pages:
            raise LimitExceeded(f"Page {page + 1} is asked for; the original has {pages}.")
        width, height = document[page].get_size()
        return Facts(PDF, max(1, round(width)), max(1, round(height)), frames=pages, page=page)


def load(body: bytes, page: int, scale: float) -> pyvips.Image:
    """Draw one page; what only a reader's program would show (forms, notes) is left out, and no script runs."""
    with pypdfium2.PdfDocument(body) as document:
        drawn = document[page].render(scale=scale, rev_byteorder=True, may_draw_forms=False, draw_annots=False)
        return picture(
            memoryview(drawn.buffer).cast("B"), drawn.width, drawn.height, drawn.stride, drawn.n_channels
        ).copy_memory()


def warm_up() -> None:
    """Draw an empty page."""
    with pypdfium2.PdfDocument.new() as document:
        document.new_page(64, 64)
        document[0].render().close()
