"""The bare libvips loop: a minimal program with pyvips, a file in memory and one thread for each core.

    python -m benchmarks.bare THREADS

Read lines of JSON, `{"file", "width", "height", "crop", "encoding", "count"}`; render the file `count` times, spread
over the threads; answer `{"seconds", "bytes"}`, with the size of one picture. The process runs through all rounds, so
it is as warm as the server. The encoders are the server's functions, so both sides have the same settings.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ["VIPS_CONCURRENCY"] = (
    "1"  # read when libvips starts; more threads per picture only cost, because the pool fills the cores
)

import pyvips

from proxy.core.media.formats import FORMATS
from proxy.core.planning.plan import Encoding
from proxy.pixels.encode import encode


def main() -> None:
    """Answer jobs until standard input ends."""
    pyvips.cache_set_max(0)  # every job renders the same picture: a cache would be measured
    threads = int(sys.argv[1])
    with ThreadPoolExecutor(threads) as pool:
        for line in sys.stdin:
            print(json.dumps(_run(json.loads(line), pool)), flush=True)


def _run(job: dict[str, Any], pool: ThreadPoolExecutor) -> dict[str, float]:
    body = Path(job["file"]).read_bytes()
    name, quality, effort = job["encoding"]
    encoding = Encoding(FORMATS[name], quality, effort)

    def once(_: int) -> int:
        picture = pyvips.Image.thumbnail_buffer(
            body,
            job["width"],
            height=job["height"],
            size="down",
            crop="centre" if job["crop"] else "none",
            option_string="[fail_on=truncated]",
        )
        return len(encode(picture, encoding, picture))

    begun = perf_counter()
    sizes = list(pool.map(once, range(job["count"])))
    return {"seconds": perf_counter() - begun, "bytes": sizes[-1]}


if __name__ == "__main__":
    main()
