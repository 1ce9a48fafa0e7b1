"""What a locked-down process can no longer do, and what it still can. Each claim runs in a process of its own."""

import os
import platform
import subprocess
import sys
import textwrap

import pytest

from proxy.workers import sandbox, seccomp

PRELUDE = """
import array, ctypes, errno, mmap, os, resource, signal, socket, sys, threading, time
from proxy.workers import sandbox

def refused(call, *arguments, codes=(errno.EPERM, errno.EACCES, errno.ENOSYS)):
    try:
        call(*arguments)
    except OSError as error:
        assert error.errno in codes, error
    else:
        raise SystemExit(f"allowed: {call} {arguments}")

def close(memory_bytes=1 << 30, readable=()):
    return sandbox.lock_down(sandbox.ResourceLimits(memory_bytes, 60, 1 << 20), readable)

libc = ctypes.CDLL(None, use_errno=True)
def system_call(number, *arguments):
    if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) < 0:
        raise OSError(ctypes.get_errno(), "refused")
"""

pytestmark = pytest.mark.skipif(bool(sandbox.available().missing), reason="this kernel lacks a layer of the sandbox")


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter with a pipe as stdin; its exit code is 0 if its claims hold."""
    command = [sys.executable, "-I", "-c", PRELUDE + textwrap.dedent(code)]
    return subprocess.run(command, input="input", capture_output=True, text=True, timeout=60, check=False)


def holds(code: str) -> None:
    done = run(code)
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize(
    "attempt",
    [
        "refused(os.open, '/etc/passwd', os.O_RDONLY)",
        "refused(os.open, '/dev/null', os.O_WRONLY)",
        "refused(os.open, '/tmp/written', os.O_CREAT | os.O_WRONLY)",
        "refused(os.listdir, '/')",
        "refused(os.stat, '/etc/passwd')",
        "refused(os.unlink, '/etc/nothing')",
        "refused(os.mkdir, '/tmp/made')",
        "refused(os.chdir, '/tmp')",
        "refused(os.memfd_create, 'hidden')",
        "refused(socket.socket)",
        "refused(socket.socket, socket.AF_UNIX)",
        "refused(socket.socketpair)",
        "refused(os.execv, '/bin/true', ['true'])",
        "refused(os.fork)",
        "refused(os.posix_spawn, '/bin/true', ['true'], {})",
        "refused(os.kill, os.getppid(), 0)",
        "refused(os.kill, 1, signal.SIGTERM)",
        "refused(os.pidfd_open, os.getpid())",
        "refused(os.pipe)",
        "refused(os.setuid, 0)",
        "refused(os.nice, 1)",
    ],
)
def test_a_closed_process_is_refused(attempt: str) -> None:
    holds(f"close()\n{attempt}")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are x86_64's")
@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("ptrace", 101),
        ("process_vm_readv", 310),
        ("vfork", 58),
        ("clone of a process", 56),
        ("clone3", 435),
        ("mount", 165),
        ("unshare", 272),
        ("setns", 308),
        ("bpf", 321),
        ("perf_event_open", 298),
        ("userfaultfd", 323),
        ("io_uring_setup", 425),
        ("keyctl", 250),
        ("kexec_load", 246),
        ("init_module", 175),
        ("personality", 135),
        ("open_by_handle_at", 304),
        ("pidfd_getfd", 438),
        ("sendmsg", 46),
        ("a call of the future", 5000),
        ("x32 read", 0x40000000),
    ],
)
def test_a_system_call_is_not_there(name: str, number: int) -> None:
    """System calls that the C library does not offer are refused too."""
    holds(f"close()\nrefused(system_call, {number}, 0, 0, 0, 0, 0)")


@pytest.mark.parametrize(
    "attempt",
    [
        "refused(os.open, '/etc/passwd', os.O_RDONLY)",
        "refused(os.open, '/etc/group', os.O_PATH)",
        "refused(os.open, '/etc/group', os.O_RDWR)",
        "refused(os.open, '/etc/group', os.O_RDONLY | os.O_TRUNC)",
        "refused(os.open, '/etc/group', os.O_RDONLY | os.O_NONBLOCK)",
        "refused(os.open, '/etc', os.O_RDONLY | os.O_DIRECTORY)",
        "refused(os.open, '/tmp', os.O_TMPFILE | os.O_RDWR)",
        "refused(os.open, '/etc/written', os.O_CREAT | os.O_WRONLY)",
        "refused(os.open, '/proc/self/mem', os.O_RDONLY)",
        "refused(os.stat, '/etc/group')",
        "refused(os.truncate, '/etc/group', 0)",
        "refused(os.chmod, '/etc/group', 0o777)",
        "refused(os.link, '/etc/group', '/tmp/linked')",
    ],
)
def test_a_file_that_is_named_is_read_and_nothing_else(attempt: str) -> None:
    """Fonts can be opened after the lock-down; no other file can, and fonts only for reading."""
    holds(
        f"""
        from pathlib import Path
        expected = Path("/etc/group").read_bytes()
        close(readable=[Path("/etc/group")])
        with open("/etc/group", "rb", buffering=0) as file:
            assert file.read() == expected
        {attempt}
        """
    )


def test_access_always_succeeds() -> None:
    """Cairo calls access(2) before it opens a font; opening it then decides."""
    holds(
        """
        from pathlib import Path
        close(readable=[Path("/etc/group")])
        for file in (b"/etc/group", b"/etc/passwd", b"/etc/nothing"):
            assert libc.access(file, os.R_OK) == 0
        """
    )


def test_connecting_an_open_socket_is_refused() -> None:
    """A socket that was open before cannot be used to reach the network."""
    holds(
        """
        sock = socket.socket()
        close()
        refused(sock.connect, ("127.0.0.1", 9))
        refused(sock.bind, ("127.0.0.1", 0))
        refused(sock.listen)
        """
    )


def test_seccomp_closes_threads_that_were_there_before() -> None:
    """The filter applies to older threads too."""
    holds(
        """
        closed, outcomes = threading.Event(), []
        def elder():
            closed.wait()
            try:
                refused(os.open, "/etc/passwd", os.O_RDONLY)
                outcomes.append("refused")
            except SystemExit:
                outcomes.append("allowed")
        thread = threading.Thread(target=elder)
        thread.start()
        close()
        closed.set()
        thread.join()
        assert outcomes == ["refused"], outcomes
        """
    )


def test_threads_still_work() -> None:
    """Decoders may start threads."""
    holds(
        """
        close()
        numbers = []
        threads = [threading.Thread(target=numbers.append, args=(n,)) for n in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert sorted(numbers) == list(range(8))
        """
    )


def test_open_descriptors_still_work() -> None:
    """Descriptors that were open before can be read and written."""
    holds(
        """
        close()
        assert os.read(0, 5) == b"input"
        os.write(1, b"output")
        """
    )


def test_memory_is_limited() -> None:
    """More address space than allowed is a MemoryError, and does not exhaust the machine."""
    holds(
        """
        close(memory_bytes=512 * 2**20)
        try:
            bytearray(600 * 2**20)
        except MemoryError:
            sys.exit(0)
        sys.exit("allowed")
        """
    )


def test_memory_is_never_executable() -> None:
    """Memory that can be written cannot be executed."""
    holds(
        """
        close()
        refused(mmap.mmap, -1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ | mmap.PROT_EXEC)
        """
    )


def test_limits_cannot_be_raised() -> None:
    """Root cannot either: it has no capabilities left."""
    holds(
        """
        close()
        try:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except (ValueError, OSError):
            sys.exit(0)
        sys.exit("allowed")
        """
    )


def test_nothing_is_left_to_gain() -> None:
    """There is no capability, no new privilege, and no core dump."""
    holds(
        """
        status = os.open("/proc/self/status", os.O_RDONLY)
        close()
        fields = dict(line.split(":\\t", 1) for line in os.pread(status, 8192, 0).decode().splitlines())
        assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 0
        assert fields["NoNewPrivs"].strip() == "1"
        assert fields["Seccomp"].strip() == "2"
        assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
        """
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_closes_without_privileges() -> None:
    """An unprivileged user gets the same layers."""
    holds(
        """
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        assert not close().missing
        refused(os.open, "/etc/passwd", os.O_RDONLY)
        """
    )


def test_available_tells_what_close_does() -> None:
    """`available` restricts nothing, and `lock_down` activates what it reports."""
    holds(
        """
        offered = sandbox.available()
        os.close(os.open("/etc/passwd", os.O_RDONLY))
        assert close() == offered
        """
    )


def test_attaching_to_a_parent_that_is_gone_ends_the_process() -> None:
    """The race between the end of the parent and PR_SET_PDEATHSIG has one outcome."""
    done = run("sandbox.die_with_parent(os.getppid() + 1)")
    assert done.returncode == 1
    assert "parent" in done.stderr


@pytest.mark.parametrize("opens", [False, True])
@pytest.mark.parametrize("table", seccomp.TABLES.values(), ids=seccomp.TABLES)
def test_a_filter_fits_the_kernel(table: seccomp.Table, opens: bool) -> None:
    """Whole instructions, fewer than BPF_MAXINSNS (4096), the last one a refusal."""
    code = seccomp.assemble(table, 1, opens=opens)
    assert len(code) % seccomp.INSTRUCTION_BYTES == 0
    assert len(code) // seccomp.INSTRUCTION_BYTES < 4096
    assert int.from_bytes(code[-4:], "little") == seccomp.DENY
