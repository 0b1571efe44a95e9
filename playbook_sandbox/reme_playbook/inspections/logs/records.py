"""Splits a log into records: one per event, stack traces and JSON lines included."""

from datetime import datetime
from typing import NamedTuple

from reme_playbook.snapshot.log_text import message_of, without_colours
from reme_playbook.snapshot.times import parse_time

_MAX_LINES = 200
"""Lines of one record: longer stack traces are split."""
_TIMESTAMP_LENGTHS = range(20, 36)


class LogRecord(NamedTuple):
    """One event of a log; its text may have several lines."""

    text: str
    at: datetime | None = None
    source: str = ""  # the pod


def parse_records(log: str, source: str = "") -> list[LogRecord]:
    """Return the records of a log whose lines begin with a time, as the API server adds it."""
    records: list[tuple[list[str], datetime | None]] = []
    for line in without_colours(log).split("\n"):
        at, text = _split_time(line.rstrip("\r"))
        if not text.strip():
            continue
        last = records[-1][0] if records else []
        if last and len(last) < _MAX_LINES and _continues(last, text):
            last.append(text)
        else:
            records.append(([text], at))
    return [LogRecord(message_of("\n".join(lines)), at, source) for lines, at in records]


def _split_time(line: str) -> tuple[datetime | None, str]:
    head, _, rest = line.partition(" ")
    at = parse_time(head) if len(head) in _TIMESTAMP_LENGTHS else None
    return (at, rest) if at else (None, line)


def _continues(record: list[str], line: str) -> bool:
    """Return whether a line belongs to the record before it, as in a stack trace."""
    if line[0] in " \t)}]" or line.startswith(
        ("Caused by:", "... ", "goroutine ", "During handling")
    ):
        return True
    if record[0].startswith("-----BEGIN") and not record[-1].startswith("-----END"):
        return True  # a key is redacted as a whole
    # The error is on the line after the indented part of a Python traceback.
    return record[-1][0] in " \t" and any(part.startswith("Traceback (") for part in record)
