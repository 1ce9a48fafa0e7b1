"""Logs: one line per event, as JSON or, on a terminal, in colours; the standard library's loggers write the same way.

Theory. Whoever reads standard error may be slow or stuck (a pipe that nobody reads, a blocking container log driver),
and a write would then stop the event loop. So the loop only formats a record and puts it into a bounded queue; a thread
writes. If the queue is full the record is dropped and counted. The thread writes to the file descriptor without a lock
or a buffer, so that a write that blocks cannot hold up the end of the process.
"""

import atexit
import logging
import logging.handlers
import os
import queue
import sys
from contextlib import suppress
from threading import Thread
from typing import Any

import structlog

_CAPACITY = 4_096
"""Records that may wait; a record is at most a few KiB."""
_CLOSE_S = 1.0
_QUIET_LOGGERS = ("botocore", "aiobotocore", "aioboto3", "boto3", "alembic")
_UNPARSABLE = ("Invalid HTTP request received.", "Unsupported upgrade request.")
"""What uvicorn logs for each malformed request, without a limit; such requests are logged by `RequestLog` instead."""


class _EnqueueHandler(logging.handlers.QueueHandler):
    """Formats records where they are logged and enqueues them without waiting."""

    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Put a record into the queue, or drop it."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the signature of logging.Handler
        """Drop a record that cannot be formatted: reporting it would write to standard error."""
        self.dropped += 1


class _DescriptorListener(logging.handlers.QueueListener):
    """Writes records to a file descriptor, in a thread of its own."""

    def __init__(self, records: "queue.Queue[Any]", descriptor: int) -> None:
        super().__init__(records)
        self._records = records
        self._descriptor = descriptor
        self.dropped = 0

    def handle(self, record: logging.LogRecord) -> None:
        """Write one record as one line."""
        line = memoryview(f"{record.getMessage()}\n".encode(errors="backslashreplace"))
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError:
            self.dropped += 1

    def enqueue_sentinel(self) -> None:
        """Ask the thread to end, waiting for room in the queue."""
        self._records.put(None)


class LogWriter:
    """The queue and the thread that writes what is in it."""

    def __init__(self, formatter: logging.Formatter, descriptor: int, capacity: int = _CAPACITY) -> None:
        records: queue.Queue[Any] = queue.Queue(capacity)
        self._handler = _EnqueueHandler(records)
        self._handler.setFormatter(formatter)
        self._listener = _DescriptorListener(records, descriptor)
        self._closed = False
        self._listener.start()

    @property
    def handler(self) -> logging.Handler:
        """The handler that enqueues."""
        return self._handler

    @property
    def dropped(self) -> int:
        """How many records were dropped so far."""
        return self._handler.dropped + self._listener.dropped

    def close(self, timeout_s: float = _CLOSE_S) -> None:
        """Write what is in the queue, and end the thread, once; give up after `timeout_s` seconds."""
        if self._closed:
            return
        self._closed = True
        stopping = Thread(target=self._listener.stop, daemon=True)
        stopping.start()
        stopping.join(timeout_s)


def configure(log_format: str, level: str, descriptor: int = 2) -> LogWriter:
    """Set up structlog and the standard library's logging to write to `descriptor`; return the writer.

    The writer is closed at the end of the process.
    """
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    writer = LogWriter(_formatter(log_format, shared), descriptor)
    atexit.register(writer.close)
    root = logging.getLogger()
    root.handlers = [writer.handler]
    root.setLevel(level.upper())
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.msg not in _UNPARSABLE)
    return writer


def _formatter(log_format: str, shared: list[Any]) -> logging.Formatter:
    as_json = log_format == "json"
    if log_format == "auto":
        with suppress(OSError, AttributeError):
            as_json = not sys.stderr.isatty()
    renderer: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer()]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
