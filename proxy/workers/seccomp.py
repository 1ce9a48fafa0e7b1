"""The seccomp filter: the system calls that a closed worker may make, and their assembly into classic BPF.

The kernel runs the program on each call, over `struct seccomp_data` (seccomp(2)): the call's number, the
architecture it was made for, six arguments of 64 bits. First the architecture (a foreign one renumbers
everything: the process is killed), then the table. x32 calls carry bit 30 in their number, so none of them
is in the table. Pointers cannot be followed, which is why calls are granted that take descriptors, and not
those that take names; but for two. `newfstatat` is what the C library's `fstat` is: a worker can learn that a file is
there, how large and how old it is, and not what is in it. And files can be opened to be read, where Landlock judges
which.
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
"""As if the kernel were older: the C library then goes the older way."""
DONE = ERRNO
"""Nothing is done, and success is told."""

_LOAD, _AND, _JUMP_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_CLONE_THREAD = 0x00010000
_PROT_EXEC = 4
_AT_EMPTY_PATH = 0x1000
_PR_SET_NAME = 15
_F_DUPFD_CLOEXEC = 1030
_NOT_JUST_READING = 0xFFFFFFFF & ~(os.O_CLOEXEC | 0o100000)
"""All flags of open(2) but close-on-exec and O_LARGEFILE: no writing, none of O_PATH, which Landlock passes."""
_WHOLE = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Check:
    """Half an argument (0 is the low one), masked, must be `value`; integers live in the low half alone."""

    index: int
    mask: int
    value: int
    half: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """One architecture: its audit number (linux/audit.h), its column of `_CALLS`, its seccomp call."""

    audit: int
    column: int
    seccomp: int


TABLES = {"x86_64": Table(0xC000003E, 0, 317), "aarch64": Table(0xC00000B7, 1, 277)}

_CALLS: dict[str, tuple[int | None, int | None]] = {
    # the socket, the original
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
    # signals, to itself
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "tgkill": (234, 131),
    "restart_syscall": (219, 128),
    # time, chance
    "gettimeofday": (96, 169),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "getrandom": (318, 278),
}
"""Numbers on x86_64 and aarch64 (asm/unistd_64.h, asm-generic/unistd.h); None where there is no such call."""

_OPENAT, _ACCESS = (257, 56), (21, 48)
"""Cairo asks whether it may read a font before it opens it: opening tells, so whoever asks hears yes."""
_CLONE3 = 435
"""Its flags lie behind a pointer: the C library is told to use clone."""


def assemble(table: Table, pid: int, *, opens: bool = False) -> bytes:
    """Give the filter for the process `pid` as an array of `struct sock_filter` (linux/filter.h).

    With `opens`, files can be opened for reading: Landlock has to say which.
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
        *_when(access, [_instruction(_RETURN, DONE if opens else DENY)]),
    ]
    for name, numbers in granted.items():
        number = numbers[table.column]
        if number is not None:
            code += _when(number, _grant(checks.get(name, ())))
    return b"".join([*code, _instruction(_RETURN, DENY)])


def _when(number: int, then: list[bytes]) -> list[bytes]:
    return [_instruction(_JUMP_EQUAL, number, over_if_false=len(then)), *then]


def _grant(checks: tuple[Check, ...]) -> list[bytes]:
    """Allow when all checks hold, deny otherwise; either way the program ends here."""
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
    """Name the calls that are granted with some arguments alone."""
    never_executable = (Check(2, _PROT_EXEC, 0),)
    return {
        "clone": (Check(0, _CLONE_THREAD, _CLONE_THREAD),),
        "fcntl": (Check(1, _WHOLE, _F_DUPFD_CLOEXEC),),
        "mmap": never_executable,
        "mprotect": never_executable,
        "openat": (Check(2, _NOT_JUST_READING, 0),),
        "newfstatat": (Check(3, _AT_EMPTY_PATH, _AT_EMPTY_PATH),),
        "prctl": (Check(0, _WHOLE, _PR_SET_NAME),),
        "prlimit64": (Check(0, _WHOLE, 0), Check(2, _WHOLE, 0), Check(2, _WHOLE, 0, half=1)),
        "tgkill": (Check(0, _WHOLE, pid),),
    }
