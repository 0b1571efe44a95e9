"""Times of the week at which something may be done, in a time zone of people."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints

from reme_api.base import ApiModel

_AHEAD_DAYS = 9
"""A weekly window opens again within 7 days; two more for a day on which clocks were changed."""


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
    str, StringConstraints(max_length=5, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
]
TimeZoneName = Annotated[
    str, StringConstraints(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$")
]


class TimeWindow(ApiModel):
    """A stretch of each of these days; one that ends before it starts goes past midnight."""

    days: list[Day] = Field(
        default_factory=list, max_length=7, description="Days on which it starts; all when empty."
    )
    start: TimeOfDay = Field(default="00:00", description="Hour and minute, such as 22:00.")
    end: TimeOfDay = Field(
        default="00:00",
        description="Hour and minute at which it is over; the same as start is a whole day.",
    )
    time_zone: TimeZoneName = Field(
        default="UTC", description="Name in the IANA database, such as Europe/Berlin."
    )

    def text(self) -> str:
        """Return the window in a few words."""
        days = ", ".join(self.days) if self.days else "every day"
        return f"{days} {self.start}-{self.end} {self.time_zone}"


def zone_of(window: TimeWindow) -> ZoneInfo | None:
    """Return the time zone; None when this system does not know it."""
    try:
        return ZoneInfo(window.time_zone)
    except (KeyError, OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        return None


def is_open(windows: Sequence[TimeWindow], now: datetime) -> bool:
    """Return whether one of the windows is open; without any, it always is.

    A window whose time zone is not known is never open.
    """
    return not windows or any(_holds(window, now) for window in windows)


def next_opening(windows: Sequence[TimeWindow], now: datetime) -> datetime | None:
    """Return when the next of the windows opens; None when none of them ever does."""
    return min((found for w in windows if (found := _opening(w, now))), default=None)


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
        # An hour that a change of clocks leaves out is as long after the change as it was before.
        local = datetime.combine(today + timedelta(days=ahead), start, tzinfo=zone)
        if not window.days or _DAYS[local.weekday()] in window.days:
            yield local.astimezone(UTC)
