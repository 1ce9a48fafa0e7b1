"""A worker process that has been taken over: says hello as an honest one, then does as it is told."""

import json
import os
import signal
import socket
import struct
import sys
import time

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
    """Make a message without asking whether it is one."""
    text = json.dumps(header).encode()
    return PREFIX.pack(magic, 1, len(text), len(body) if body_bytes is None else body_bytes) + text + body


def memory_bomb() -> bytes:
    """Close the sandbox as an honest worker does, then eat."""
    sandbox.lock_down(sandbox.Ceilings(512 * 2**20, 60))
    eaten = []
    while True:
        eaten.append(bytearray(32 * 2**20))


def hang() -> bytes:
    """Say nothing, forever."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(3600)


def flood() -> bytes:
    """Complain without end, then leave."""
    os.write(2, b"\x1b[31m" + b"x" * 4096)
    for _ in range(100):
        try:
            os.write(2, b"x" * 65536)
        except BlockingIOError:
            break
    return raw({"picture": PICTURE}, PNG_HEAD) + bytes(1_000_000)


ANSWERS = {
    "wrong-magic": lambda: raw({"picture": PICTURE}, PNG_HEAD, magic=b"JUNK"),
    "huge-header": lambda: PREFIX.pack(b"DKRM", 1, 65535, 0) + bytes(65535),
    "huge-body": lambda: raw({"picture": PICTURE}, b"", body_bytes=2**32 - 1),
    "no-json": lambda: PREFIX.pack(b"DKRM", 1, 4, 0) + b"\x80\x04\x95.",
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
    "flood": flood,
    "hang": hang,
    "memory-bomb": memory_bomb,
}


def main() -> None:
    """Say hello, then misbehave at every request."""
    behaviour, fd = sys.argv[1], int(sys.argv[2])
    if behaviour == "no-start":
        sys.exit("libvips 8.12.0 is loaded, 8.18.7 or newer is needed.")
    if behaviour == "silent":
        hang()
    ours = socket.socket(fileno=fd)
    sandbox_features = sandbox.SandboxFeatures(None if behaviour == "wall-less" else 7, seccomp=True)
    framing.send(ours, messages.hello("8.18.7", sandbox_features))
    ballast = []
    while (request := framing.receive_request(ours)) is not None:
        header, originals = request
        for original in originals:
            os.close(original)
        if behaviour in ("honest", "early"):
            answer = raw({"facts": FACTS}) if "probe" in header else raw({"picture": PICTURE}, PNG_HEAD)
        elif behaviour == "fat":
            ballast.append(b"x" * (80 * 2**20))
            answer = raw({"facts": FACTS}) if "probe" in header else raw({"picture": PICTURE}, PNG_HEAD)
        else:
            answer = ANSWERS[behaviour]()
        ours.sendall(answer)
        if behaviour == "early":
            time.sleep(0.05)
            ours.sendall(raw({"facts": FACTS}))
        if behaviour == "partial":
            return


main()
