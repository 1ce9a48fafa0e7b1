"""Logs never block: records wait in a bounded queue, what does not fit is dropped and counted."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import structlog

from proxy.telemetry import logs

_PIPE_BYTES = 65_536


@contextmanager
def configured(descriptor: int, **formats: str) -> Iterator[logs.LogWriter]:
    """Configure logging for a block, and restore what was before."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    writer = logs.configure(formats.get("log_format", "json"), formats.get("level", "info"), descriptor)
    try:
        yield writer
    finally:
        writer.close()
        root.handlers, root.level = handlers, level
        structlog.reset_defaults()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        os.close(fd)


def test_events_of_structlog_and_of_the_standard_library_are_json_lines(pipe: tuple[int, int]) -> None:
    with configured(pipe[1]) as writer:
        structlog.get_logger("darkroom.test").info("an event", number=1)
        logging.getLogger("darkroom.other").warning("a %s", "warning")
        logging.getLogger("darkroom.other").debug("not logged")
        writer.close()
        first, second = [json.loads(line) for line in os.read(pipe[0], _PIPE_BYTES).splitlines()]
    assert (first["event"], first["number"], first["level"], first["logger"]) == (
        "an event",
        1,
        "info",
        "darkroom.test",
    )
    assert (second["event"], second["level"], second["logger"]) == ("a warning", "warning", "darkroom.other")
    assert first["timestamp"].endswith("Z")


def test_a_traceback_is_formatted_where_the_error_is(pipe: tuple[int, int]) -> None:
    with configured(pipe[1]) as writer:
        try:
            int("a cause")
        except ValueError:
            structlog.get_logger("darkroom.test").exception("failed")
        writer.close()
        line = json.loads(os.read(pipe[0], _PIPE_BYTES))
    assert "ValueError: invalid literal" in line["exception"]


def test_a_reader_that_is_stuck_blocks_nobody_and_what_is_dropped_is_counted(pipe: tuple[int, int]) -> None:
    """Far more than the pipe and the queue hold is logged, and nobody reads: without a queue this never ends."""
    written, size = 20_000, 100
    with configured(pipe[1]) as writer:
        log = structlog.get_logger("darkroom.test")
        for _ in range(written):
            log.info("x" * size)
        dropped = writer.dropped
        assert written - 10_000 < dropped < written
        lines = 0
        while lines < written - dropped:
            lines += os.read(pipe[0], _PIPE_BYTES).count(b"\n")
        log.info("again")
        assert b"again" in os.read(pipe[0], _PIPE_BYTES)
        assert writer.dropped == dropped


def test_closing_gives_up_on_a_reader_that_is_stuck(pipe: tuple[int, int]) -> None:
    with configured(pipe[1]) as writer:
        for _ in range(2_000):
            structlog.get_logger("darkroom.test").info("x" * 100)
        writer.close(timeout_s=0.05)
        lines = 0
        while lines < 2_000:  # the thread goes on as soon as there is a reader, and ends
            lines += os.read(pipe[0], _PIPE_BYTES).count(b"\n")


def test_a_descriptor_that_is_closed_drops_records(pipe: tuple[int, int]) -> None:
    closed = os.dup(pipe[1])
    os.close(closed)
    with configured(closed) as writer:
        structlog.get_logger("darkroom.test").info("lost")
        writer.close()
        assert writer.dropped == 1


def test_a_record_that_cannot_be_formatted_is_dropped(pipe: tuple[int, int]) -> None:
    with configured(pipe[1]) as writer:
        logging.getLogger("darkroom.test").info("%d", "not a number")
        writer.close()
        assert writer.dropped == 1


@pytest.mark.parametrize(("log_format", "as_json"), [("json", True), ("console", False), ("auto", True)])
def test_the_format_is_json_unless_a_terminal_reads(pipe: tuple[int, int], log_format: str, as_json: bool) -> None:
    with configured(pipe[1], log_format=log_format) as writer:
        structlog.get_logger("darkroom.test").info("an event")
        writer.close()
        assert os.read(pipe[0], _PIPE_BYTES).startswith(b"{") == as_json


def test_what_uvicorn_logs_of_each_malformed_request_is_left_out(pipe: tuple[int, int]) -> None:
    with configured(pipe[1]) as writer:
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        logging.getLogger("uvicorn.error").warning("something else")
        writer.close()
        assert os.read(pipe[0], _PIPE_BYTES).count(b"\n") == 1


def test_a_process_whose_log_nobody_reads_ends_by_itself() -> None:
    program = """
import structlog
from proxy.telemetry import logs
logs.configure("json", "info")
for _ in range(10_000):
    structlog.get_logger("darkroom").info("x" * 100)
"""
    reader, writer = os.pipe()
    with closing(os.fdopen(reader)), closing(os.fdopen(writer, "wb")) as stderr:
        done = subprocess.run([sys.executable, "-c", program], stderr=stderr, timeout=60, check=False)
    assert done.returncode == 0
