"""The machine, the versions, and the resources that processes use, read from /proc and the packages."""

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyvips
import uvicorn

_TICKS = os.sysconf("SC_CLK_TCK")


def describe() -> dict[str, str]:
    """Return the machine and the versions on which the figures depend."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libvips": ".".join(str(pyvips.version(part)) for part in range(3)),
        "uvicorn": uvicorn.__version__,
        "nginx": _version("nginx", "-v"),
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return "not installed"
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    return (completed.stdout + completed.stderr).strip().rpartition("/")[2]


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(descendant for child in children for descendant in family(int(child)))]


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process in seconds, user and system (proc_pid_stat(5))."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS


def children_cpu_s(pid: int) -> float:
    """Return the CPU time of a process's children in seconds, both running ones and ended ones."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    ended = (int(after_name[13]) + int(after_name[14])) / _TICKS
    return ended + sum(cpu_s(child) for child in family(pid)[1:])


@dataclass(frozen=True, slots=True)
class Memory:
    """A process and its descendants, in bytes: the current `pss`, and `peak`, the sum of each one's largest RSS."""

    pss: int
    peak: int

    @classmethod
    def of(cls, pid: int) -> "Memory":
        """Add up a process and its descendants; a process that ends meanwhile is not counted."""
        pss = peak = 0
        for member in family(pid):
            try:
                pss += _kib(Path(f"/proc/{member}/smaps_rollup"), "Pss:")
                peak += _kib(Path(f"/proc/{member}/status"), "VmHWM:")
            except OSError:
                continue
        return cls(pss, peak)


def _kib(path: Path, field: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(field)), 0)
