"""Examinations as a worker that was taken over may send them."""

import json
from typing import Any

import pytest

from proxy.core.media.details import Details
from proxy.core.media.examination import PARTS, Examination
from proxy.core.media.facts import Facts
from proxy.core.media.formats import JPEG
from proxy.core.media.quality_score import Quality
from proxy.workers import messages
from proxy.workers.framing import Message, WorkerDied, pack

SIZE_BYTES = 1_000
HONEST = Examination(
    Facts(JPEG, 40, 30, orientation=6),
    Details("2026-11-24T12:00:00+00:00", "Leica M11", "chair", "someone", 48.1, 11.5),
    "1QcSHQRnh493V4dIh4eXh1h4kJUI",
    "#a0522d",
    ("#a0522d", "#ffffff"),
    "c3d1a0b0c0d0e0f0",
    Quality(0.9, 0.8, 0.7, 1.0, 0.5),
    SIZE_BYTES,
)


def read(values: Any) -> Examination:  # noqa: ANN401 - whatever a worker sends
    return messages.read_examination(Message({"examination": True}, json.dumps(values).encode()), SIZE_BYTES)


def test_an_examination_is_read_as_it_was_written() -> None:
    header, body = messages.examination(HONEST)
    assert messages.read_examination(Message(header, body), SIZE_BYTES) == HONEST


def test_the_longest_examination_has_room() -> None:
    wide = "\N{GRINNING FACE}"
    details = Details("2026-11-24T12:00:00+00:00", wide * 255, wide * 255, wide * 2_000, -48.123456, -111.123456)
    longest = Examination(
        HONEST.facts, details, "A" * 40, "#a0522d", ("#a0522d",) * 5, HONEST.phash, HONEST.quality, SIZE_BYTES, PARTS
    )
    header, body = messages.examination(longest)
    assert len(body) <= messages.EXAMINATION_BYTES
    assert len(pack(header, len(body))) < SIZE_BYTES
    assert messages.read_examination(Message(header, body), SIZE_BYTES) == longest


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("surprise", 1),
        ("facts", None),
        ("facts", []),
        ("facts", HONEST.facts.to_dict() | {"width": 0}),
        ("facts", HONEST.facts.to_dict() | {"width": 2**31}),
        ("facts", HONEST.facts.to_dict() | {"width": "40"}),
        ("facts", HONEST.facts.to_dict() | {"format": "exe"}),
        ("details", {}),
        ("details", "x"),
        ("details", HONEST.to_dict()["details"] | {"camera": "a\0b"}),
        ("details", HONEST.to_dict()["details"] | {"camera": "x" * 256}),
        ("details", HONEST.to_dict()["details"] | {"latitude": 91}),
        ("details", HONEST.to_dict()["details"] | {"taken_at": "yesterday"}),
        ("details", HONEST.to_dict()["details"] | {"taken_at": "2026-11-24T12:00:00"}),
        ("details", HONEST.to_dict()["details"] | {"taken_at": "0001-01-01T00:00:00+14:00"}),
        ("thumbhash", "<script>"),
        ("color", "red"),
        ("colors", ["#a0522d"] * 100),
        ("colors", "#a0522d"),
        ("phash", "0" * 15),
        ("phash", 5),
        ("quality", {"sharpness": 1}),
        ("quality", HONEST.to_dict()["quality"] | {"noise": 1.5}),
        ("quality", HONEST.to_dict()["quality"] | {"noise": True}),
        ("end_bytes", SIZE_BYTES + 1),
        ("end_bytes", 0),
        ("end_bytes", 1.5),
        ("failed", ["everything"]),
        ("failed", [[]]),
        ("failed", "details"),
    ],
)
def test_a_value_that_cannot_be_true_is_refused(name: str, value: object) -> None:
    with pytest.raises(WorkerDied):
        read(HONEST.to_dict() | {name: value})


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[" * 20_000, b"\xff", b'{"facts": NaN}'])
def test_what_is_no_examination_is_refused(body: bytes) -> None:
    with pytest.raises(WorkerDied):
        messages.read_examination(Message({"examination": True}, body), SIZE_BYTES)
    with pytest.raises(WorkerDied):
        messages.read_examination(Message({"examination": True, "facts": {}}, body), SIZE_BYTES)
