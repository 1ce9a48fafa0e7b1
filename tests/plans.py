"""Plans for the tests of workers and rendering."""

from proxy.core.geometry import Size, Turn
from proxy.core.media.formats import PNG
from proxy.core.planning.plan import Encoding, Plan


def plain_plan(size: Size, encoding: Encoding) -> Plan:
    """Return a plan that scales a PNG to `size` and does nothing else."""
    return Plan(
        source=PNG,
        first_frame=0,
        frames=1,
        load=None,
        load_shrink=1,
        crop=None,
        scaled=size,
        wide_gamut=False,
        linear_light=False,
        sharpen_downscaled=False,
        turn=Turn(),
        cut=None,
        interest=None,
        effects=(),
        canvas=None,
        background=None,
        border=None,
        radius=None,
        outside=None,
        overlays=(),
        size=size,
        untouched=False,
        encoding=encoding,
    )
