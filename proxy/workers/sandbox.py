"""The sandbox: a process gives up, for good, all it does not need to turn bytes into bytes.

Decoders of pictures are where remote code runs (libwebp, libheif), so whoever decodes is taken to be the
attacker's. Four layers, each enough to stop most of what the others would:

* *rlimits* bound address space, CPU, descriptors and files (setrlimit(2));
* *no_new_privs, no capabilities, not dumpable* (prctl(2), capabilities(7)): nothing to gain, nobody to
  attach, also as root;
* *Landlock* (landlock(7)): every right the kernel knows is handled and none granted but to read the files
  that are named (fonts), so no file system, no TCP, no signals or abstract sockets beyond itself;
* *seccomp* (seccomp(2)): a list of the calls that computing on open descriptors needs. All others fail with
  EPERM, those that future kernels will add as well. The list of what is needed is shorter and ages better
  than one of what is dangerous. Opening a file to read it is in it only where Landlock judges which.

Pure ctypes: this is what Darkroom exists for, and every binding drags in a libseccomp of the system, which
a wheel cannot bring.

Landlock, capabilities and niceness belong to a thread, so `lock_down` wants to be called while there is only
one: after libvips is loaded, before its first picture starts a thread. Measured: libvips opens no file
after that; closing takes about a millisecond.
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
"""By ABI: how many file rights there are, each one bit."""
_TCP_ABI, _TCP_RIGHTS = 4, 0b11
_SCOPE_ABI, _SCOPES = 6, 0b11

_SECCOMP_SET_FILTER, _SECCOMP_ACTION_AVAILABLE = 1, 2
_SECCOMP_TSYNC = 1
_DESCRIPTORS = 32
"""Three standard ones, the socket, an original and libvips' copies of it."""


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What one process may use in its life."""

    memory_bytes: int
    """Address space (RLIMIT_AS)."""
    cpu_s: int
    """Of all threads together (RLIMIT_CPU)."""


@dataclass(frozen=True, slots=True)
class SandboxFeatures:
    """Which layers of the sandbox are active, or would be."""

    landlock: int | None
    """The kernel's Landlock ABI, 1 and up; None is no wall."""
    seccomp: bool

    @property
    def missing(self) -> tuple[str, ...]:
        """Name the layers that are not active."""
        named = (("Landlock", self.landlock), ("seccomp", self.seccomp))
        return tuple(name for name, stands in named if not stands)


def available() -> SandboxFeatures:
    """Tell what this kernel offers, closing nothing."""
    table = seccomp.TABLES.get(platform.machine())
    return SandboxFeatures(landlock=_landlock_abi(), seccomp=table is not None and _offers_seccomp(table))


def die_with_parent(parent_pid: int) -> None:
    """Die with the parent: SIGKILL when the thread that started us ends; SystemExit when it already has.

    The order matters: a parent that dies before the prctl sends no signal, but is no longer our parent
    (PR_SET_PDEATHSIG(2const)).
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        raise SystemExit("The parent process is gone.")


def lock_down(ceilings: Ceilings, readable: Iterable[Path] = ()) -> SandboxFeatures:
    """Close the calling process for good and tell which layers are active.

    The files in `readable` can still be opened for reading, where there is Landlock to keep it at these. OSError when
    the kernel refuses what it offers, or one of them is not there.
    """
    _drop_privileges()
    _limit(ceilings)
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


def _limit(ceilings: Ceilings) -> None:
    # No RLIMIT_NPROC: it counts all processes of a user, the server's too. seccomp lets nobody fork, and
    # RLIMIT_AS bounds the threads.
    for what, most in (
        (resource.RLIMIT_AS, ceilings.memory_bytes),
        (resource.RLIMIT_CPU, ceilings.cpu_s),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least))


def _landlock_abi() -> int | None:
    abi = _syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)
    return abi if abi > 0 else None


class _Beneath(ctypes.Structure):
    """`struct landlock_path_beneath_attr` of linux/landlock.h."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("fd", ctypes.c_int32))


def _restrict_files(abi: int, readable: list[Path]) -> None:
    """Handle every right, grant few files. An older kernel takes our longer structure if the rest is zero."""
    rights = _FILE_RIGHTS[max(known for known in _FILE_RIGHTS if known <= abi)]
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
    """Install the filter in every thread, or in none."""
    code = seccomp.assemble(table, os.getpid(), opens=opens)
    program = _Program(len(code) // seccomp.INSTRUCTION_BYTES, code)
    if _syscall(table.seccomp, _SECCOMP_SET_FILTER, _SECCOMP_TSYNC, ctypes.byref(program)):
        raise _error("seccomp")


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise _error("prctl")


def _syscall(number: int, *arguments: object) -> int:
    wide = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
    return int(_LIBC.syscall(ctypes.c_long(number), *wide))


def _error(call: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, f"{call}: {os.strerror(code)}")
