"""Logs as one line per event: JSON for machines, plain for a person who looks on.

`structlog` and the standard library (kopf, aiohttp, ours) end in the same line. What is bound with
`bind` is on every line of the task that bound it.
"""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Literal, TextIO

import structlog

_LONGEST = 2000
"""Characters of one value: a foreign text must not fill the log."""


def configure(
    level: str = "info",
    form: Literal["auto", "json", "console"] = "auto",
    stream: TextIO | None = None,
) -> None:
    """Send every log of this process to one stream in one form; replaces what was set before."""
    stream = stream or sys.stderr
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _cut,
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
    plain = form == "console" or (form == "auto" and stream.isatty())
    last: list[structlog.types.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
        if plain
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # A line per request says nothing that the metrics do not.
    for noisy in ("aiohttp.access", "httpx2", "httpcore2", "openai"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def bind(**values: object) -> None:
    """Put these on every further line of the running task: namespace, name, uid, attempt, …"""
    structlog.contextvars.bind_contextvars(**values)


class Line:
    """What one pass has to say, gathered while it goes on and written once at its end."""

    def __init__(self) -> None:
        self.said: dict[str, object] = {}

    def say(self, **values: object) -> None:
        """Add to the line."""
        self.said.update(values)


@contextmanager
def canonical_line(event: str, **bound: object) -> Iterator[Line]:
    """Write one line about everything inside, at its end, whether it succeeded or not.

    What is given is on every line that is logged inside, too. A pass that decided nothing new may
    set `quiet=True` and is logged at debug level only.
    """
    log, line, begun = structlog.stdlib.get_logger("reme"), Line(), perf_counter()
    with structlog.contextvars.bound_contextvars(**bound):
        try:
            yield line
        except Exception as error:
            spent = _milliseconds(begun)
            log.warning(event, **line.said, milliseconds=spent, error=type(error).__name__)
            raise
        quiet = bool(line.said.pop("quiet", False))
        write = log.debug if quiet else log.info
        write(event, **line.said, milliseconds=_milliseconds(begun))


def _milliseconds(begun: float) -> int:
    return round((perf_counter() - begun) * 1000)


def _cut(_logger: Any, _method: str, values: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in values.items():
        if isinstance(value, str) and len(value) > _LONGEST:
            values[key] = f"{value[:_LONGEST]}…"
    return values
