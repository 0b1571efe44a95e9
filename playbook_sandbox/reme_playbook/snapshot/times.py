"""Times of objects and of log lines, and how they lie to the begin of the fault."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from reme_playbook.snapshot import unstructured

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@lru_cache(maxsize=4096)
def parse_time(text: str) -> datetime | None:
    """Return an RFC 3339 time; None if it is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def time_at(value: Any, *path: str) -> datetime | None:
    """Return the time at the path of an object; None if there is none."""
    return parse_time(unstructured.text(value, *path))


def relative_to(at: datetime, fault_start: datetime) -> str:
    """Return how long before or after the fault began something was."""
    seconds = (at - fault_start).total_seconds()
    return f"{duration(abs(seconds))} {'before' if seconds < 0 else 'after'} the fault began"


def duration(seconds: float) -> str:
    """Return a duration in its largest unit."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{round(seconds / unit)} {name}"
    return f"{round(seconds)} s"
