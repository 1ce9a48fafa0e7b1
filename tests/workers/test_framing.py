"""How the pool reads what a worker sends: the requested answer, a refusal, or WorkerDied."""

import asyncio
import json
import os
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.errors import CorruptImage, DarkroomError, LimitExceeded, UnsupportedFormat
from proxy.core.geometry import Box, Size, Turn
from proxy.core.media.facts import Facts
from proxy.core.media.formats import AVIF, FORMATS, JPEG, PNG
from proxy.core.planning.plan import Colour, Effect, Encoding, Line, Overlay, Plan
from proxy.workers import framing, messages
from proxy.workers.framing import Message, WorkerDied
from proxy.workers.sandbox import SandboxFeatures
from tests.plans import plain_plan

SIDE = Size(8, 8)
PLAN = plain_plan(SIDE, Encoding(PNG, None, 4))
PNG_BODY = b"\x89PNG\r\n\x1a\n" + bytes(64)
PICTURE = {"format": "png", "width": 8, "height": 8, "render_s": 0.5}
FACTS = Facts(JPEG, 4000, 3000, orientation=6, frames=1, icc=True)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    worker_socket, own_end = socket.socketpair()
    worker_socket.settimeout(0)
    with worker_socket, own_end:
        yield worker_socket, own_end


def receive(data: bytes, max_body_bytes: int = 4096) -> Message:
    """Receive from a worker that sends `data` and closes the connection."""

    async def run() -> Message:
        worker_socket, own_end = socket.socketpair()
        worker_socket.settimeout(0)
        with worker_socket:
            with own_end:
                own_end.sendall(data)
            return await framing.receive(asyncio.get_running_loop(), worker_socket, max_body_bytes)

    with asyncio.Runner() as runner:
        return runner.run(run())


def outcome(read: Callable[[], object]) -> object:
    """Return the answer, or one of the exceptions that are allowed."""
    try:
        return read()
    except (WorkerDied, UnsupportedFormat, LimitExceeded) as error:
        return error


@given(st.binary(max_size=300))
def test_noise_is_a_dead_worker(data: bytes) -> None:
    """Arbitrary bytes are not a message."""
    with pytest.raises(WorkerDied):
        receive(data)


@given(st.binary(max_size=64), st.integers(0, 70_000), st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_a_lying_prefix_is_a_dead_worker(text: bytes, header_bytes: int, body_bytes: int, version: int) -> None:
    """Whatever lengths a prefix contains, only a JSON object of that length is a header."""
    prefix = framing._PREFIX.pack(b"DKRM", version, header_bytes % 65536, body_bytes)
    result = outcome(lambda: receive(prefix + text))
    assert isinstance(result, WorkerDied | Message)
    if isinstance(result, Message):
        assert len(result.body) == body_bytes
        assert json.loads(text[:header_bytes]) == result.header


@given(json_values)
def test_any_json_is_an_answer_a_refusal_or_a_dead_worker(header: Any) -> None:  # noqa: ANN401 - any JSON
    """A header of valid JSON and wrong content does no harm."""
    text = json.dumps(header).encode()
    prefix = framing._PREFIX.pack(b"DKRM", 1, len(text), 0)

    def read() -> object:
        message = receive(prefix + text)
        return outcome(lambda: messages.read_facts(message)), outcome(lambda: messages.read_picture(message, PLAN))

    assert outcome(read) is not None


@given(st.dictionaries(st.sampled_from(list(FACTS.to_dict())), json_values))
def test_facts_are_exactly_typed(wrong: dict[str, Any]) -> None:
    """A value of another type or out of range is fatal."""
    result = outcome(lambda: messages.read_facts(Message({"facts": FACTS.to_dict() | wrong})))
    assert isinstance(result, WorkerDied) or (isinstance(result, Facts) and result.to_dict() == FACTS.to_dict() | wrong)


@given(
    st.builds(
        Facts,
        format=st.sampled_from([*FORMATS.values()]),
        width=st.integers(1, 2**31 - 1),
        height=st.integers(1, 2**31 - 1),
        orientation=st.integers(1, 8),
        frames=st.integers(1, 10_000),
        alpha=st.booleans(),
        icc=st.booleans(),
        wide=st.booleans(),
    )
)
def test_facts_come_through(facts: Facts) -> None:
    """The pool reads the facts that an honest worker sends."""
    assert messages.read_facts(receive(framing.pack({"facts": facts.to_dict()}))) == facts


def test_a_picture_comes_through() -> None:
    """Body, size and render time arrive as they were sent."""
    data = framing.pack({"picture": PICTURE}, len(PNG_BODY)) + PNG_BODY
    derivative, render_s = messages.read_picture(receive(data), PLAN)
    assert (derivative.body, derivative.format, derivative.width, derivative.height, render_s) == (
        PNG_BODY,
        PNG,
        8,
        8,
        0.5,
    )


@pytest.mark.parametrize(
    ("wrong", "body"),
    [
        ({"width": 9}, PNG_BODY),
        ({"height": 7}, PNG_BODY),
        ({"width": True}, PNG_BODY),
        ({"width": "8"}, PNG_BODY),
        ({"format": "jpeg"}, PNG_BODY),
        ({"format": "svg"}, PNG_BODY),
        ({"render_s": 1}, PNG_BODY),
        ({"render_s": -1.0}, PNG_BODY),
        ({"render_s": 1e300}, PNG_BODY),
        ({"more": 1}, PNG_BODY),
        ({}, b""),
        ({}, b"\xff\xd8\xff" + bytes(64)),
        ({}, b"<svg>"),
    ],
)
def test_another_picture_than_asked_for_is_a_dead_worker(wrong: dict[str, Any], body: bytes) -> None:
    """Format, sides and magic bytes are those of the plan."""
    with pytest.raises(WorkerDied):
        messages.read_picture(Message({"picture": PICTURE | wrong}, body), PLAN)


def test_a_body_larger_than_its_pixels_is_a_dead_worker() -> None:
    """No memory is allocated for a body that the plan does not explain."""
    limit = messages.max_body_bytes(PLAN, 2**20)
    data = framing.pack({"picture": PICTURE}, limit + 1)
    with pytest.raises(WorkerDied, match="announces more bytes"):
        receive(data + PNG_BODY, limit)


def test_a_word_after_the_answer_is_a_dead_worker() -> None:
    """Nothing may follow an answer."""
    data = framing.pack({"facts": FACTS.to_dict()})
    with pytest.raises(WorkerDied, match="more bytes than it announced"):
        receive(data + data)


def test_deep_nesting_is_a_dead_worker() -> None:
    """A header cannot exhaust the parser's stack."""
    text = b"[" * 4096
    with pytest.raises(WorkerDied):
        receive(framing._PREFIX.pack(b"DKRM", 1, len(text), 0) + text)


@pytest.mark.parametrize("kind", [UnsupportedFormat, CorruptImage, LimitExceeded])
def test_a_refusal_comes_through(kind: type[DarkroomError]) -> None:
    """The errors that a worker may refuse with keep their class and detail."""
    with pytest.raises(kind, match="It ends early") as caught:
        messages.read_facts(receive(framing.pack(messages.refusal(kind("It ends early.")))))
    assert type(caught.value) is kind


@given(st.text(max_size=400))
def test_an_honest_refusal_is_always_readable(detail: str) -> None:
    """Whatever a decoder's message contains, the detail is short and printable."""
    with pytest.raises(CorruptImage) as caught:
        messages.read_facts(receive(framing.pack(messages.refusal(CorruptImage(detail)))))
    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) <= 200


@pytest.mark.parametrize(
    "header",
    [
        {"refused": "seal", "detail": "no"},
        {"refused": "internal", "detail": "no"},
        {"refused": "damaged"},
        {"refused": "damaged", "detail": 3},
        {"refused": ["damaged"], "detail": "no"},
        {"refused": "damaged", "detail": "a\nb"},
        {"refused": "damaged", "detail": "x" * 201},
        {"refused": "damaged", "detail": "no", "facts": {}},
    ],
)
def test_other_refusals_are_a_dead_worker(header: dict[str, Any]) -> None:
    """A worker can choose neither other errors nor control characters in logs."""
    with pytest.raises(WorkerDied):
        messages.read_facts(Message(header))


def test_a_plan_comes_through(ends: tuple[socket.socket, socket.socket]) -> None:
    """All parts of a plan, and the descriptors, arrive at the worker."""
    worker_socket, own_end = ends
    plan = Plan(
        source=JPEG,
        first_frame=3,
        frames=2,
        load=Size(1, 1),
        load_shrink=4,
        crop=Box(1, 2, 3, 4),
        scaled=Size(5, 6),
        wide_gamut=False,
        linear_light=True,
        sharpen_downscaled=True,
        turn=Turn(mirrored=True, quarters=3),
        cut=Box(0, 0, 5, 5),
        interest="smart",
        effects=(Effect("blur", (1.5,)), Effect("gray")),
        canvas=Box(7, 8, 9, 10),
        background=Colour(1, 2, 3, 4),
        border=Line(2, Colour(5, 6, 7)),
        radius=3,
        outside=Colour(8, 9, 10),
        overlays=(Overlay("Zürich 🙂", Size(3, 2), "se", 1, 50), Overlay(None, Size(1, 2), "tile", 0, 100)),
        size=Size(9, 10),
        untouched=True,
        encoding=Encoding(AVIF, 55, 3, lossless=True, progressive=True, keep=True, target="good", budget_bytes=1024),
    )
    with open(os.devnull, "rb") as sent:  # noqa: PTH123 - its descriptor is what matters
        framing.send_request(worker_socket, messages.render_request(plan), [sent.fileno(), sent.fileno()])
        request = framing.receive_request(own_end)
        assert request is not None
        header, fds = request
        assert len(fds) == 2
        for fd in fds:
            assert os.path.sameopenfile(fd, sent.fileno())
            os.close(fd)
    assert Plan.from_dict(header["render"]) == plan


def test_a_body_larger_than_any_buffer_comes_through(ends: tuple[socket.socket, socket.socket]) -> None:
    """A body is received in as many pieces as it takes."""
    worker_socket, own_end = ends
    body = b"\x89PNG\r\n\x1a\n" + os.urandom(5_000_000)
    sender = threading.Thread(target=framing.send, args=(own_end, {"picture": PICTURE}, body))
    sender.start()
    with asyncio.Runner() as runner:
        message = runner.run(framing.receive(runner.get_loop(), worker_socket, len(body)))
    sender.join()
    assert message.body == body


def test_a_large_body_is_in_memory_once(ends: tuple[socket.socket, socket.socket]) -> None:
    """A body of 31 MiB is received into the memory of the `bytes` that is returned, and never copied."""
    worker_socket, own_end = ends
    size = 31 * 2**20
    body = b"\x89PNG\r\n\x1a\n" + bytes(size - 8)
    sender = threading.Thread(target=framing.send, args=(own_end, {"picture": PICTURE}, body))
    tracemalloc.start()
    try:
        sender.start()
        with asyncio.Runner() as runner:
            message = runner.run(framing.receive(runner.get_loop(), worker_socket, size))
        sender.join()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(message.body) == size
    assert size <= peak_bytes < 1.1 * size


def test_a_body_over_the_limit_of_derivatives_is_not_accepted() -> None:
    """A plan of many pixels does not raise the limit."""
    plan = plain_plan(Size(8_000, 6_000), Encoding(PNG, None, 4))
    assert messages.max_body_bytes(plan, 32 * 2**20) == 32 * 2**20
    assert messages.max_body_bytes(PLAN, 32 * 2**20) < 2**20


@pytest.mark.parametrize(
    "wrong", [{"libvips": "8.18.7/../x"}, {"libvips": ""}, {"extras": "x"}, {"extras": "0a1b2c3d0"}, {"extras": 1}]
)
def test_versions_that_cannot_be_part_of_a_path_are_a_dead_worker(wrong: dict[str, object]) -> None:
    """The versions become the first folder of a derivative's path."""
    fields = {"libvips": "8.18.7", "extras": "", "landlock": 7, "seccomp": True}
    messages.read_hello(Message({"hello": fields}))
    with pytest.raises(WorkerDied):
        messages.read_hello(Message({"hello": fields | wrong}))


def test_a_hello_comes_through() -> None:
    """Versions and sandbox features arrive; a missing Landlock is None."""
    for sandbox_features in (SandboxFeatures(7, seccomp=True), SandboxFeatures(None, seccomp=False)):
        hello = messages.read_hello(receive(framing.pack(messages.hello("8.18.7", "0a1b2c3d", sandbox_features))))
        assert (hello.libvips, hello.extras) == ("8.18.7", "0a1b2c3d")
        assert hello.sandbox_features == sandbox_features


def test_silence_is_told_from_speech_and_absence(ends: tuple[socket.socket, socket.socket]) -> None:
    """A worker is silent between two requests; one that sends something, or is gone, is not."""
    worker_socket, own_end = ends
    assert framing.is_silent(worker_socket)
    own_end.send(b"!")
    assert not framing.is_silent(worker_socket)
    worker_socket.recv(1)
    assert framing.is_silent(worker_socket)
    own_end.close()
    assert not framing.is_silent(worker_socket)
