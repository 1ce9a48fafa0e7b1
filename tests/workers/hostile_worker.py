"""A worker process that was taken over: it sends an honest hello, then misbehaves as its first argument specifies."""

import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable

from proxy.workers import framing, messages, sandbox

PREFIX = struct.Struct("!4sHHI")
PNG_HEAD = b"\x89PNG\r\n\x1a\n" + bytes(200)
FACTS = {
    "format": "png",
    "width": 16,
    "height": 16,
    "orientation": 1,
    "frames": 1,
    "alpha": False,
    "icc": False,
    "wide": False,
    "page": 0,
}
PICTURE = {"format": "png", "width": 8, "height": 8, "render_s": 0.001}


def raw(header: object, body: bytes = b"", magic: bytes = b"DKRM", body_bytes: int | None = None) -> bytes:
    """Return a message without checking it."""
    text = json.dumps(header).encode()
    return PREFIX.pack(magic, 1, len(text), len(body) if body_bytes is None else body_bytes) + text + body


def memory_bomb() -> bytes:
    """Lock down like an honest worker, then allocate memory without end."""
    sandbox.lock_down(sandbox.ResourceLimits(512 * 2**20, 60, 32 * 2**20))
    blocks = []
    while True:
        blocks.append(bytearray(32 * 2**20))


def hang() -> bytes:
    """Never answer."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(3600)


def flood() -> bytes:
    """Fill stderr, then send more than was announced."""
    os.write(2, b"\x1b[31m" + b"x" * 4096)
    for _ in range(100):
        try:
            os.write(2, b"x" * 65536)
        except BlockingIOError:
            break
    return raw({"picture": PICTURE}, PNG_HEAD) + bytes(1_000_000)


ANSWERS: dict[str, Callable[[], bytes | None]] = {
    "wrong-magic": lambda: raw({"picture": PICTURE}, PNG_HEAD, magic=b"JUNK"),
    "huge-header": lambda: PREFIX.pack(b"DKRM", 1, 65535, 0) + bytes(65535),
    "huge-body": lambda: raw({"picture": PICTURE}, b"", body_bytes=2**32 - 1),
    "no-json": lambda: PREFIX.pack(b"DKRM", 1, 4, 0) + b"\x80\x04\x95.",
    "examination-of-nothing": lambda: raw({"examination": True}, b"{}"),
    "huge-examination": lambda: raw({"examination": True}, b"", body_bytes=messages.EXAMINATION_BYTES + 1),
    "other-size": lambda: raw({"picture": PICTURE | {"width": 9}}, PNG_HEAD),
    "other-format": lambda: raw({"picture": PICTURE | {"format": "jpeg"}}, PNG_HEAD),
    "no-picture": lambda: raw({"picture": PICTURE}, b"<script>" + bytes(200)),
    "empty-body": lambda: raw({"picture": PICTURE}),
    "facts-instead": lambda: raw({"facts": FACTS}),
    "unknown-code": lambda: raw({"refused": "seal", "detail": "no"}),
    "long-sentence": lambda: raw({"refused": "damaged", "detail": "x" * 201}),
    "control-characters": lambda: raw({"refused": "damaged", "detail": "a\r\nb"}),
    "nan": lambda: raw({"picture": PICTURE | {"render_s": float("nan")}}, PNG_HEAD),
    "partial": lambda: raw({"picture": PICTURE}, PNG_HEAD)[:-5],
    "exit": lambda: sys.exit("gone"),
    "refusing": lambda: raw({"refused": "damaged", "detail": "It ends early."}),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "flood": flood,
    "hang": hang,
    "memory-bomb": memory_bomb,
}


def main() -> None:
    """Send a hello, then misbehave at every request."""
    behaviour, fd = sys.argv[1], int(sys.argv[2])
    if behaviour == "no-start":
        sys.exit("libvips 8.12.0 is loaded, 8.18.7 or newer is needed.")
    if behaviour == "silent":
        hang()
    server_socket = socket.socket(fileno=fd)
    sandbox_features = sandbox.SandboxFeatures(None if behaviour == "unsandboxed" else 7, seccomp=True)
    framing.send(server_socket, messages.hello("8.18.7", "", sandbox_features))
    ballast = []
    while (request := framing.receive_request(server_socket)) is not None:
        header, originals = request
        for original in originals:
            os.close(original)
        if behaviour in ("honest", "early"):
            answer = raw({"facts": FACTS}) if "probe" in header else raw({"picture": PICTURE}, PNG_HEAD)
        elif behaviour == "fat":
            ballast.append(b"x" * (80 * 2**20))
            answer = raw({"facts": FACTS}) if "probe" in header else raw({"picture": PICTURE}, PNG_HEAD)
        else:
            answer = ANSWERS[behaviour]() or b""
        server_socket.sendall(answer)
        if behaviour == "early":
            time.sleep(0.05)
            server_socket.sendall(raw({"facts": FACTS}))
        if behaviour == "partial":
            return


main()
