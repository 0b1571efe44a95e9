"""Describes when the fault began, against when the template came and what else changed."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from reme_model.prompt.redact import short
from reme_model.prompt.sections.lines import Line, Weight, fact
from reme_playbook.snapshot.changes import Change, changes_of
from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.times import duration, parse_time, relative_to, time_at

_MOST = 2
_BEFORE, _AFTER = timedelta(hours=1), timedelta(minutes=2)
"""Changes that came longer before the fault, or later, are left out: they are no likely cause."""
_INSTALLED = timedelta(minutes=1)
"""What was created so soon after the target was installed with it, and did not change."""


def timeline_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield the start of the fault, and the changes of other objects shortly before it."""
    start, now = live.fault_start, live.collected_at
    if start is None or now is None:
        return
    ago = duration((now - start).total_seconds())
    began = f"the fault began {ago} ago" if live.fault_start_observed else f"reported {ago} ago"
    came = _template_came(live)
    if came is not None and came <= start:
        age = duration((start - came).total_seconds())
        yield fact(f"time: {began}, {age} after this template came", Weight.USEFUL)
    elif live.fault_start_observed:
        yield fact(f"time: {began}", Weight.NICE)
    for change in list(_near(live, start))[:_MOST]:
        subject = f"{change.subject.kind} {short(change.subject.name, 60)}"
        yield fact(f"time: {subject} {change.what} {relative_to(change.at, start)}", Weight.USEFUL)


def _template_came(live: ClusterSnapshot) -> datetime | None:
    """Return when the present template came; None if that is unknown, as after a rollback to it."""
    own = digest(live.template)
    times = [(parse_time(r.created), digest(r.template) == own) for r in live.revisions]
    known = [(time, is_own) for time, is_own in times if time is not None]
    came = min((time for time, is_own in known if is_own), default=None)
    if came is None or any(time > came for time, is_own in known if not is_own):
        return None
    return came


def _near(live: ClusterSnapshot, start: datetime) -> Iterator[Change]:
    """Yield what else changed around the start of the fault, the nearest before it first."""
    installed = time_at(live.workload, "metadata", "creationTimestamp")
    changes = [*changes_of(live), *_of_dependencies(live)]
    near = [
        change
        for change in dict.fromkeys(changes)
        if change.subject != live.target
        and start - _BEFORE <= change.at <= start + _AFTER
        and (installed is None or change.at > installed + _INSTALLED)
    ]
    yield from sorted(near, key=lambda change: (change.at > start, abs(start - change.at)))


def _of_dependencies(live: ClusterSnapshot) -> Iterator[Change]:
    for dependency in live.dependencies:
        for workload in dependency.workloads:
            if workload.changed is not None:
                yield Change(workload.changed, workload.ref, "was changed")
