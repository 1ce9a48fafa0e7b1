"""The sandbox: a process permanently gives up everything that it does not need to turn bytes into bytes.

Image decoders are where remote code execution happens (libwebp, libheif), so a process that decodes is assumed to be
controlled by the attacker. There are four layers, and each stops most of what the others would stop:

* *rlimits* limit address space, CPU time, descriptors and files (setrlimit(2));
* *no_new_privs, no capabilities, not dumpable* (prctl(2), capabilities(7)): there is no privilege to gain, and no other
  process can attach, also if the worker runs as root;
* *Landlock* (landlock(7)): every right that the kernel knows is handled, and only reading the named files (fonts) is
  granted. There is no file system, no TCP, and no signal or abstract socket beyond the process itself;
* *seccomp* (seccomp(2)): an allow list of the system calls that computing on open descriptors needs. All others fail
  with EPERM, including those that future kernels will add. Opening a file for reading is allowed only if Landlock
  decides which file.

The module uses ctypes only: bindings need the system's libseccomp, which a wheel cannot contain.

Landlock, capabilities and niceness belong to a thread, so `lock_down` must be called while there is only one: after
libvips is loaded, and before the first picture starts a thread. Measured: libvips opens no file after that, and
`lock_down` takes about a millisecond.
"""

import ctypes
import os
import platform
import resource
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from proxy.workers import seccomp

_LIBC = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CAPABILITY_VERSION_3 = 0x20080522

# landlock(7): the same numbers on every architecture
_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_LANDLOCK_VERSION = 1
_PATH_BENEATH, _READ_FILE = 1, 1 << 2
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""Number of file rights by ABI; each right is one bit."""
_TCP_ABI, _TCP_RIGHTS = 4, 0b11
_SCOPE_ABI, _SCOPES = 6, 0b11

_SECCOMP_SET_FILTER, _SECCOMP_ACTION_AVAILABLE = 1, 2
_SECCOMP_TSYNC = 1
_DESCRIPTORS = 32
"""Three standard descriptors, the socket, an original and libvips' copies of it."""


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """What one worker process may use."""

    memory_bytes: int
    """Address space (RLIMIT_AS)."""
    cpu_s: int
    """CPU time of all threads together (RLIMIT_CPU)."""
    derivative_bytes: int
    """Largest derivative that it may send."""


@dataclass(frozen=True, slots=True)
class SandboxFeatures:
    """Which layers of the sandbox are active, or available."""

    landlock: int | None
    """The kernel's Landlock ABI, from 1; None if Landlock is missing."""
    seccomp: bool

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the layers that are missing."""
        layers = (("Landlock", self.landlock), ("seccomp", self.seccomp))
        return tuple(name for name, active in layers if not active)


def available() -> SandboxFeatures:
    """Return what this kernel offers, without restricting anything."""
    table = seccomp.TABLES.get(platform.machine())
    return SandboxFeatures(landlock=_landlock_abi(), seccomp=table is not None and _offers_seccomp(table))


def die_with_parent(parent_pid: int) -> None:
    """Receive SIGKILL when the parent's thread that started this process ends. Raise SystemExit if it has ended.

    The order matters: a parent that ends before the prctl sends no signal, but is no longer the parent
    (PR_SET_PDEATHSIG(2const)).
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        raise SystemExit("The parent process is gone.")


def lock_down(limits: ResourceLimits, readable: Iterable[Path] = ()) -> SandboxFeatures:
    """Restrict the calling process permanently. Return which layers are active.

    The files in `readable` can still be opened for reading if Landlock is available. Raise OSError if the kernel
    refuses what it offers, or if one of the files does not exist.
    """
    _drop_privileges()
    _set_rlimits(limits)
    offered = available()
    files = list(readable) if offered.landlock is not None else []
    if offered.landlock is not None:
        _restrict_files(offered.landlock, files)
    if offered.seccomp:
        _restrict_syscalls(seccomp.TABLES[platform.machine()], opens=bool(files))
    return offered


def _drop_privileges() -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if _LIBC.capset(header, nothing):
        raise _error("capset")
    _prctl(_PR_SET_DUMPABLE, 0)


def _set_rlimits(limits: ResourceLimits) -> None:
    # No RLIMIT_NPROC: it counts all processes of a user, including the server. seccomp forbids fork, and RLIMIT_AS
    # limits the threads.
    for kind, wanted in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (value, value))


def _landlock_abi() -> int | None:
    abi = _syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)
    return abi if abi > 0 else None


class _Beneath(ctypes.Structure):
    """`struct landlock_path_beneath_attr` of linux/landlock.h."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("fd", ctypes.c_int32))


def _restrict_files(abi: int, readable: list[Path]) -> None:
    """Handle every right, and grant reading of `readable`. Older kernels accept the structure if its rest is zero."""
    rights = _FILE_RIGHTS[max(version for version in _FILE_RIGHTS if version <= abi)]
    tcp = _TCP_RIGHTS if abi >= _TCP_ABI else 0
    scopes = _SCOPES if abi >= _SCOPE_ABI else 0
    handled = (ctypes.c_uint64 * 3)((1 << rights) - 1, tcp, scopes)
    ruleset = _syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    if ruleset < 0:
        raise _error("landlock_create_ruleset")
    try:
        for file in readable:
            _grant_reading(ruleset, file)
        if _syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0):
            raise _error("landlock_restrict_self")
    finally:
        os.close(ruleset)


def _grant_reading(ruleset: int, file: Path) -> None:
    fd = os.open(file, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = ctypes.byref(_Beneath(_READ_FILE, fd))
        if _syscall(_LANDLOCK_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0):
            raise _error("landlock_add_rule")
    finally:
        os.close(fd)


def _offers_seccomp(table: seccomp.Table) -> bool:
    action = ctypes.c_uint32(seccomp.ERRNO)
    return _syscall(table.seccomp, _SECCOMP_ACTION_AVAILABLE, 0, ctypes.byref(action)) == 0


class _Program(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _restrict_syscalls(table: seccomp.Table, *, opens: bool) -> None:
    """Install the filter in all threads, or fail and install it in none."""
    code = seccomp.assemble(table, os.getpid(), opens=opens)
    program = _Program(len(code) // seccomp.INSTRUCTION_BYTES, code)
    if _syscall(table.seccomp, _SECCOMP_SET_FILTER, _SECCOMP_TSYNC, ctypes.byref(program)):
        raise _error("seccomp")


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise _error("prctl")


def _syscall(number: int, *arguments: object) -> int:
    converted = (ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments)
    return int(_LIBC.syscall(ctypes.c_long(number), *converted))


def _error(call: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, f"{call}: {os.strerror(code)}")
