"""Many large uploads at once: pictures of any number of bytes, sent as a stream, and the memory of the receiver."""

import http.client
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyvips

_BOUNDARY = "0123456789abcdef"
_SEGMENT = b"\xff\xeb\xff\xff" + bytes(0xFFFD)
"""An APP11 segment of a JPEG, which decoders pass over."""
_TIMEOUT_S = 600.0


def small_jpeg() -> bytes:
    """Return a JPEG of 64×48 pixels."""
    return bytes(pyvips.Image.black(64, 48, bands=3).cast("uchar").copy(interpretation="srgb").jpegsave_buffer())


@dataclass(frozen=True, slots=True)
class Padded:
    """A small JPEG with segments that make it as large as wanted; another number makes other bytes."""

    jpeg: bytes
    size_bytes: int
    number: int

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes."""
        rest = self.size_bytes - len(self.jpeg) - 8
        yield self.jpeg[:2] + b"\xff\xeb\x00\x06" + self.number.to_bytes(4, "big")
        while rest >= 2 * len(_SEGMENT):
            yield _SEGMENT
            rest -= len(_SEGMENT)
        if rest >= 4:
            part = min(rest, len(_SEGMENT))
            yield b"\xff\xeb" + (part - 2).to_bytes(2, "big") + bytes(part - 4)
        yield self.jpeg[2:]

    def form(self) -> list[bytes]:
        """Return the beginning and the end of a multipart body around it."""
        disposition = f'Content-Disposition: form-data; name="file"; filename="{self.number}.jpg"'
        begin = f"--{_BOUNDARY}\r\n{disposition}\r\nContent-Type: image/jpeg\r\n\r\n"
        return [begin.encode(), f"\r\n--{_BOUNDARY}--\r\n".encode()]


def upload(port: int, token: str, picture: Padded) -> int:
    """Upload a picture and return the status of the answer; 0 if the connection was closed without one."""
    begin, end = picture.form()
    length = sum(map(len, (begin, *picture.chunks(), end)))
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": f"multipart/form-data; boundary={_BOUNDARY}",
        "content-length": str(length),
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", "/api/images/upload", body=iter((begin, *picture.chunks(), end)), headers=headers)
        answer = connection.getresponse()
        answer.read()
    except (http.client.HTTPException, ConnectionError):
        return 0
    finally:
        connection.close()
    return answer.status


def upload_all(port: int, tokens: Sequence[str], size_bytes: int, numbers: range, at_once: int) -> list[int]:
    """Upload pictures, so many at once, with the tokens in turn; return the statuses of the answers."""
    jpeg = small_jpeg()
    with ThreadPoolExecutor(at_once) as threads:
        calls = [
            threads.submit(partial(upload, port, tokens[number % len(tokens)], Padded(jpeg, size_bytes, number)))
            for number in numbers
        ]
        return [call.result() for call in calls]


def resident_bytes(pid: int, field: str = "VmRSS") -> int:
    """Return a process's resident memory, or with `VmHWM` the most that it has had (proc_pid_status(5))."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def forget_peak(pid: int) -> None:
    """Begin a new peak of a process's resident memory (proc_pid_clear_refs(5))."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
