"""Weekly time windows in a time zone."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints

from reme_api.base import ApiModel
from reme_api.validation import Pattern

_AHEAD_DAYS = 9
"""A weekly window opens within 7 days; 2 more for changes of the clock."""


class Day(StrEnum):
    """A day of the week."""

    MONDAY = "Mon"
    TUESDAY = "Tue"
    WEDNESDAY = "Wed"
    THURSDAY = "Thu"
    FRIDAY = "Fri"
    SATURDAY = "Sat"
    SUNDAY = "Sun"


_DAYS = tuple(Day)
TimeOfDay = Annotated[
    str,
    StringConstraints(max_length=5),
    Pattern(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "must be hour and minute, such as 22:00"),
]
TimeZoneName = Annotated[
    str,
    StringConstraints(max_length=64),
    Pattern(
        r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
        "must be the name of an IANA time zone, such as Europe/Berlin",
    ),
]


class TimeWindow(ApiModel):
    """A period of each of these days; one that ends before it starts passes midnight."""

    days: list[Day] = Field(
        default_factory=list,
        max_length=7,
        description="Days on which the window starts; every day when empty.",
    )
    start: TimeOfDay = Field(default="00:00", description="Hour and minute, such as 22:00.")
    end: TimeOfDay = Field(
        default="00:00",
        description="Hour and minute of the end; equal to start means a whole day.",
    )
    time_zone: TimeZoneName = Field(
        default="UTC", description="Name in the IANA time zone database, such as Europe/Berlin."
    )

    def text(self) -> str:
        """Return the window as one line of text."""
        days = ", ".join(self.days) if self.days else "every day"
        return f"{days} {self.start}-{self.end} {self.time_zone}"


def zone_of(window: TimeWindow) -> ZoneInfo | None:
    """Return the time zone; None when this system has no such zone."""
    try:
        return ZoneInfo(window.time_zone)
    except (KeyError, OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        return None


def is_open(windows: Sequence[TimeWindow], now: datetime) -> bool:
    """Return whether one of the windows is open; True without windows.

    A window of an unknown time zone is never open.
    """
    return not windows or any(_holds(window, now) for window in windows)


def next_opening(windows: Sequence[TimeWindow], now: datetime) -> datetime | None:
    """Return when the next window opens; None when none ever does."""
    return min((opening for w in windows if (opening := _opening(w, now))), default=None)


def _holds(window: TimeWindow, now: datetime) -> bool:
    zone = zone_of(window)
    if zone is None:
        return False
    local = now.astimezone(zone)
    clock = local.time().replace(tzinfo=None)
    start, end = time.fromisoformat(window.start), time.fromisoformat(window.end)
    if start < end:
        return _on(window, local) and start <= clock < end
    # Past midnight, or a whole day: the hours after midnight are those of the day before.
    if clock >= start:
        return _on(window, local)
    return clock < end and _on(window, local - timedelta(days=1))


def _on(window: TimeWindow, local: datetime) -> bool:
    return not window.days or _DAYS[local.weekday()] in window.days


def _opening(window: TimeWindow, now: datetime) -> datetime | None:
    return next((at for at in _openings(window, now) if at > now), None)


def _openings(window: TimeWindow, now: datetime) -> Iterator[datetime]:
    zone = zone_of(window)
    if zone is None:
        return
    start, today = time.fromisoformat(window.start), now.astimezone(zone).date()
    for ahead in range(_AHEAD_DAYS):
        # A local time that a change of the clock skips is read with the offset before the change.
        local = datetime.combine(today + timedelta(days=ahead), start, tzinfo=zone)
        if not window.days or _DAYS[local.weekday()] in window.days:
            yield local.astimezone(UTC)
