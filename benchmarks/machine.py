"""What was measured on, and what processes use: all from /proc and the packages themselves."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyvips
import uvicorn

_TICKS = os.sysconf("SC_CLK_TCK")


def describe() -> dict[str, str]:
    """Tell the machine and the versions that shape the figures."""
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
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return (told.stdout + told.stderr).strip().rpartition("/")[2]


def family(pid: int) -> list[int]:
    """Give a process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(one for child in children for one in family(int(child)))]


def cpu_s(pid: int) -> float:
    """Give the CPU seconds, user and system, that a process has used (proc_pid_stat(5))."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS


def children_cpu_s(pid: int) -> float:
    """Give the CPU seconds of a process's children, those that live and those that it has waited for."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    gone = (int(after_name[13]) + int(after_name[14])) / _TICKS
    return gone + sum(cpu_s(child) for child in family(pid)[1:])


@dataclass(frozen=True, slots=True)
class Memory:
    """A family of processes, in bytes: `pss` now (shared pages divided), `peak` the sum of the kernel's own peaks."""

    pss: int
    peak: int

    @classmethod
    def of(cls, pid: int) -> "Memory":
        """Add up a process and its descendants; one that ends meanwhile counts nothing."""
        pss = peak = 0
        for one in family(pid):
            try:
                pss += _kib(Path(f"/proc/{one}/smaps_rollup"), "Pss:")
                peak += _kib(Path(f"/proc/{one}/status"), "VmHWM:")
            except OSError:
                continue
        return cls(pss, peak)


def _kib(path: Path, field: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(field)), 0)
