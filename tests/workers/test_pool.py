"""The pool against real worker processes: honest ones, and ones that have been taken over."""

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

from proxy.core.errors import DeadlineExceeded, LimitExceeded, Unavailable, UnsupportedFormat, WorkerCrashed
from proxy.core.geometry import Box, Size
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
from proxy.workers.supervisor import PIXEL_CODE
from tests.patience import until
from tests.plans import plain_plan

FACTS = Facts(PNG, 16, 16)
PATIENCE_S = 30.0
HOSTILE = Path(__file__).with_name("hostile_worker.py")

Pools = Callable[..., Awaitable[Pool]]


def plan_for(size: Size, kind: Format = PNG) -> Plan:
    """Give a plan that scales a PNG to `size`."""
    encoding = Encoding(kind, None if kind is PNG else 80, 4)
    return plain_plan(size, encoding)


def plan(_: Facts, __: Box | None = None) -> Plan:
    """Plan a small picture of anything."""
    return plan_for(Size(8, 8))


@pytest.fixture(scope="session")
def png(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write one PNG of 16 × 16 black pixels, made by hand: the tests' own process never loads libvips."""

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
    """ImageRequest pools of real workers, or of ones that behave as named; all are closed at the end."""
    async with AsyncExitStack() as stack:

        async def order(behaviour: str | None = None, **settings: object) -> Pool:
            command = (sys.executable, "-I", str(HOSTILE), behaviour) if behaviour else WORKER
            wanted = Settings.model_validate({"workers": 1} | settings)
            return await stack.enter_async_context(open_pool(wanted, command))

        yield order


def pids(pool: Pool) -> set[int]:
    return {worker.popen.pid for worker in pool._supervisor.alive}


def next_pid(pool: Pool) -> int:
    """Tell which worker the next job goes to."""
    return pool._supervisor.idle[-1].popen.pid


def gone(pid: int) -> bool:
    """Tell that a process is neither running nor a zombie."""
    return not Path(f"/proc/{pid}").exists()


async def test_a_picture_is_developed(pools: Pools, original: OpenOriginal) -> None:
    """Facts and a derivative of the planned kind and size come back from one job."""
    pool = await pools()
    for kind in (PNG, JPEG, WEBP, AVIF):

        def planned(facts: Facts, _: Box | None, kind: Format = kind) -> Plan:
            assert facts == FACTS
            return plan_for(Size(8, 4), kind)

        made = await pool.render(original, None, planned)
        assert made.facts == FACTS
        assert (made.derivative.format, made.derivative.width, made.derivative.height) == (kind, 8, 4)
        assert sniff(made.derivative.body) == kind
        assert made.render_s > 0


async def test_a_header_is_probed(pools: Pools, original: OpenOriginal) -> None:
    assert await (await pools()).probe(original) == FACTS


async def test_generation_and_walls_are_the_workers(pools: Pools) -> None:
    """The pool tells what the workers said: libvips' version, and the sandbox_features around them."""
    pool = await pools()
    assert pool.renderer_version.startswith(f"{PIXEL_CODE}-8.")
    assert not pool.sandbox_features.missing
    assert (pool.size, pool.workers, pool.idle) == (1, 2, 2)


async def test_a_refusal_is_the_original_class(pools: Pools, tmp_path: Path) -> None:
    """What a worker refuses is refused by the pool, at no worker's cost."""
    pool = await pools()
    text = tmp_path / "text"
    text.write_text("no picture", encoding="ascii")
    with OpenOriginal(os.open(text, os.O_RDONLY), 10) as opened, pytest.raises(UnsupportedFormat):
        await pool.probe(opened)
    assert not pool.restarts


async def test_fonts_of_one_s_own_are_loaded_and_make_another_generation(tmp_path: Path) -> None:
    fonts = tmp_path / "fonts" / "more"
    fonts.mkdir(parents=True)
    shutil.copy(BUNDLED, fonts / "Other.TTF")
    (fonts / "readme.txt").write_text("no font")
    generations: set[str] = set()
    for folder in (None, tmp_path / "fonts"):
        async with open_pool(Settings(home=tmp_path, workers=1, fonts=folder)) as pool:
            generations.add(pool.renderer_version)
    changed = bytearray(BUNDLED.read_bytes())
    changed[-1] ^= 1
    (fonts / "Other.TTF").write_bytes(changed)  # of the same name and size
    async with open_pool(Settings(home=tmp_path, workers=1, fonts=tmp_path / "fonts")) as pool:
        generations.add(pool.renderer_version)
    assert len(generations) == 3


async def test_fonts_that_change_under_a_server_change_no_picture(tmp_path: Path) -> None:
    """They are replaced and removed by package managers; a worker that starts then would draw with others."""
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    shutil.copy(BUNDLED, fonts / "Other.ttf")
    drawing = tmp_path / "word.svg"
    drawing.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="99" height="30"><text y="20">Hij</text></svg>')
    settings = Settings(home=tmp_path, workers=1, worker_jobs=3, formats="svg", fonts=fonts)
    seen = []

    def enlarging_to(width: int) -> Planning:
        return lambda facts, _: resolve_plan(parse(f"w{width}-up-png"), facts)

    enlarging = [enlarging_to(width) for width in (100, 110, 120, 130)]
    async with open_pool(settings) as pool:
        for number in range(12):
            if number == 2:
                (fonts / "Other.ttf").unlink()
            with OpenOriginal(os.open(drawing, os.O_RDONLY), drawing.stat().st_size) as original:
                made = await pool.render(original, None, enlarging[number % 4])
            seen.append(made.derivative.body)
    assert seen[4:8] == seen[8:12] == [*seen[0:2], *seen[6:8]]


async def test_a_worker_does_not_start_without_the_fonts_of_its_generation(tmp_path: Path) -> None:
    """Who cleans up old files finds the copies as well."""
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    shutil.copy(BUNDLED, fonts / "Other.ttf")
    async with open_pool(Settings(home=tmp_path, workers=1, fonts=fonts)) as pool:
        shutil.rmtree(pool._supervisor._fonts.folder)
        with pytest.raises(WorkerStartError, match=r"Of 1 fonts .* 0 are left"):
            await pool._supervisor._started()


@pytest.mark.parametrize("wrong", ["nothing", "empty", "crowded"])
async def test_a_folder_without_fonts_is_told(tmp_path: Path, wrong: str) -> None:
    folder = tmp_path / wrong
    if wrong != "nothing":
        folder.mkdir()
    for number in range(301 if wrong == "crowded" else 0):
        (folder / f"{number}.ttf").touch()
    with pytest.raises(WorkerStartError, match="DARKROOM_FONTS"):
        async with open_pool(Settings(home=tmp_path, workers=1, fonts=folder)):
            pass


async def test_a_refusing_plan_gives_the_worker_back(pools: Pools, original: OpenOriginal) -> None:
    """`plan` may refuse between probe and render; the worker serves on."""
    pool = await pools("honest")

    def refuse(_: Facts, __: Box | None) -> Plan:
        raise LimitExceeded("Too much.")

    with pytest.raises(LimitExceeded):
        await pool.render(original, None, refuse)
    assert (pool.idle, pool.restarts) == (2, {})
    await pool.render(original, None, plan)


async def test_one_death_costs_nothing(pools: Pools, original: OpenOriginal) -> None:
    """A worker killed at its work loses no request: another one does it."""
    pool = await pools()
    victim = next_pid(pool)
    os.kill(victim, signal.SIGSTOP)
    job = asyncio.ensure_future(pool.render(original, FACTS, plan))
    await until(lambda: pool.idle == 1)
    os.kill(victim, signal.SIGKILL)
    assert (await job).derivative.width == 8
    assert pool.restarts == {"died": 1}
    await until(lambda: pool.workers == 2 and gone(victim))
    assert victim not in pids(pool)


async def test_two_deaths_are_poison(pools: Pools, original: OpenOriginal) -> None:
    """An original whose second worker dies too is refused, and the pool serves on."""
    pool = await pools()
    for pid in pids(pool):
        os.kill(pid, signal.SIGSTOP)
    victims = pids(pool)
    job = asyncio.ensure_future(pool.render(original, FACTS, plan))
    await until(lambda: pool.idle == 1)
    idle = {worker.popen.pid for worker in pool._supervisor.idle}
    for pid in victims - idle:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: pool.restarts == {"died": 1} and not idle & {w.popen.pid for w in pool._supervisor.idle})
    for pid in idle:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerCrashed):
        await job
    assert (await pool.render(original, FACTS, plan)).derivative.width == 8


async def test_an_idle_death_is_no_originals_fault(pools: Pools, original: OpenOriginal) -> None:
    """Workers that died while they were idle are replaced before they are asked."""
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
    """Whatever a worker answers that an honest one would not, it dies of it, and so does its successor."""
    pool = await pools(behaviour)
    victims = pids(pool)
    with pytest.raises(WorkerCrashed):
        await pool.render(original, FACTS, plan)
    assert pool.restarts == {"died": 2}
    await until(lambda: all(map(gone, victims)) and pool.workers == 2)


async def test_a_worker_that_speaks_unasked_is_never_asked(pools: Pools, original: OpenOriginal) -> None:
    """An answer prepared in advance reaches nobody."""
    pool = await pools("early")
    victim = pool._supervisor.idle[-1]
    await pool.probe(original)
    await until(lambda: not is_silent(victim.socket))
    assert await pool.probe(original) == FACTS
    assert pool.restarts == {"died": 1}
    assert victim not in pool._supervisor.alive


async def test_a_hang_ends_at_the_deadline(pools: Pools, original: OpenOriginal) -> None:
    """A worker that doesn't answer is killed and not retried; the pool is whole again."""
    pool = await pools("hang", render_deadline_s=0.2)
    victim = next_pid(pool)
    with pytest.raises(DeadlineExceeded):
        await pool.render(original, FACTS, plan)
    assert pool.restarts == {"deadline": 1}
    await until(lambda: gone(victim) and pool.workers == 2)


async def test_a_stopped_worker_ends_at_the_deadline(pools: Pools, original: OpenOriginal) -> None:
    """SIGSTOP is a hang like any other, and the next request is served by the spare at once."""
    pool = await pools(render_deadline_s=1.0)
    os.kill(next_pid(pool), signal.SIGSTOP)
    with pytest.raises(DeadlineExceeded):
        await pool.render(original, FACTS, plan)
    assert (await pool.render(original, FACTS, plan)).derivative.width == 8


async def test_a_client_that_leaves_frees_the_worker(pools: Pools, original: OpenOriginal) -> None:
    """A cancelled job's worker is killed after its grace, and its turn goes to who waits."""
    pool = await pools("hang", render_deadline_s=60)
    job = asyncio.ensure_future(pool.render(original, FACTS, plan))
    await until(lambda: pool.idle == 1)
    waiting = asyncio.ensure_future(pool.render(original, FACTS, plan))
    await asyncio.sleep(0)
    job.cancel()
    await until(lambda: pool.restarts == {"left": 1})
    waiting.cancel()
    await until(lambda: pool.restarts.get("left") == 2 or waiting.done())
    await asyncio.gather(job, waiting, return_exceptions=True)
    await until(lambda: pool.idle == 2)


async def test_work_that_ends_within_the_grace_keeps_its_worker(
    pools: Pools, original: OpenOriginal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client's leaving costs no worker that is nearly done."""
    monkeypatch.setattr("proxy.workers.pool._GRACE_S", PATIENCE_S)
    pool = await pools()
    before = pids(pool)
    os.kill(next_pid(pool), signal.SIGSTOP)
    job = asyncio.ensure_future(pool.render(original, FACTS, plan))
    await until(lambda: pool.idle == 1)
    job.cancel()
    for pid in before:
        os.kill(pid, signal.SIGCONT)
    await until(lambda: pool.idle == 2)
    assert (pids(pool), pool.restarts) == (before, {})


async def test_leaving_at_any_moment_loses_no_turn(pools: Pools, png: Path) -> None:
    """Many clients leave at random moments and close their originals; the pool is as whole as before."""
    pool = await pools("honest", workers=2)

    async def client(patience_s: float) -> None:
        with OpenOriginal(os.open(png, os.O_RDONLY), 1) as opened:
            async with asyncio.timeout(patience_s):
                await pool.render(opened, None, plan)

    jobs = [client(0.0001 * number) for number in range(200)]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert {type(one) for one in results} <= {TimeoutError, type(None)}
    await until(lambda: pool.idle == 3)
    assert pool._supervisor.size == pool._permits._value == 2


async def test_no_more_visits_at_once_than_turns(pools: Pools, original: OpenOriginal) -> None:
    """The spare is a spare: it does no work beside the others."""
    pool = await pools("honest", workers=2)
    seen = []

    def watched(facts: Facts, _: Box | None) -> Plan:
        seen.append(pool.workers - pool.idle)
        return plan(facts)

    await asyncio.gather(*(pool.render(original, None, watched) for _ in range(50)))
    assert max(seen) == 2
    assert pool.idle == 3


async def test_a_worker_is_replaced_after_its_jobs(pools: Pools, original: OpenOriginal) -> None:
    """Recycling by count, while the others go on."""
    pool = await pools("honest", worker_jobs=3)
    first = next_pid(pool)
    for _ in range(12):
        await pool.render(original, FACTS, plan)
        await until(lambda: pool.workers == 2)
    assert pool.restarts == {"jobs": 4}
    assert first not in pids(pool)


async def test_a_worker_is_replaced_when_it_has_grown(pools: Pools, original: OpenOriginal) -> None:
    """Recycling by resident memory, as the kernel tells it."""
    pool = await pools("fat", worker_rss_bytes=64 * 2**20)
    victim = next_pid(pool)
    await pool.render(original, FACTS, plan)
    assert pool.restarts == {"rss": 1}
    await until(lambda: gone(victim) and pool.workers == 2)


async def test_200_visits_leak_nothing(pools: Pools, original: OpenOriginal) -> None:
    """Neither descriptors nor children are left over, recycling included."""
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


async def test_closing_leaves_nobody(original: OpenOriginal) -> None:
    """All workers are gone when the pool is closed, a job under way ends with Unavailable."""
    before, opened = children(), descriptors()
    async with open_pool(Settings(workers=1), (sys.executable, "-I", str(HOSTILE), "hang")) as pool:
        jobs = [asyncio.ensure_future(pool.render(original, FACTS, plan)) for _ in range(3)]
        await until(lambda: pool.idle == 1)
    for job in jobs:
        with pytest.raises(Unavailable):
            await job
    assert children() == before
    assert descriptors() == opened


async def test_a_worker_inherits_nothing(pools: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret of the environment, no folder, no descriptor but its own, no chance to be attached to."""
    monkeypatch.setenv("DARKROOM_S3_SECRET_ACCESS_KEY", "secret")
    reached = os.dup(0)
    os.set_inheritable(reached, True)
    try:
        pool = await pools("honest")
    finally:
        os.close(reached)
    process = Path(f"/proc/{next_pid(pool)}")
    environment = (process / "environ").read_bytes().split(b"\0")
    names = {one.partition(b"=")[0] for one in environment if one}
    assert names == {b"LC_ALL", b"MALLOC_ARENA_MAX", b"VIPS_CONCURRENCY", b"VIPS_DISC_THRESHOLD"}
    assert (process / "cwd").readlink() == Path("/")
    kinds = [str(fd.readlink()).partition(":")[0] for fd in (process / "fd").iterdir()]
    assert sorted(kinds) == ["/dev/null", "/dev/null", "pipe", "socket"]


async def test_a_worker_that_does_not_start_says_why() -> None:
    """The server refuses to start, with the worker's own sentence."""
    with pytest.raises(WorkerStartError, match=r"libvips 8\.12\.0 is loaded"):
        async with open_pool(Settings(workers=1), (sys.executable, "-I", str(HOSTILE), "no-start")):
            pass
    with pytest.raises(WorkerStartError, match="No such file"):
        async with open_pool(Settings(workers=1), ("/nonexistent",)):
            pass


async def test_a_worker_that_says_nothing_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a hello has a deadline."""
    monkeypatch.setattr("proxy.workers.supervisor._START_DEADLINE_S", 0.2)
    with pytest.raises(WorkerStartError, match="not ready"):
        async with open_pool(Settings(workers=1), (sys.executable, "-I", str(HOSTILE), "silent")):
            pass


async def test_a_missing_wall_is_told_or_refused(pools: Pools) -> None:
    """`sandbox=prefer` starts and says so; `sandbox=require` does not start."""
    assert (await pools("wall-less", sandbox="prefer")).sandbox_features.missing == ("Landlock",)
    with pytest.raises(WorkerStartError, match="Landlock"):
        await pools("wall-less", sandbox="require")


async def test_crash_loops_slow_down(pools: Pools, original: OpenOriginal) -> None:
    """The more often workers die in a row, the longer the pause before the next."""
    pool = await pools("exit", render_deadline_s=0.3)
    assert pool._supervisor._pause_s() == 0
    for _ in range(6):
        with pytest.raises((WorkerCrashed, Unavailable)):
            await pool.render(original, FACTS, plan)
    assert pool._supervisor._pause_s() > 0


def test_the_parents_death_is_the_workers() -> None:
    """A server killed with SIGKILL leaves no worker behind."""
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
    """Tell a process' state; an orphan's zombie is its new parent's to reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_it_works_under_uvloop(png: Path) -> None:
    """The production loop does as the standard one: jobs, a deadline, a client that leaves, an end."""

    async def main() -> None:
        with OpenOriginal(os.open(png, os.O_RDONLY), 1) as opened:
            async with open_pool(Settings(workers=2)) as pool:
                made = await asyncio.gather(*(pool.render(opened, None, plan) for _ in range(20)))
                assert all(one.derivative.width == 8 for one in made)
                for pid in pids(pool):
                    os.kill(pid, signal.SIGSTOP)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await pool.render(opened, FACTS, plan)
                await until(lambda: pool.restarts == {"left": 1} and pool.workers == 3)
                assert (await pool.render(opened, FACTS, plan)).derivative.width == 8

    before = children()
    uvloop.run(main())
    assert children() == before


def test_the_parent_never_loads_libvips() -> None:
    """What crashes with libvips is a worker: nobody else imports it."""
    code = "import sys, proxy.workers.pool; sys.exit('pyvips' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
