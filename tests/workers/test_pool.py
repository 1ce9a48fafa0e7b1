"""The pool with real worker processes: honest ones, and ones that were taken over."""

import asyncio
import os
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import uvloop

from proxy.core.errors import (
    CorruptImage,
    DeadlineExceeded,
    LimitExceeded,
    Unavailable,
    UnsupportedFormat,
    WorkerCrashed,
    WorkerKilled,
)
from proxy.core.geometry import Box, Size
from proxy.core.identifiers import RENDERER_VERSION
from proxy.core.media.facts import Facts
from proxy.core.media.formats import AVIF, JPEG, PNG, WEBP, Format, sniff
from proxy.core.planning.plan import Encoding, Plan
from proxy.core.planning.planner import resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.ports import OpenOriginal, Planning
from proxy.settings import Settings
from proxy.workers.fonts import BUNDLED
from proxy.workers.framing import is_silent
from proxy.workers.pool import Pool, open_pool
from proxy.workers.process import WORKER, WorkerStartError
from proxy.workers.supervisor import PIXEL_CODE_VERSION
from tests.patience import until
from tests.plans import plain_plan

FACTS = Facts(PNG, 16, 16)
PATIENCE_S = 30.0
HOSTILE = Path(__file__).with_name("hostile_worker.py")

Pools = Callable[..., Awaitable[Pool]]


def plan_for(size: Size, kind: Format = PNG) -> Plan:
    """Return a plan that scales a PNG to `size`."""
    encoding = Encoding(kind, None if kind is PNG else 80, 4)
    return plain_plan(size, encoding)


def plan(_: Facts, __: Box | None = None) -> Plan:
    """Plan a small picture of any original."""
    return plan_for(Size(8, 8))


@pytest.fixture(scope="session")
def png(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a PNG of 16 × 16 black pixels without libvips, which this process must not load."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + name + data + struct.pack("!I", zlib.crc32(name + data))

    header = struct.pack("!IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes(48) for _ in range(16)))
    path = tmp_path_factory.mktemp("originals") / "black.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


@pytest.fixture
def original(png: Path) -> Iterator[OpenOriginal]:
    """Open that PNG."""
    with OpenOriginal(os.open(png, os.O_RDONLY), png.stat().st_size) as opened:
        yield opened


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    """Open pools of real workers, or of ones that misbehave as specified; all are closed at the end."""
    async with AsyncExitStack() as stack:

        async def open_(behaviour: str | None = None, **settings: object) -> Pool:
            command = (sys.executable, "-I", str(HOSTILE), behaviour) if behaviour else WORKER
            validated = Settings.model_validate({"workers": 1} | settings)
            return await stack.enter_async_context(open_pool(validated, command))

        yield open_


def pids(pool: Pool) -> set[int]:
    return {worker.popen.pid for worker in pool._supervisor.alive}


def next_pid(pool: Pool) -> int:
    """Return the pid of the worker that gets the next job."""
    return pool._supervisor.idle[-1].popen.pid


def gone(pid: int) -> bool:
    """Return whether a process is neither running nor a zombie."""
    return not Path(f"/proc/{pid}").exists()


async def test_a_picture_is_developed(pools: Pools, original: OpenOriginal) -> None:
    """One job returns facts, and a derivative of the planned format and size."""
    pool = await pools()
    for kind in (PNG, JPEG, WEBP, AVIF):

        def planning(facts: Facts, _: Box | None, kind: Format = kind) -> Plan:
            assert facts == FACTS
            return plan_for(Size(8, 4), kind)

        result = await pool.render(original, None, planning)
        assert result.facts == FACTS
        assert (result.derivative.format, result.derivative.width, result.derivative.height) == (kind, 8, 4)
        assert sniff(result.derivative.body) == kind
        assert result.render_s > 0


async def test_a_header_is_probed(pools: Pools, original: OpenOriginal) -> None:
    assert await (await pools()).probe(original) == FACTS


async def test_an_original_is_examined(pools: Pools, original: OpenOriginal) -> None:
    """The examination of an honest worker crosses to the server whole."""
    examination = await (await pools()).examine(original)
    assert (examination.facts, examination.end_bytes, examination.failed) == (FACTS, original.size_bytes, ())
    assert (examination.color, examination.colors) == ("#000000", ("#000000",))
    assert examination.thumbhash is not None
    assert examination.phash is not None
    assert examination.quality is not None


async def test_a_truncated_original_is_not_examined(pools: Pools, png: Path, tmp_path: Path) -> None:
    short = Path(shutil.copy(png, tmp_path))
    size_bytes = short.stat().st_size - 9  # noqa: ASYNC240 - a test
    os.truncate(short, size_bytes)
    with OpenOriginal(os.open(short, os.O_RDONLY), size_bytes) as original, pytest.raises(CorruptImage):
        await (await pools()).examine(original)


@pytest.mark.parametrize("behaviour", ["examination-of-nothing", "huge-examination", "facts-instead", "empty-body"])
async def test_a_false_examination_ends_the_worker(pools: Pools, original: OpenOriginal, behaviour: str) -> None:
    pool = await pools(behaviour)
    with pytest.raises(WorkerCrashed):
        await pool.examine(original)
    assert pool.restarts == {"died": 2}


async def test_versions_and_sandbox_are_the_workers(pools: Pools) -> None:
    """The pool reports the version of libvips in the workers, and the sandbox around them."""
    pool = await pools()
    assert pool.renderer_version.startswith(f"{PIXEL_CODE_VERSION}-8.")
    assert not pool.sandbox_features.missing
    assert (pool.size, pool.workers, pool.idle) == (1, 2, 2)


async def test_a_refusal_is_the_original_class(pools: Pools, tmp_path: Path) -> None:
    """The pool raises the error that a worker refuses with."""
    pool = await pools()
    text = tmp_path / "text"
    text.write_text("no picture", encoding="ascii")
    with OpenOriginal(os.open(text, os.O_RDONLY), 10) as opened, pytest.raises(UnsupportedFormat):
        await pool.probe(opened)
    assert pool.crashes == 0


async def test_a_worker_that_refused_an_original_is_replaced(pools: Pools, original: OpenOriginal) -> None:
    """The original may have taken it over."""
    pool = await pools("refusing")
    suspect = pool._supervisor.idle[-1]
    with pytest.raises(CorruptImage):
        await pool.probe(original)
    assert suspect not in pool._supervisor.alive
    assert pool.restarts == {"refused": 1}
    assert pool.crashes == 0


async def test_a_flood_of_damaged_originals_has_a_worker_at_any_time(pools: Pools, original: OpenOriginal) -> None:
    """Workers that refused one are replaced one at a time and without a pause; they serve until their turn comes."""
    pool = await pools("refusing", workers=2)
    for _ in range(50):
        with pytest.raises(CorruptImage):
            await pool.probe(original)
        assert pool.workers >= 2
    assert pool._supervisor._pause_s() == 0
    await until(lambda: pool.idle == 3 and not any(worker.refused for worker in pool._supervisor.alive))
    assert set(pool.restarts) == {"refused"}


async def test_a_derivative_over_its_limit_is_refused(pools: Pools, original: OpenOriginal) -> None:
    """The worker refuses it; the pool would accept no more bytes either."""
    pool = await pools(derivative_bytes=2**20)

    def noisy(_: Facts, __: Box | None) -> Plan:
        encoding = Encoding(PNG, None, 0)
        return plain_plan(Size(700, 700), encoding)

    with pytest.raises(LimitExceeded, match=r"The derivative has \d+ bytes; the limit is 1048576"):
        await pool.render(original, FACTS, noisy)
    assert pool.crashes == 0


async def test_enabled_extras_are_part_of_the_renderer_version(pools: Pools) -> None:
    """Another version of their libraries may decode to other pixels."""
    plain, heic, both = [(await pools(formats=formats)).renderer_version for formats in ("", "heic", "heic,pdf")]
    assert "extras" not in plain
    assert len({plain, heic, both}) == 3
    for renderer_version in (plain, heic, both):
        assert RENDERER_VERSION.fullmatch(renderer_version)


async def test_fonts_of_the_operator_make_another_renderer_version(tmp_path: Path) -> None:
    fonts = tmp_path / "fonts" / "more"
    fonts.mkdir(parents=True)
    shutil.copy(BUNDLED, fonts / "Other.TTF")
    (fonts / "readme.txt").write_text("no font")
    versions: set[str] = set()
    for folder in (None, tmp_path / "fonts"):
        async with open_pool(Settings(home=tmp_path, workers=1, fonts=folder)) as pool:
            versions.add(pool.renderer_version)
    changed = bytearray(BUNDLED.read_bytes())
    changed[-1] ^= 1
    (fonts / "Other.TTF").write_bytes(changed)  # of the same name and size
    async with open_pool(Settings(home=tmp_path, workers=1, fonts=tmp_path / "fonts")) as pool:
        versions.add(pool.renderer_version)
    assert len(versions) == 3


async def test_fonts_that_change_under_a_server_change_no_picture(tmp_path: Path) -> None:
    """Package managers replace and remove them; a worker that starts later must not draw with others."""
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    shutil.copy(BUNDLED, fonts / "Other.ttf")
    drawing = tmp_path / "word.svg"
    drawing.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="99" height="30"><text y="20">Hij</text></svg>')
    settings = Settings(home=tmp_path, workers=1, worker_jobs=3, formats="svg", fonts=fonts)
    bodies = []

    def enlarging_to(width: int) -> Planning:
        return lambda facts, _: resolve_plan(parse(f"w{width}-up-png"), facts)

    enlarging = [enlarging_to(width) for width in (100, 110, 120, 130)]
    async with open_pool(settings) as pool:
        for number in range(12):
            if number == 2:
                (fonts / "Other.ttf").unlink()
            with OpenOriginal(os.open(drawing, os.O_RDONLY), drawing.stat().st_size) as original:
                result = await pool.render(original, None, enlarging[number % 4])
            bodies.append(result.derivative.body)
    assert bodies[4:8] == bodies[8:12] == [*bodies[0:2], *bodies[6:8]]


async def test_a_worker_does_not_start_without_the_fonts_of_its_version(tmp_path: Path) -> None:
    """A clean-up of temporary files may remove the copies."""
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    shutil.copy(BUNDLED, fonts / "Other.ttf")
    async with open_pool(Settings(home=tmp_path, workers=1, fonts=fonts)) as pool:
        shutil.rmtree(pool._supervisor._fonts.folder)
        with pytest.raises(WorkerStartError, match=r"only 0 of them are left"):
            await pool._supervisor._start_worker()


@pytest.mark.parametrize("wrong", ["nothing", "empty", "crowded"])
async def test_a_folder_without_fonts_is_an_error(tmp_path: Path, wrong: str) -> None:
    folder = tmp_path / wrong
    if wrong != "nothing":
        folder.mkdir()
    for number in range(301 if wrong == "crowded" else 0):
        (folder / f"{number}.ttf").touch()
    with pytest.raises(WorkerStartError, match="DARKROOM_FONTS"):
        async with open_pool(Settings(home=tmp_path, workers=1, fonts=folder)):
            pass


async def test_planning_that_raises_releases_the_worker(pools: Pools, original: OpenOriginal) -> None:
    """Planning may raise between probe and render; the worker is used again."""
    pool = await pools("honest")

    def refuse(_: Facts, __: Box | None) -> Plan:
        raise LimitExceeded("Too much.")

    with pytest.raises(LimitExceeded):
        await pool.render(original, None, refuse)
    assert (pool.idle, pool.restarts) == (2, {})
    await pool.render(original, None, plan)


async def test_one_death_costs_nothing(pools: Pools, original: OpenOriginal) -> None:
    """If a worker is killed during a job, another one repeats it."""
    pool = await pools()
    victim = next_pid(pool)
    os.kill(victim, signal.SIGSTOP)
    job = asyncio.ensure_future(pool.render(original, FACTS, plan))
    await until(lambda: pool.idle == 1)
    os.kill(victim, signal.SIGKILL)
    assert (await job).derivative.width == 8
    assert pool.restarts == {"killed": 1}
    await until(lambda: pool.workers == 2 and gone(victim))
    assert victim not in pids(pool)


async def test_two_kills_are_unavailable(pools: Pools, original: OpenOriginal) -> None:
    """If the second worker is killed from outside too, the request fails, and the pool goes on."""
    pool = await pools()
    for pid in pids(pool):
        os.kill(pid, signal.SIGSTOP)
    victims = pids(pool)
    job = asyncio.ensure_future(pool.render(original, FACTS, plan))
    await until(lambda: pool.idle == 1)
    idle = {worker.popen.pid for worker in pool._supervisor.idle}
    for pid in victims - idle:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: pool.restarts == {"killed": 1} and not idle & {w.popen.pid for w in pool._supervisor.idle})
    for pid in idle:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerKilled, match="memory"):
        await job
    assert (await pool.render(original, FACTS, plan)).derivative.width == 8


async def test_two_crashes_are_the_original_s_fault(pools: Pools, original: OpenOriginal) -> None:
    """A signal of its own (SIGSEGV) is not a SIGKILL from outside."""
    pool = await pools("segfault")
    with pytest.raises(WorkerCrashed):
        await pool.render(original, FACTS, plan)
    assert pool.restarts == {"died": 2}
    assert pool.crashes == 2


async def test_a_worker_that_the_kernel_kills_is_not_the_original_s_fault(pools: Pools, original: OpenOriginal) -> None:
    """The answer is a 503 that no cache keeps, not a 422."""
    pool = await pools("killed")
    with pytest.raises(WorkerKilled) as caught:
        await pool.render(original, FACTS, plan)
    assert (caught.value.status, caught.value.max_age_s) == (503, None)
    assert pool.restarts == {"killed": 2}


async def test_an_idle_death_is_no_originals_fault(pools: Pools, original: OpenOriginal) -> None:
    """Workers that ended while they were idle are replaced before they get a job."""
    pool = await pools("honest")
    victims = pids(pool)
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not any(is_silent(worker.socket) for worker in pool._supervisor.alive))
    assert (await pool.render(original, FACTS, plan)).derivative.width == 8
    await until(lambda: all(map(gone, victims)))


@pytest.mark.parametrize(
    "behaviour",
    [
        "wrong-magic",
        "huge-header",
        "huge-body",
        "no-json",
        "other-size",
        "other-format",
        "no-picture",
        "empty-body",
        "facts-instead",
        "unknown-code",
        "long-sentence",
        "control-characters",
        "nan",
        "partial",
        "exit",
        "flood",
        "memory-bomb",
    ],
)
async def test_a_worker_that_has_been_taken_over_is_killed(
    pools: Pools, original: OpenOriginal, behaviour: str
) -> None:
    """A worker that violates the protocol is killed, and so is its successor."""
    pool = await pools(behaviour)
    victims = pids(pool)
    with pytest.raises(WorkerCrashed):
        await pool.render(original, FACTS, plan)
    assert pool.restarts == {"died": 2}
    await until(lambda: all(map(gone, victims)) and pool.workers == 2)


async def test_a_worker_that_speaks_unasked_is_never_asked(pools: Pools, original: OpenOriginal) -> None:
    """An answer that was sent in advance is never read."""
    pool = await pools("early")
    victim = pool._supervisor.idle[-1]
    await pool.probe(original)
    await until(lambda: not is_silent(victim.socket))
    assert await pool.probe(original) == FACTS
    assert pool.restarts == {"died": 1}
    assert victim not in pool._supervisor.alive


async def test_a_hang_ends_at_the_deadline(pools: Pools, original: OpenOriginal) -> None:
    """A worker that does not answer is killed, and the job is not repeated; the pool recovers."""
    pool = await pools("hang", render_deadline_s=0.2)
    victim = next_pid(pool)
    with pytest.raises(DeadlineExceeded):
        await pool.render(original, FACTS, plan)
    assert pool.restarts == {"deadline": 1}
    await until(lambda: gone(victim) and pool.workers == 2)


async def test_a_stopped_worker_ends_at_the_deadline(pools: Pools, original: OpenOriginal) -> None:
    """A stopped worker is killed at the deadline, and the spare serves the next request."""
    pool = await pools(render_deadline_s=1.0)
    os.kill(next_pid(pool), signal.SIGSTOP)
    with pytest.raises(DeadlineExceeded):
        await pool.render(original, FACTS, plan)
    assert (await pool.render(original, FACTS, plan)).derivative.width == 8


async def test_a_job_outlives_its_caller(pools: Pools, original: OpenOriginal) -> None:
    """A caller that is cancelled costs no worker: the job runs to its end. A caller that waits leaves the queue."""
    pool = await pools()
    before = pids(pool)
    os.kill(next_pid(pool), signal.SIGSTOP)
    running = asyncio.ensure_future(pool.render(original, FACTS, plan))
    await until(lambda: pool.idle == 1)
    waiting = asyncio.ensure_future(pool.render(original, FACTS, plan))
    await asyncio.sleep(0)
    assert len(pool._jobs) == 1
    for caller in (waiting, running):
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
    (job,) = pool._jobs
    for pid in before:
        os.kill(pid, signal.SIGCONT)
    assert (await job).derivative.width == 8
    assert (pids(pool), pool.idle, pool.restarts) == (before, 2, {})


async def test_a_job_whose_caller_left_ends_at_its_deadline(pools: Pools, original: OpenOriginal) -> None:
    """It cannot hold its worker and its permit for longer."""
    pool = await pools("hang", render_deadline_s=0.2)
    caller = asyncio.ensure_future(pool.probe(original))
    await until(lambda: pool.idle == 1)
    caller.cancel()
    await until(lambda: pool.restarts == {"deadline": 1} and pool.idle == 2)


async def test_descriptors_are_opened_again_before_the_caller_can_close_them(
    pools: Pools, png: Path, tmp_path: Path
) -> None:
    """A cancelled caller closes them; the number may then belong to another tenant's original."""
    pool = await pools()
    secret = tmp_path / "another-tenants-original"
    secret.write_bytes(b"secret")
    opened: list[str] = []
    worker = pool._supervisor.idle[-1]
    os.kill(worker.popen.pid, signal.SIGSTOP)
    original, watermark = (OpenOriginal(os.open(png, os.O_RDONLY), 1) for _ in range(2))

    def planning(facts: Facts, _: Box | None) -> Plan:
        opened.extend(str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.exists())
        return plan(facts)

    caller = asyncio.ensure_future(pool.render(original, None, planning, watermark))
    await until(lambda: pool.idle == 1)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    (job,) = pool._jobs
    for closed in (original, watermark):
        closed.close()
    reused = [os.open(secret, os.O_RDONLY) for _ in range(2)]
    assert watermark.fd in reused
    os.kill(worker.popen.pid, signal.SIGCONT)
    assert (await job).derivative.width == 8
    for fd in reused:
        os.close(fd)
    assert opened.count(str(png)) == 2
    assert opened.count(str(secret)) == 2


async def test_leaving_at_any_moment_loses_no_permit(pools: Pools, png: Path) -> None:
    """Many callers leave at random moments and close their originals; all workers and permits come back."""
    pool = await pools("honest", workers=2)

    async def client(patience_s: float) -> None:
        with OpenOriginal(os.open(png, os.O_RDONLY), 1) as opened:
            async with asyncio.timeout(patience_s):
                await pool.render(opened, None, plan)

    jobs = [client(0.0001 * number) for number in range(200)]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert {type(result) for result in results} <= {TimeoutError, type(None)}
    assert not pool.restarts
    await until(lambda: pool.idle == 3)
    assert pool._supervisor.size == pool._permits._value == 2


async def test_no_more_jobs_at_once_than_permits(pools: Pools, original: OpenOriginal) -> None:
    """The spare does not work beside the others."""
    pool = await pools("honest", workers=2)
    running = []

    def watched(facts: Facts, _: Box | None) -> Plan:
        running.append(pool.workers - pool.idle)
        return plan(facts)

    await asyncio.gather(*(pool.render(original, None, watched) for _ in range(50)))
    assert max(running) == 2
    assert pool.idle == 3


async def test_a_worker_is_replaced_after_its_jobs(pools: Pools, original: OpenOriginal) -> None:
    """A worker is retired after `worker_jobs`, while the others go on."""
    pool = await pools("honest", worker_jobs=3)
    first = next_pid(pool)
    for _ in range(12):
        await pool.render(original, FACTS, plan)
        await until(lambda: pool.workers == 2)
    assert pool.restarts == {"jobs": 4}
    assert first not in pids(pool)


async def test_a_worker_is_replaced_when_it_has_grown(pools: Pools, original: OpenOriginal) -> None:
    """A worker is retired for its resident memory."""
    pool = await pools("fat", worker_rss_bytes=64 * 2**20)
    victim = next_pid(pool)
    await pool.render(original, FACTS, plan)
    assert pool.restarts == {"rss": 1}
    await until(lambda: gone(victim) and pool.workers == 2)


async def test_200_jobs_leak_nothing(pools: Pools, original: OpenOriginal) -> None:
    """Neither descriptors nor child processes remain, also after retirements."""
    others = children()  # the servers of other tests
    pool = await pools("honest", workers=2, worker_jobs=20)
    await pool.render(original, None, plan)
    before = descriptors()
    for _ in range(200):
        await pool.render(original, None, plan)
    await until(lambda: pool.workers == 3 and not pool._supervisor._reaping)
    assert descriptors() == before
    assert children() - others == pids(pool)


def descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def children() -> set[int]:
    return {
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text(encoding="ascii").split()
    }


async def test_closing_ends_all_jobs_and_workers(original: OpenOriginal) -> None:
    """Jobs in detached tasks, be they running or waiting, end with Unavailable, and no process remains."""
    before, opened = children(), descriptors()
    async with open_pool(Settings(workers=1), (sys.executable, "-I", str(HOSTILE), "hang")) as pool:
        jobs = [asyncio.ensure_future(pool.render(original, FACTS, plan)) for _ in range(3)]
        await until(lambda: pool.idle == 1)
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert not pool._jobs
    assert children() == before
    assert descriptors() == opened


async def test_a_worker_inherits_nothing(pools: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no secret in its environment, no working folder, and no descriptor but its own."""
    monkeypatch.setenv("DARKROOM_S3_SECRET_ACCESS_KEY", "secret")
    inheritable = os.dup(0)
    os.set_inheritable(inheritable, True)
    try:
        pool = await pools("honest")
    finally:
        os.close(inheritable)
    process = Path(f"/proc/{next_pid(pool)}")
    environment = (process / "environ").read_bytes().split(b"\0")
    names = {variable.partition(b"=")[0] for variable in environment if variable}
    assert names == {b"LC_ALL", b"MALLOC_ARENA_MAX", b"VIPS_CONCURRENCY", b"VIPS_DISC_THRESHOLD"}
    assert (process / "cwd").readlink() == Path("/")
    kinds = [str(fd.readlink()).partition(":")[0] for fd in (process / "fd").iterdir()]
    assert sorted(kinds) == ["/dev/null", "/dev/null", "pipe", "socket"]


async def test_a_worker_that_does_not_start_says_why() -> None:
    """The server does not start, and reports what the worker wrote to stderr."""
    with pytest.raises(WorkerStartError, match=r"libvips 8\.12\.0 is loaded"):
        async with open_pool(Settings(workers=1), (sys.executable, "-I", str(HOSTILE), "no-start")):
            pass
    with pytest.raises(WorkerStartError, match="No such file"):
        async with open_pool(Settings(workers=1), ("/nonexistent",)):
            pass


async def test_a_worker_that_says_nothing_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for a hello has a deadline."""
    monkeypatch.setattr("proxy.workers.supervisor._START_DEADLINE_S", 0.2)
    with pytest.raises(WorkerStartError, match="was not ready within"):
        async with open_pool(Settings(workers=1), (sys.executable, "-I", str(HOSTILE), "silent")):
            pass


async def test_a_missing_sandbox_layer_is_an_error_by_default(pools: Pools) -> None:
    """The error says what to do; `sandbox=prefer` starts all the same."""
    assert (await pools("unsandboxed", sandbox="prefer")).sandbox_features.missing == ("Landlock",)
    with pytest.raises(WorkerStartError, match=r"Landlock.* set DARKROOM_SANDBOX=prefer"):
        await pools("unsandboxed")


async def test_crash_loops_slow_down(pools: Pools, original: OpenOriginal) -> None:
    """The more workers crash in a row, the longer is the pause before the next start."""
    pool = await pools("exit", render_deadline_s=0.3)
    assert pool._supervisor._pause_s() == 0
    for _ in range(6):
        with pytest.raises((WorkerCrashed, Unavailable)):
            await pool.render(original, FACTS, plan)
    assert pool._supervisor._pause_s() > 0


def test_workers_end_with_the_server() -> None:
    """A server that is killed with SIGKILL leaves no worker behind."""
    code = """
        import asyncio, sys, time
        from proxy.workers.pool import open_pool
        from proxy.settings import Settings
        async def main():
            async with open_pool(Settings(workers=1)) as pool:
                print(*(worker.popen.pid for worker in pool._supervisor.alive), flush=True)
                time.sleep(3600)
        asyncio.run(main())
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        parent.kill()
    end = time.monotonic() + PATIENCE_S
    while not all(gone(pid) or state(pid) == "Z" for pid in workers) and time.monotonic() < end:
        time.sleep(0.01)
    assert all(gone(pid) or state(pid) == "Z" for pid in workers)


def state(pid: int) -> str:
    """Return the state of a process; the zombie of an orphan is reaped by its new parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_it_works_under_uvloop(png: Path) -> None:
    """The production loop behaves like the standard one: jobs, a caller that leaves, a deadline, the end."""

    async def main() -> None:
        with OpenOriginal(os.open(png, os.O_RDONLY), 1) as opened:
            async with open_pool(Settings(workers=2, render_deadline_s=1.0)) as pool:
                results = await asyncio.gather(*(pool.render(opened, None, plan) for _ in range(20)))
                assert all(result.derivative.width == 8 for result in results)
                for pid in pids(pool):
                    os.kill(pid, signal.SIGSTOP)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await pool.render(opened, FACTS, plan)
                await until(lambda: pool.restarts == {"deadline": 1} and pool.workers == 3)
                assert (await pool.render(opened, FACTS, plan)).derivative.width == 8

    before = children()
    uvloop.run(main())
    assert children() == before


def test_the_parent_never_loads_libvips() -> None:
    """Only workers import libvips, so only they crash with it."""
    code = "import sys, proxy.workers.pool; sys.exit('pyvips' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
