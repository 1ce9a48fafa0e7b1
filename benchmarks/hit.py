"""Hit: a small WebP from the memory tier, against nginx with the same bytes as a static file under the same path.

`trivial` is the upper limit: the cost of the HTTP server that Darkroom uses. Each side has one process or worker, and
the same wrk with one thread requests from all. The table also has each server's CPU time for one request, which remains
comparable when wrk or another process on the machine limits the rate.
"""

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import client, servers
from benchmarks.machine import cpu_s
from benchmarks.pictures import Original
from benchmarks.rounds import Spread, interleave, ratio
from benchmarks.servers import Server

CONNECTIONS = 16
_BODY_BYTES = 8_192
_QUALITIES = range(40, 100, 4)
_RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")
_BAD = re.compile(r"Non-2xx|Socket errors")


@dataclass(frozen=True, slots=True)
class Hit:
    """One server's figures."""

    server: str
    requests_s: Spread
    cpu_us: Spread
    """CPU time of the server's process for one request, in microseconds."""
    ours_to_it: Spread
    """Darkroom's rate divided by this server's."""


def measure(folder: Path, originals: Sequence[Original], rounds: int, seconds: int) -> tuple[int, list[Hit]]:
    """Measure; return the size of the body in bytes and a row for each server."""
    servers.require("nginx", "wrk")
    home = folder / "hit"
    home.mkdir()
    file = home / "original.jpg"
    file.write_bytes(originals[0].body)
    servers.set_up_tenant(home)
    name = servers.upload(home, [file])[0]
    with servers.darkroom(home) as ours:
        target, body = _choose(ours.port, name)
        with servers.nginx(home / "nginx", target, body) as nginx, servers.trivial(home, body) as trivial:
            sides = {"darkroom": ours, "nginx": nginx, "trivial": trivial}
            for side in sides.values():
                _wrk(side, target, 1)
            return len(body), _race(sides, target, rounds, seconds)


def _choose(port: int, name: str) -> tuple[str, bytes]:
    """Return the URL and the body of the quality whose WebP is nearest to `_BODY_BYTES`."""
    targets = [servers.sealed(name, f"w320-h180-q{quality}-webp") for quality in _QUALITIES]
    bodies = [client.get(port, target) for target in targets]
    return min(zip(targets, bodies, strict=True), key=lambda pair: abs(len(pair[1]) - _BODY_BYTES))


def _race(sides: dict[str, Server], target: str, rounds: int, seconds: int) -> list[Hit]:
    costs: dict[str, list[float]] = {name: [] for name in sides}

    def run(name: str) -> Callable[[], float]:
        def once() -> float:
            rate, cpu_us = _wrk(sides[name], target, seconds)
            costs[name].append(cpu_us)
            return rate

        return once

    rates = interleave(rounds, {name: run(name) for name in sides})
    return [
        Hit(name, Spread.of(rates[name]), Spread.of(costs[name]), ratio(rates["darkroom"], rates[name]))
        for name in sides
    ]


def _wrk(side: Server, target: str, seconds: int) -> tuple[float, float]:
    """Return requests per second, and the server's CPU time for each in microseconds."""
    url = f"http://127.0.0.1:{side.port}{target}"
    before = cpu_s(side.pid)
    completed = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url], check=True, capture_output=True, text=True
    )
    used_s = cpu_s(side.pid) - before
    match = _RATE.search(completed.stdout)
    if match is None or _BAD.search(completed.stdout):
        raise client.BadAnswer(completed.stdout)
    rate = float(match[1])
    return rate, 1e6 * used_s / (rate * seconds)
