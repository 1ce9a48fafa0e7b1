"""The bare libvips loop: what somebody with pyvips, a file in memory and a thread for each core would write.

    python -m benchmarks.bare THREADS

Reads lines of JSON, `{"file", "width", "height", "crop", "encoding", "count"}`; renders the file `count` times, spread
over the threads; answers `{"seconds", "bytes"}`, the bytes being of one picture. It stays up between rounds, so that it
is as warm as the server it is compared with. The encoders are the server's own functions: the same settings in both.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ["VIPS_CONCURRENCY"] = "1"  # read once, when libvips starts; more only costs here: the threads fill the cores

import pyvips

from proxy.core.media.formats import FORMATS
from proxy.core.planning.plan import Encoding
from proxy.pixels.encode import encode


def main() -> None:
    """Answer jobs until stdin ends."""
    pyvips.cache_set_max(0)  # the same picture again and again: a cache would measure itself
    threads = int(sys.argv[1])
    with ThreadPoolExecutor(threads) as pool:
        for line in sys.stdin:
            print(json.dumps(_run(json.loads(line), pool)), flush=True)


def _run(job: dict[str, Any], pool: ThreadPoolExecutor) -> dict[str, float]:
    body = Path(job["file"]).read_bytes()
    name, quality, effort = job["encoding"]
    how = Encoding(FORMATS[name], quality, effort)

    def once(_: int) -> int:
        picture = pyvips.Image.thumbnail_buffer(
            body,
            job["width"],
            height=job["height"],
            size="down",
            crop="centre" if job["crop"] else "none",
            option_string="[fail_on=truncated]",
        )
        return len(encode(picture, how, picture))

    begun = perf_counter()
    sizes = list(pool.map(once, range(job["count"])))
    return {"seconds": perf_counter() - begun, "bytes": sizes[-1]}


if __name__ == "__main__":
    main()
