"""The seccomp filter: the system calls that a locked-down worker may make, assembled into classic BPF.

The kernel runs the program for each call, over `struct seccomp_data` (seccomp(2)): the call's number, its architecture,
and six arguments of 64 bits. The program checks the architecture first (another one numbers the calls differently, so
the process is killed), then the table. x32 calls have bit 30 set in their number, so none of them is in the table.

A filter cannot follow pointers. Therefore calls that take descriptors are allowed, and calls that take names are not,
with two exceptions. The C library implements `fstat` as `newfstatat`, so a worker can find out that a file exists, its
size and its age, but not its contents. And files can be opened for reading if Landlock decides which.
"""

import errno
import os
import struct
from dataclasses import dataclass

INSTRUCTION_BYTES = 8

ALLOW = 0x7FFF0000
KILL = 0x80000000
ERRNO = 0x00050000
DENY = ERRNO | errno.EPERM
ABSENT = ERRNO | errno.ENOSYS
"""Pretends an older kernel: the C library then uses the older call."""
SUCCEED = ERRNO
"""Does nothing and reports success."""

_LOAD, _AND, _JUMP_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_CLONE_THREAD = 0x00010000
_PROT_EXEC = 4
_AT_EMPTY_PATH = 0x1000
_PR_SET_NAME = 15
_F_DUPFD_CLOEXEC = 1030
_FORBIDDEN_OPEN_FLAGS = 0xFFFFFFFF & ~(os.O_CLOEXEC | 0o100000)
"""All flags of open(2) except close-on-exec and O_LARGEFILE: no writing, and no O_PATH, which Landlock ignores."""
_WHOLE = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Check:
    """Half of an argument (0 is the low half), masked, must equal `value`. Integers occupy the low half only."""

    index: int
    mask: int
    value: int
    half: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """One architecture: its audit number (linux/audit.h), its column in `_CALLS`, the number of its seccomp call."""

    audit: int
    column: int
    seccomp: int


TABLES = {"x86_64": Table(0xC000003E, 0, 317), "aarch64": Table(0xC00000B7, 1, 277)}

_CALLS: dict[str, tuple[int | None, int | None]] = {
    # socket and original
    "read": (0, 63),
    "readv": (19, 65),
    "pread64": (17, 67),
    "write": (1, 64),
    "writev": (20, 66),
    "lseek": (8, 62),
    "close": (3, 57),
    "dup": (32, 23),
    "fcntl": (72, 25),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "poll": (7, None),
    "ppoll": (271, 73),
    # memory
    "brk": (12, 214),
    "mmap": (9, 222),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "mprotect": (10, 226),
    "madvise": (28, 233),
    "membarrier": (324, 283),
    # threads
    "clone": (56, 220),
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "gettid": (186, 178),
    "getpid": (39, 172),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "getcpu": (309, 168),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "exit": (60, 93),
    "exit_group": (231, 94),
    # signals to itself
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "tgkill": (234, 131),
    "restart_syscall": (219, 128),
    # time and randomness
    "gettimeofday": (96, 169),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "getrandom": (318, 278),
}
"""Numbers on x86_64 and aarch64 (asm/unistd_64.h, asm-generic/unistd.h); None if the call does not exist."""

_OPENAT, _ACCESS = (257, 56), (21, 48)
"""Cairo calls access(2) before it opens a font. The answer is always yes; opening the font then decides."""
_CLONE3 = 435
"""Its flags are behind a pointer: it is reported as absent, so that the C library uses clone."""


def assemble(table: Table, pid: int, *, opens: bool = False) -> bytes:
    """Return the filter for the process `pid` as an array of `struct sock_filter` (linux/filter.h).

    With `opens`, files can be opened for reading; Landlock must restrict which.
    """
    checks = _checks(pid)
    granted = _CALLS | ({"openat": _OPENAT} if opens else {})
    access = _ACCESS[table.column]
    code = [
        _instruction(_LOAD, _ARCHITECTURE_AT),
        _instruction(_JUMP_EQUAL, table.audit, over_if_true=1),
        _instruction(_RETURN, KILL),
        _instruction(_LOAD, _NUMBER_AT),
        *_when(_CLONE3, [_instruction(_RETURN, ABSENT)]),
        *_when(access, [_instruction(_RETURN, SUCCEED if opens else DENY)]),
    ]
    for name, numbers in granted.items():
        number = numbers[table.column]
        if number is not None:
            code += _when(number, _grant(checks.get(name, ())))
    return b"".join([*code, _instruction(_RETURN, DENY)])


def _when(number: int, then: list[bytes]) -> list[bytes]:
    return [_instruction(_JUMP_EQUAL, number, over_if_false=len(then)), *then]


def _grant(checks: tuple[Check, ...]) -> list[bytes]:
    """Allow the call if all checks hold, otherwise deny it; the program ends here in both cases."""
    code: list[bytes] = []
    for check in checks:
        code += [
            _instruction(_LOAD, _ARGUMENTS_AT + 8 * check.index + 4 * check.half),
            _instruction(_AND, check.mask),
            _instruction(_JUMP_EQUAL, check.value, over_if_true=1),
            _instruction(_RETURN, DENY),
        ]
    return [*code, _instruction(_RETURN, ALLOW)]


def _instruction(code: int, operand: int, *, over_if_true: int = 0, over_if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, over_if_true, over_if_false, operand)


def _checks(pid: int) -> dict[str, tuple[Check, ...]]:
    """Return the calls that are allowed with certain arguments only."""
    never_executable = (Check(2, _PROT_EXEC, 0),)
    return {
        "clone": (Check(0, _CLONE_THREAD, _CLONE_THREAD),),
        "fcntl": (Check(1, _WHOLE, _F_DUPFD_CLOEXEC),),
        "mmap": never_executable,
        "mprotect": never_executable,
        "openat": (Check(2, _FORBIDDEN_OPEN_FLAGS, 0),),
        "newfstatat": (Check(3, _AT_EMPTY_PATH, _AT_EMPTY_PATH),),
        "prctl": (Check(0, _WHOLE, _PR_SET_NAME),),
        "prlimit64": (Check(0, _WHOLE, 0), Check(2, _WHOLE, 0), Check(2, _WHOLE, 0, half=1)),
        "tgkill": (Check(0, _WHOLE, pid),),
    }
