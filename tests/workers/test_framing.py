"""What the pool makes of a worker's words: the answer it asked for, a refusal, or WorkerDied."""

import asyncio
import json
import os
import socket
import threading
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
    theirs, ours = socket.socketpair()
    theirs.settimeout(0)
    with theirs, ours:
        yield theirs, ours


def hear(said: bytes, most_body_bytes: int = 4096) -> Message:
    """Listen to a worker that says `said` and hangs up."""

    async def listen() -> Message:
        theirs, ours = socket.socketpair()
        theirs.settimeout(0)
        with theirs:
            with ours:
                ours.sendall(said)
            return await framing.receive(asyncio.get_running_loop(), theirs, most_body_bytes)

    with asyncio.Runner() as runner:
        return runner.run(listen())


def judged(read: Callable[[], object]) -> object:
    """Give the answer, or the exception that is one of the two there may be."""
    try:
        return read()
    except (WorkerDied, UnsupportedFormat, LimitExceeded) as told:
        return told


@given(st.binary(max_size=300))
def test_noise_is_a_dead_worker(said: bytes) -> None:
    """No bytes but a message's are one."""
    with pytest.raises(WorkerDied):
        hear(said)


@given(st.binary(max_size=64), st.integers(0, 70_000), st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_a_lying_prefix_is_a_dead_worker(text: bytes, header_bytes: int, body_bytes: int, version: int) -> None:
    """Whatever lengths a prefix tells, nothing but an object of that length is a header."""
    prefix = framing._PREFIX.pack(b"DKRM", version, header_bytes % 65536, body_bytes)
    told = judged(lambda: hear(prefix + text))
    assert isinstance(told, WorkerDied | Message)
    if isinstance(told, Message):
        assert len(told.body) == body_bytes
        assert json.loads(text[:header_bytes]) == told.header


@given(json_values)
def test_any_json_is_an_answer_a_refusal_or_a_dead_worker(header: Any) -> None:  # noqa: ANN401 - any JSON
    """A header of right JSON and wrong content harms nobody."""
    text = json.dumps(header).encode()
    prefix = framing._PREFIX.pack(b"DKRM", 1, len(text), 0)

    def read() -> object:
        message = hear(prefix + text)
        return judged(lambda: messages.read_facts(message)), judged(lambda: messages.read_picture(message, PLAN))

    assert judged(read) is not None


@given(st.dictionaries(st.sampled_from(list(FACTS.to_dict())), json_values))
def test_facts_are_exactly_typed(wrong: dict[str, Any]) -> None:
    """One value of another type or out of range, and the worker is dead."""
    told = judged(lambda: messages.read_facts(Message({"facts": FACTS.to_dict() | wrong})))
    assert isinstance(told, WorkerDied) or (isinstance(told, Facts) and told.to_dict() == FACTS.to_dict() | wrong)


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
    """What an honest worker tells is what the pool reads."""
    assert messages.read_facts(hear(framing.pack({"facts": facts.to_dict()}))) == facts


def test_a_picture_comes_through() -> None:
    """Body, sides and seconds arrive as they were said."""
    said = framing.pack({"picture": PICTURE}, len(PNG_BODY)) + PNG_BODY
    made, render_s = messages.read_picture(hear(said), PLAN)
    assert (made.body, made.format, made.width, made.height, render_s) == (PNG_BODY, PNG, 8, 8, 0.5)


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
    """Memory is given to no body that the plan can't explain."""
    most = messages.most_bytes(PLAN)
    said = framing.pack({"picture": PICTURE}, most + 1)
    with pytest.raises(WorkerDied, match="announces more"):
        hear(said + PNG_BODY, most)


def test_a_word_after_the_answer_is_a_dead_worker() -> None:
    """Messages take turns: nothing follows an answer."""
    said = framing.pack({"facts": FACTS.to_dict()})
    with pytest.raises(WorkerDied, match="more than it announced"):
        hear(said + said)


def test_deep_nesting_is_a_dead_worker() -> None:
    """A header cannot exhaust the parser's stack."""
    text = b"[" * 4096
    with pytest.raises(WorkerDied):
        hear(framing._PREFIX.pack(b"DKRM", 1, len(text), 0) + text)


@pytest.mark.parametrize("kind", [UnsupportedFormat, CorruptImage, LimitExceeded])
def test_a_refusal_comes_through(kind: type[DarkroomError]) -> None:
    """The classes a worker may refuse with arrive as themselves, with their sentence."""
    with pytest.raises(kind, match="It ends early") as caught:
        messages.read_facts(hear(framing.pack(messages.refusal(kind("It ends early.")))))
    assert type(caught.value) is kind


@given(st.text(max_size=400))
def test_an_honest_refusal_is_always_readable(detail: str) -> None:
    """Whatever a decoder's message holds, what is told of it is a short printable sentence."""
    with pytest.raises(CorruptImage) as caught:
        messages.read_facts(hear(framing.pack(messages.refusal(CorruptImage(detail)))))
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
    """A worker can't choose another answer, nor what is written into ours."""
    with pytest.raises(WorkerDied):
        messages.read_facts(Message(header))


def test_a_plan_comes_through(ends: tuple[socket.socket, socket.socket]) -> None:
    """Every part of a plan, and the descriptors, arrive at the worker."""
    theirs, ours = ends
    asked = Plan(
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
        framing.send_request(theirs, messages.ask_render(asked), [sent.fileno(), sent.fileno()])
        request = framing.receive_request(ours)
        assert request is not None
        header, fds = request
        assert len(fds) == 2
        for fd in fds:
            assert os.path.sameopenfile(fd, sent.fileno())
            os.close(fd)
    assert Plan.from_dict(header["render"]) == asked


def test_a_body_larger_than_any_buffer_comes_through(ends: tuple[socket.socket, socket.socket]) -> None:
    """A body is received in as many pieces as it takes."""
    theirs, ours = ends
    body = b"\x89PNG\r\n\x1a\n" + os.urandom(5_000_000)
    speaker = threading.Thread(target=framing.send, args=(ours, {"picture": PICTURE}, body))
    speaker.start()
    with asyncio.Runner() as runner:
        message = runner.run(framing.receive(runner.get_loop(), theirs, len(body)))
    speaker.join()
    assert message.body == body


def test_a_hello_comes_through() -> None:
    """Version and sandbox_features arrive, and a missing Landlock as None."""
    for sandbox_features in (SandboxFeatures(7, seccomp=True), SandboxFeatures(None, seccomp=False)):
        hello = messages.read_hello(hear(framing.pack(messages.hello("8.18.7", sandbox_features))))
        assert (hello.libvips, hello.sandbox_features) == ("8.18.7", sandbox_features)


def test_silence_is_told_from_speech_and_absence(ends: tuple[socket.socket, socket.socket]) -> None:
    """Between two requests a worker is quiet; one that speaks or is gone is not."""
    theirs, ours = ends
    assert framing.is_silent(theirs)
    ours.send(b"!")
    assert not framing.is_silent(theirs)
    theirs.recv(1)
    assert framing.is_silent(theirs)
    ours.close()
    assert not framing.is_silent(theirs)
