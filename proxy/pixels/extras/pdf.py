"""PDF, by pypdfium2: pages are drawn on white, one pixel per point (1/72 inch) before scaling, like libvips does."""

import pypdfium2
import pyvips

from proxy.core.errors import LimitExceeded
from proxy.core.media.facts import Facts
from proxy.core.media.formats import PDF
from proxy.pixels.extras.pixels import picture

DISTRIBUTION = "pypdfium2"


def facts(body: bytes, page: int) -> Facts:
    """Return the number of pages and the size of one. Raise LimitExceeded if the page does not exist."""
    with pypdfium2.PdfDocument(body) as document:
        pages = len(document)
        if page >= pages:
            raise LimitExceeded(f"Page {page + 1} does not exist; the original has {pages}.")
        width, height = document[page].get_size()
        return Facts(PDF, max(1, round(width)), max(1, round(height)), frames=pages, page=page)


def load(body: bytes, page: int, scale: float) -> pyvips.Image:
    """Draw one page, without forms and annotations. No script is run."""
    with pypdfium2.PdfDocument(body) as document:
        bitmap = document[page].render(scale=scale, rev_byteorder=True, may_draw_forms=False, draw_annots=False)
        return picture(
            memoryview(bitmap.buffer).cast("B"), bitmap.width, bitmap.height, bitmap.stride, bitmap.n_channels
        ).copy_memory()


def warm_up() -> None:
    """Draw an empty page."""
    with pypdfium2.PdfDocument.new() as document:
        document.new_page(64, 64)
        document[0].render().close()
