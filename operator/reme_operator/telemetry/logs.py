"""Logging with one line per event: JSON for machines, plain text on a terminal.

`structlog` and the standard library (kopf, aiohttp) write lines of the same form.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

_MAX_VALUE_CHARACTERS = 2000
"""A foreign text must not fill the log."""


def configure(
    level: str = "info",
    form: Literal["auto", "json", "console"] = "auto",
    stream: TextIO | None = None,
) -> None:
    """Write all logs of this process to one stream in one form; replaces earlier settings."""
    stream = stream or sys.stderr
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _truncated,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    plain_text = form == "console" or (form == "auto" and stream.isatty())
    renderers: list[structlog.types.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
        if plain_text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # One line per request would repeat what the metrics show.
    for noisy in ("aiohttp.access", "httpx2", "httpcore2", "openai"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _truncated(
    _logger: Any, _method: str, values: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in values.items():
        if isinstance(value, str) and len(value) > _MAX_VALUE_CHARACTERS:
            values[key] = f"{value[:_MAX_VALUE_CHARACTERS]}…"
    return values
