"""When things happened in an incident: the release, the start of the fault, the states of pods.

The times are drawn from the names of the system, apart from its other values, and do not depend on
how often a snapshot is taken.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

COLLECTED = datetime(2026, 3, 20, 12, tzinfo=UTC)
"""When the snapshot of every incident is taken."""
_OBSERVED_PERCENT = 70
_RECENT_RELEASE_PERCENT = 25
"""How often a release came shortly before a fault that it did not bring."""
_ROLLOUT = timedelta(seconds=30)


@dataclass(frozen=True)
class Timeline:
    """The times of one incident."""

    fault_start: datetime
    observed: bool
    """Whether somebody or something says when the fault began; else only the report is known."""
    release: datetime
    """When the present template came."""

    @property
    def rollout_complete(self) -> datetime:
        """When the pods of the present template were ready, if they became so."""
        return self.release + _ROLLOUT

    def revision(self, back: int) -> datetime:
        """Return when the revision came that is so many before the present one."""
        return self.release - timedelta(days=back, hours=back % 5)


def timeline(name: str, *, by_release: bool) -> Timeline:
    """Return the times of the incident of this system; the same for the same name.

    `by_release` is whether the last release brought the fault.
    """
    draw = random.Random(name)  # noqa: S311 (not used for secrets)
    start = COLLECTED - timedelta(seconds=draw.randint(60, 5400))
    observed = draw.random() * 100 < _OBSERVED_PERCENT
    if by_release:
        before = timedelta(seconds=draw.randint(35, 400))
    elif draw.random() * 100 < _RECENT_RELEASE_PERCENT:
        before = timedelta(seconds=draw.randint(90, 3600))
    else:
        before = timedelta(minutes=draw.randint(120, 30_000))
    return Timeline(start, observed, start - before)


def api_time(moment: datetime) -> str:
    """Return a time as the API server writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
