"""`python -m benchmarks.upload_memory`: the server's memory while it takes in many uploads at once, and many in turn.

A server with one worker and SQLite, uploads over HTTP. *large*: 100 uploads of 50 MB, all at once. *small*: 5,000 of
20 KB, 16 at once, by several tokens, as each may upload 300 a minute. RSS is that of the serving process; its workers
have theirs and are bounded by DARKROOM_WORKER_RSS_BYTES. The goal: large uploads add less than 300 MB to the idle
server, and the last tenth of the small ones adds nothing to the second.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks import servers
from benchmarks.machine import describe
from tests.program.uploading import forget_peak, resident_bytes, upload_all

LARGE, LARGE_BYTES = 100, 50_000_000
SMALL, SMALL_BYTES, SMALL_AT_ONCE, PARTS = 5_000, 20_000, 16, 10
WARM_UP = 32
TOKENS = 20
MIB = 2**20


def main(arguments: Sequence[str]) -> int:
    """Run both parts; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", type=int, default=LARGE, help="large uploads at once")
    parser.add_argument("--small", type=int, default=SMALL, help="small uploads")
    options = parser.parse_args(arguments)
    print(" · ".join(f"{name} {value}" for name, value in describe().items()))
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
        home = Path(folder)
        servers.set_up_tenant(home)
        tokens = servers.create_tokens(home, TOKENS)
        with servers.darkroom(home, workers="1", job_concurrency="0") as server:
            upload_all(server.port, tokens, SMALL_BYTES, range(1_000_000, 1_000_000 + WARM_UP), 8)
            fine = _measure_large(server, tokens, options.large)
            return 0 if _measure_small(server, tokens, options.small) and fine else 1


def _measure_large(server: servers.Server, tokens: Sequence[str], count: int) -> bool:
    forget_peak(server.pid)
    before, started_s = resident_bytes(server.pid), time.monotonic()
    statuses = Counter(upload_all(server.port, tokens, LARGE_BYTES, range(count), count))
    growth = resident_bytes(server.pid, "VmHWM") - before
    print(
        f"large: {count} × {LARGE_BYTES:,} bytes in {time.monotonic() - started_s:.0f} s, answers {dict(statuses)}; "
        f"RSS {before / MIB:.0f} MiB before, at most {growth / MIB:.0f} MiB more"
    )
    return growth < 300 * MIB and set(statuses) <= {201, 429, 503}


def _measure_small(server: servers.Server, tokens: Sequence[str], count: int) -> bool:
    resident, statuses, share = [], Counter[int](), count // PARTS
    for part in range(PARTS):
        numbers = range(2_000_000 + part * share, 2_000_000 + (part + 1) * share)
        statuses.update(upload_all(server.port, tokens, SMALL_BYTES, numbers, SMALL_AT_ONCE))
        resident.append(resident_bytes(server.pid))
    series = " ".join(f"{size / MIB:.0f}" for size in resident)
    print(f"small: {count} × {SMALL_BYTES:,} bytes, answers {dict(statuses)}; RSS after each tenth {series} MiB")
    return resident[-1] <= resident[1] + 16 * MIB and set(statuses) <= {201, 429, 503}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
