"""Times of the week, across midnight and across changes of the clocks."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reme_api.windows import Day, TimeWindow, is_open, next_opening, zone_of

MONDAY = datetime(2026, 5, 4, tzinfo=UTC)


def window(**fields: Any) -> TimeWindow:
    return TimeWindow.model_validate(fields)


def at(days: int, clock: str, zone: str = "UTC") -> datetime:
    hour, minute = map(int, clock.split(":"))
    local = datetime(2026, 5, 4 + days, hour, minute, tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC)


def test_without_windows_it_is_always_open() -> None:
    assert is_open([], MONDAY)
    assert next_opening([], MONDAY) is None


@pytest.mark.parametrize(
    ("clock", "inside"), [("08:59", False), ("09:00", True), ("16:59", True), ("17:00", False)]
)
def test_a_window_has_its_start_and_not_its_end(clock: str, inside: bool) -> None:
    assert is_open([window(start="09:00", end="17:00")], at(0, clock)) is inside


def test_a_window_past_midnight_belongs_to_the_day_on_which_it_starts() -> None:
    night = [window(days=["Fri"], start="22:00", end="04:00")]
    assert is_open(night, at(4, "23:00"))
    assert is_open(night, at(5, "03:59"))
    assert not is_open(night, at(5, "04:00"))
    assert not is_open(night, at(5, "23:00"))
    assert not is_open(night, at(4, "03:00"))


def test_a_window_that_ends_where_it_starts_is_a_whole_day() -> None:
    saturday = [window(days=["Sat"], start="06:00", end="06:00")]
    assert is_open(saturday, at(5, "06:00"))
    assert is_open(saturday, at(6, "05:59"))
    assert not is_open(saturday, at(6, "06:00"))


def test_the_clock_on_the_wall_is_that_of_the_zone() -> None:
    working_hours = [window(start="09:00", end="17:00", timeZone="America/New_York")]
    assert is_open(working_hours, at(0, "09:00", "America/New_York"))
    assert not is_open(working_hours, at(0, "09:00"))


def test_one_of_several_is_enough() -> None:
    both = [window(days=["Mon"], start="01:00", end="02:00"), window(start="10:00", end="11:00")]
    assert is_open(both, at(0, "01:30"))
    assert is_open(both, at(3, "10:30"))
    assert not is_open(both, at(3, "01:30"))


def test_the_next_opening_is_the_nearest_of_all() -> None:
    time_windows = [
        window(days=["Wed"], start="08:00", end="09:00"),
        window(days=["Tue"], end="01:00"),
    ]
    assert next_opening(time_windows, at(0, "12:00")) == at(1, "00:00")
    weekly = [window(days=["Mon"], start="08:00", end="09:00")]
    assert next_opening(weekly, at(0, "08:00")) == at(7, "08:00")


def test_a_zone_that_is_not_known_never_opens() -> None:
    strange = [window(timeZone="Mars/Olympus")]
    assert zone_of(strange[0]) is None
    assert not is_open(strange, MONDAY)
    assert next_opening(strange, MONDAY) is None


@pytest.mark.parametrize(
    "fields",
    [{"start": "24:00"}, {"end": "7:00"}, {"days": ["Monday"]}, {"timeZone": "../etc/passwd"}],
)
def test_nonsense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        window(**fields)


def test_an_hour_that_is_left_out_opens_after_the_change() -> None:
    # On 29 March 2026 Berlin goes from 02:00 to 03:00.
    gap = [window(start="02:30", end="05:00", timeZone="Europe/Berlin")]
    before = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # 01:30 in Berlin
    opening = next_opening(gap, before)
    assert opening == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 03:30 in Berlin
    assert is_open(gap, opening)


clocks = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
windows = st.builds(
    TimeWindow,
    days=st.lists(st.sampled_from(Day), unique=True, max_size=7),
    start=clocks,
    end=clocks,
    time_zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)
moments = st.integers(0, 366 * 24 * 60).map(lambda m: MONDAY + timedelta(minutes=m))


@given(st.lists(windows, min_size=1, max_size=4), moments)
def test_what_is_said_to_open_next_is_in_the_future_and_soon(
    time_windows: list[TimeWindow], now: datetime
) -> None:
    opening = next_opening(time_windows, now)
    assert opening is not None
    assert now < opening <= now + timedelta(days=8, hours=2)


@given(st.lists(windows, min_size=1, max_size=4), moments)
def test_a_window_that_is_shut_stays_shut_until_the_next_opening(
    time_windows: list[TimeWindow], now: datetime
) -> None:
    opening = next_opening(time_windows, now)
    assert opening is not None
    if is_open(time_windows, now):
        return
    span = opening - now
    for part in range(1, 20):
        moment = now + span * part / 20
        # Where clocks go back, an hour of the wall comes twice, and a window may open again.
        if is_open(time_windows, moment):
            zones = {zone_of(w) for w in time_windows}
            assert any(
                (moment - timedelta(hours=2)).astimezone(z).utcoffset()
                != moment.astimezone(z).utcoffset()
                for z in zones
            )
