"""`python -m benchmarks.management`: what the API costs beside the least that has to be done.

*upload*: distinct 2 MB JPEGs over HTTP, against threads that hash, write, fsync and insert one row for each, on the
same disk; and against the same threads that decode each JPEG to its end as well, which Darkroom does before it answers.
*read*: `GET /api/images/{id}` on PostgreSQL, against FastAPI with one asyncpg SELECT; wrk requests from both.
"""

import argparse
import hashlib
import http.client
import itertools
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import pyvips

from benchmarks import servers
from benchmarks.machine import cpu_s, describe
from benchmarks.pictures import make_originals
from benchmarks.rounds import Spread, interleave, ratio
from benchmarks.tables import Printer
from tests.program.server import SECRET_KEY
from tests.servers.postgres import start_postgres
from tests.servers.processes import Processes

CONNECTIONS = 4
_BYTES = 2_000_000
_PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "corpus" / "photos" / "clic"
_RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")


@dataclass(frozen=True, slots=True)
class Against:
    """Darkroom beside one limit."""

    what: str
    ours_s: Spread
    theirs_s: Spread
    ratio: Spread


def measure_uploads(folder: Path, body: bytes, rounds: int, count: int) -> list[Against]:
    """Upload, and do the least with the same files."""
    home = folder / "home"
    home.mkdir()
    servers.set_up_tenant(home)
    token = _token(home)
    numbers = itertools.count()
    with servers.darkroom(home, api_rates="upload=99999999/99999999") as ours:

        def files() -> list[bytes]:
            return [_distinct(body, next(numbers)) for _ in range(count)]

        def upload() -> float:
            return _timed(files(), lambda share: _post(ours.port, token, share))

        def bare(*, decode: bool) -> Callable[[], float]:
            target = folder / f"bare-{decode}"
            target.mkdir()
            _create(target / "rows.sqlite")
            return lambda: _timed(files(), lambda share: _keep(target, share, decode=decode))

        sides = {"ours": upload, "bare": bare(decode=False), "decoding": bare(decode=True)}
        upload()
        rates = interleave(rounds, sides)
    names = {"bare": "hash, write, fsync, INSERT", "decoding": "the same, and one decode to the end"}
    return [
        Against(names[name], Spread.of(rates["ours"]), Spread.of(rates[name]), ratio(rates["ours"], rates[name]))
        for name in names
    ]


def measure_reads(folder: Path, body: bytes, rounds: int, seconds: int) -> Against:
    """Read one image from both servers in turn."""
    servers.require("wrk")
    with Processes() as processes:
        folder.chmod(0o755)
        (folder / "postgres").mkdir()
        url = start_postgres(folder / "postgres", processes)
        home = folder / "grown"
        home.mkdir()
        settings = {"database_url": url, "secret_keys": SECRET_KEY}
        _darkroom(home, settings, "migrate")
        _darkroom(home, settings, "tenant", "create", servers.TENANT)
        token = _token(home, settings)
        bare_port = servers.free_port()
        bare = [sys.executable, "-m", "benchmarks.bare_api", str(bare_port), url]
        with (
            servers.darkroom(home, **settings, api_rates="read=99999999/99999999") as ours,
            servers.start(bare, bare_port, folder / "bare.log", os.environ) as theirs,
        ):
            identifier = _post(ours.port, token, [body])[0]
            path = f"/api/images/{identifier}"
            cost = {"ours": 0.0, "bare": 0.0}

            def run(name: str, side: servers.Server) -> Callable[[], float]:
                def once() -> float:
                    before = cpu_s(side.pid)
                    rate = _wrk(side.port, path, token, seconds)
                    cost[name] = 1e6 * (cpu_s(side.pid) - before) / (rate * seconds)
                    return rate

                return once

            sides = {"ours": run("ours", ours), "bare": run("bare", theirs)}
            for side in sides.values():
                side()
            rates = interleave(rounds, sides)
    what = f"FastAPI with one asyncpg SELECT (server CPU {cost['ours']:.0f} ÷ {cost['bare']:.0f} µs)"
    return Against(what, Spread.of(rates["ours"]), Spread.of(rates["bare"]), ratio(rates["ours"], rates["bare"]))


def _timed(files: Sequence[bytes], work: Callable[[Sequence[bytes]], object]) -> float:
    """Return files per second of `CONNECTIONS` threads that share the files."""
    shares = [files[at::CONNECTIONS] for at in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        started_s = perf_counter()
        list(pool.map(work, shares))
        return len(files) / (perf_counter() - started_s)


def _post(port: int, token: str, files: Sequence[bytes]) -> list[str]:
    """Upload files over one connection; return the ids of their images."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    identifiers = []
    for file in files:
        body = (
            b"--b\r\nContent-Disposition: form-data; name=file; filename=a.jpg\r\nContent-Type: image/jpeg\r\n\r\n"
            + file
            + b"\r\n--b--\r\n"
        )
        fields = {"authorization": f"Bearer {token}", "content-type": "multipart/form-data; boundary=b"}
        connection.request("POST", "/api/images/upload", body, fields)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 201:
            raise RuntimeError(f"{answer.status}: {text[:300]}")
        identifiers.append(answer.headers["location"].rsplit("/", 1)[1])
    connection.close()
    return identifiers


def _keep(folder: Path, files: Sequence[bytes], *, decode: bool) -> None:
    """Do the least that keeps files: hash, write, fsync, rename, INSERT; perhaps one decode."""
    rows = sqlite3.connect(folder / "rows.sqlite", timeout=60, isolation_level=None)
    for file in files:
        name = hashlib.sha256(file).hexdigest()
        staged = folder / f"{name}.part"
        with staged.open("wb") as output:
            output.write(file)
            output.flush()
            os.fsync(output.fileno())
        if decode:
            pyvips.Image.new_from_file(str(staged), access="sequential").avg()
        staged.rename(folder / name)
        rows.execute("INSERT INTO image VALUES (?, ?)", (name, len(file)))
    rows.close()


def _create(path: Path) -> None:
    rows = sqlite3.connect(path)
    rows.execute("PRAGMA journal_mode=WAL")
    rows.execute("CREATE TABLE image (name TEXT PRIMARY KEY, size INTEGER)")
    rows.close()


def _distinct(body: bytes, number: int) -> bytes:
    """Return the same picture in other bytes: a comment behind the start of the JPEG."""
    return body[:2] + b"\xff\xfe\x00\x12" + f"{number:016d}".encode() + body[2:]


def _two_megabytes() -> bytes:
    """Return a JPEG of 6 megapixels that is as near to 2 MB as its quality allows."""
    _, originals = make_originals(_PHOTOGRAPHS)
    picture = pyvips.Image.new_from_buffer(originals[0].body, "")
    return min(_encodings(picture), key=lambda body: abs(len(body) - _BYTES))


def _encodings(picture: Any) -> Iterator[bytes]:  # noqa: ANN401 - pyvips has no types
    for quality in range(60, 100, 3):
        yield picture.jpegsave_buffer(Q=quality, keep="none")


def _token(home: Path, settings: dict[str, str] | None = None) -> str:
    arguments = ("token", "create", "--tenant", servers.TENANT, "--role", "editor")
    return _darkroom(home, settings or {}, *arguments).splitlines()[-1].strip()


def _darkroom(home: Path, settings: dict[str, str], *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("darkroom")), *arguments]
    environment = os.environ | {f"DARKROOM_{name.upper()}": value for name, value in settings.items()}
    environment |= {"DARKROOM_HOME": str(home)}
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout.decode()


def _wrk(port: int, path: str, token: str, seconds: int) -> float:
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "-H", f"Authorization: Bearer {token}"]
    output = subprocess.run([*command, f"http://127.0.0.1:{port}{path}"], check=True, capture_output=True, text=True)
    match = _RATE.search(output.stdout)
    if match is None or "Non-2xx" in output.stdout:
        raise RuntimeError(output.stdout)
    return float(match[1])


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.management", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=["upload", "read"], default=["upload", "read"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--files", type=int, default=24, help="uploads of one round")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    chosen = parser.parse_args(arguments)
    body, printer = _two_megabytes(), Printer(markdown=chosen.markdown)
    printer.machine(describe())
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
        if "upload" in chosen.parts:
            title = f"Upload: JPEGs of {len(body)} bytes (6 MP), {CONNECTIONS} connections, {chosen.rounds} rounds"
            printer.against(title, measure_uploads(Path(folder), body, chosen.rounds, chosen.files))
        if "read" in chosen.parts:
            title = f"Read: GET /api/images/{{id}} on PostgreSQL, wrk -t1 -c8, {chosen.rounds} rounds"
            printer.against(title, [measure_reads(Path(folder), body, chosen.rounds, 3)])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
