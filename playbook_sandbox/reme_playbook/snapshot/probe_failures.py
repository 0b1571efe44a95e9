"""Which kubelet probes fail now, and how: from the events of the target's pods.

The kubelet says how a probe failed, but of an HTTP answer neither path nor port; the template knows
these.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reme_playbook.snapshot.current_events import current_events
from reme_playbook.snapshot.snapshot import ClusterSnapshot, EventLine
from reme_playbook.snapshot.views import ContainerView, ProbeView

MAX_AGE = 900
"""Seconds. Failures before that are left out: their cause may be gone."""
_FAILED = re.compile(
    r"(?i)\A\s*(readiness|liveness|startup) probe (?:failed|errored)[:,]?\s*(.*)", re.DOTALL
)
_NO_SUCH_PATH = frozenset({404, 405, 410})
_STATUS = re.compile(r"statuscode: ([1-5][0-9]{2})\b")
_PROBLEMS = (
    ("connection refused", "connection refused"),
    ("context deadline exceeded", "no answer in time"),
    ("client.timeout exceeded", "no answer in time"),
    ("i/o timeout", "no answer in time"),
    ("timed out", "no answer in time"),
    ("timeout", "no answer in time"),
    ("not_serving", "NOT_SERVING"),
    ("connection reset", "connection reset"),
    ("no such host", "no such host"),
    ("eof", "the connection was closed"),
)


@dataclass(frozen=True)
class ProbeFailure:
    """One probe of one container that fails."""

    container: str
    kind: str
    problem: str
    """Fixed words; empty for a failure of another kind, such as of a command."""
    status: int | None
    """The HTTP status that was answered."""
    count: int

    @property
    def asks_nothing_that_exists(self) -> bool:
        """Whether the program answers that it does not have what the probe asks for."""
        return self.status in _NO_SUCH_PATH


def probe_failures(snapshot: ClusterSnapshot) -> tuple[ProbeFailure, ...]:
    """Return each probe that fails, by container and kind, with its latest failure."""
    failures: dict[tuple[str, str], ProbeFailure] = {}
    for event, kind, text in _events(snapshot):
        container = _container(event, kind, text, snapshot)
        if container is None:
            continue
        before = failures.get((container.name, kind))
        count = event.count + (before.count if before else 0)
        status = _STATUS.search(text)
        failures[container.name, kind] = ProbeFailure(
            container.name,
            kind,
            f"HTTP {status[1]}" if status else _problem(text),
            int(status[1]) if status else None,
            count,
        )
    return tuple(failures.values())


def fails(snapshot: ClusterSnapshot, container: str, kind: str) -> ProbeFailure | None:
    """Return how that probe fails; None if it does not, as far as events tell."""
    return next(
        (f for f in probe_failures(snapshot) if (f.container, f.kind) == (container, kind)), None
    )


def port_number(view: ContainerView, probe: ProbeView) -> int | None:
    """Return the number of the port that a probe asks; None if its name is unknown."""
    if isinstance(probe.port, int):
        return probe.port
    return next((port.number for port in view.ports if port.name == probe.port), None)


def _events(snapshot: ClusterSnapshot) -> Iterator[tuple[EventLine, str, str]]:
    pods = {pod.name for pod in snapshot.pods if not pod.deleting}
    events = [e for e in current_events(snapshot) if e.reason in ("Unhealthy", "ProbeError")]
    # The latest one of each probe wins.
    for event in sorted(events, key=lambda e: -(e.age_seconds or 0)):
        if event.name in pods and (event.age_seconds or 0) <= MAX_AGE:
            match = _FAILED.match(event.message)
            if match:
                yield event, match[1].lower(), match[2]


def _container(
    event: EventLine, kind: str, text: str, snapshot: ClusterSnapshot
) -> ContainerView | None:
    views = [view for view in snapshot.containers if kind in view.probes]
    if event.container:
        return next((view for view in views if view.name == event.container), None)
    if len(views) <= 1:
        return views[0] if views else None
    named = [v for v in views if (n := port_number(v, v.probes[kind])) and f":{n}" in text]
    if len(named) == 1:
        return named[0]
    unready = {
        state.name
        for pod in snapshot.pods
        if pod.name == event.name
        for state in pod.containers
        if not state.ready
    }
    waiting = [view for view in views if view.name in unready]
    return waiting[0] if len(waiting) == 1 else None


def _problem(text: str) -> str:
    plain = text.lower()
    return next((words for part, words in _PROBLEMS if part in plain), "")
