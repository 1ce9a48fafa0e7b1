"""Logs: one line an event, JSON for machines or colours for a terminal; uvicorn's own go the same way."""

import logging
import sys
from typing import Any

import structlog


def configure(form: str, level: str) -> None:
    """Set up structlog and the standard library's logging, once per process."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    machine = form == "json" or (form == "auto" and not sys.stderr.isatty())
    last: Any = structlog.processors.JSONRenderer() if machine else structlog.dev.ConsoleRenderer()
    ahead = [structlog.processors.format_exc_info] if machine else []
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ahead, last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for chatty in ("botocore", "aiobotocore", "aioboto3", "boto3", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
