"""What reme does once its kill switch is turned on, seen from outside of it."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple

from tests.attack.installed.fleet import Fleet
from tests.attack.installed.poller import PASSING, Poller
from tests.attack.installed.watch_recorder import Event, WatchRecorder, rewritten
from tests.e2e.sandbox.conftest import Api, Identity
from tests.support.testbed import RELEASE, SYSTEM

SWITCH = "reme-stop"
_CONFIG_MAPS = f"/api/v1/namespaces/{SYSTEM}/configmaps"
_METRICS = f"/api/v1/namespaces/{SYSTEM}/services/{RELEASE}-operator:metrics/proxy/metrics"
_NO = (401, 403)


class KillSwitchTrial(NamedTuple):
    """One try: when it was switched on, and what followed how many seconds later."""

    in_flight: str
    moment: str
    runs: int  # that were under way
    written: float  # until the API server had the switch
    last_job: float | None  # created after it; none is best
    last_change: float | None  # of a workload
    refused: float | None  # the next write that a run was about to make
    rights_gone: float | None
    jobs_gone: float | None
    policy_says: float | None
    metric_says: float | None

    @property
    def last_write(self) -> float:
        """How long reme went on to write; 0 when it wrote nothing any more."""
        return max(self.last_job or 0.0, self.last_change or 0.0)


class Answer(NamedTuple):
    """What a run was told when it asked to write, and from when to when that took."""

    sent_at: float
    answered_at: float
    run: str
    status: int


@dataclass
class TokenProber(Poller[Answer]):
    """Asks the API server again and again, as each run, whether it may still do as it was granted.

    By dry runs: so it can be told from when on the next write would have been refused.
    """

    between_seconds = 0.02
    api: Api
    jobs: WatchRecorder
    _granted: dict[str, tuple[str, Any] | None] = field(default_factory=dict)

    def look(self) -> Iterator[Answer]:
        for run in dict.fromkeys(e.name for e in list(self.jobs.events) if e.what == "ADDED"):
            with contextlib.suppress(*PASSING):
                yield from self._ask(run)

    def _ask(self, run: str) -> Iterator[Answer]:
        if run not in self._granted:
            self._granted[run] = self._grant(run)
        if (granted := self._granted[run]) is not None:
            path, body = granted
            started_at = time.monotonic()
            reply = self.api("PATCH", path, body, by=Identity.run(SYSTEM, run))
            yield Answer(started_at, time.monotonic(), run, reply.status)

    def _grant(self, run: str) -> tuple[str, Any] | None:
        """Return the request by which a run sets the variable that it was granted to set."""
        path = f"/apis/reme.dev/v1alpha1/namespaces/{SYSTEM}/rungrants/{run}"
        for rule in self.api("GET", path).body.get("spec", {}).get("rules", []):
            values = rule.get("values", {})
            key = next((k for k in values if k.endswith(".env[FAIL_PERCENT].value")), "")
            if rule["resource"] == "deployments" and key:
                name, place = rule["name"], rule["namespace"]
                env = [{"name": "FAIL_PERCENT", "value": values[key]}]
                spec = {"containers": [{"name": name, "env": env}]}
                where = f"/apis/apps/v1/namespaces/{place}/deployments/{name}?dryRun=All"
                return where, {"spec": {"template": {"spec": spec}}}
        return None

    def refused_after(self, moment: float) -> float | None:
        """Return when the last of the runs that could write could not any more."""
        items = []
        for run in {a.run for a in self.samples if a.status == 200}:
            mine = [a for a in self.samples if a.run == run]
            last = max(a.sent_at for a in mine if a.status == 200)
            later = [a.answered_at for a in mine if a.sent_at > last and a.status in _NO]
            if not later:
                return None
            items.append(min(later))
        after = [refused_at for refused_at in items if refused_at > moment]
        return max(after) if after else None


@dataclass
class ClusterObserver(AbstractContextManager["ClusterObserver"]):
    """Watches everything that reme writes but its record."""

    api: Api
    fleet: Fleet

    def __enter__(self) -> "ClusterObserver":
        self._stack = ExitStack()
        self.jobs = self._watch(f"/apis/batch/v1/namespaces/{SYSTEM}/jobs")
        self.results = self._watch(_CONFIG_MAPS)
        self.bindings = self._watch("/apis/rbac.authorization.k8s.io/v1/rolebindings")
        self.targets = self._watch(f"/apis/apps/v1/namespaces/{self.fleet.namespace}/deployments")
        self.asking = self._stack.enter_context(TokenProber(self.api, self.jobs))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _watch(self, path: str) -> WatchRecorder:
        return self._stack.enter_context(WatchRecorder(self.api, path))

    def reaches(self, moment: str) -> None:
        """Return at once when the first of the runs has come to that moment."""
        if moment == "a Job is created":
            self.jobs.until(moment, lambda e: e.what == "ADDED", 120)
        elif moment == "a run is taken":
            self.results.until(moment, _claimed, 120)
        elif moment == "a run has changed something":
            self.targets.until(moment, lambda _: bool(rewritten(self.targets)), 120)
        else:
            raise ValueError(moment)

    def turned(self, in_flight: str, moment: str, settled: Callable[[], bool]) -> KillSwitchTrial:
        """Turn the switch on, wait until nothing happens any more, and return what was seen."""
        started_at = time.monotonic()
        self._switch_on(in_flight)
        written = time.monotonic() - started_at
        under_way = {
            e.name for e in self.jobs.events if e.what == "ADDED" and e.moment < started_at
        }
        policy = metric = None
        until = time.monotonic() + 60
        while time.monotonic() < until:
            policy = policy or (self._policy_says() and time.monotonic()) or None
            metric = metric or (self._metric_says(in_flight) and time.monotonic()) or None
            if policy and metric and settled() and self._quiet():
                break
            time.sleep(0.1)
        jobs = [e for e in self.jobs.since(started_at) if e.what == "ADDED"]
        changes = [e for e in rewritten(self.targets) if e.moment > started_at]
        gone = [e for e in self.bindings.since(started_at) if e.what == "DELETED" and _of_run(e)]
        ended = [
            e for e in self.jobs.since(started_at) if e.what == "DELETED" and e.name in under_way
        ]
        stops = in_flight == "Abort"
        return KillSwitchTrial(
            in_flight=in_flight,
            moment=moment,
            runs=len(under_way),
            written=written,
            last_job=_last(jobs, started_at),
            last_change=_last(changes, started_at) if stops else None,
            refused=_after(self.asking.refused_after(started_at), started_at) if stops else None,
            rights_gone=_last(gone, started_at) if stops else None,
            jobs_gone=_last(ended, started_at) if stops else None,
            policy_says=_after(policy, started_at),
            metric_says=_after(metric, started_at),
        )

    def jobs_left(self) -> set[str]:
        """Return the runs that have a Job now."""
        names: set[str] = set()
        for event in list(self.jobs.events):
            (names.discard if event.what == "DELETED" else names.add)(event.name)
        return names

    def _quiet(self) -> bool:
        heard = [w.events[-1].moment for w in (self.jobs, self.bindings) if w.events]
        return time.monotonic() - max(heard, default=0.0) > 3

    def _switch_on(self, in_flight: str) -> None:
        head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": SWITCH}}
        data = {"inFlight": in_flight, "reason": "it is tried out"}
        reply = self.api("POST", _CONFIG_MAPS, {**head, "data": data})
        assert reply.status == 201, reply

    def _policy_says(self) -> bool:
        place = self.fleet.namespace
        path = f"/apis/reme.dev/v1alpha1/namespaces/{place}/remediationpolicies/test"
        conditions = self.api("GET", path).body.get("status", {}).get("conditions", [])
        return any((c["type"], c["reason"]) == ("Ready", "KillSwitch") for c in conditions)

    def _metric_says(self, in_flight: str) -> bool:
        page = self.api("GET", _METRICS).message
        return f'reme_kill_switch_active{{in_flight="{in_flight}"}} 1.0' in page


def switch_off(api: Api) -> None:
    """Turn the switch off, wherever it stands."""
    api("DELETE", f"{_CONFIG_MAPS}/{SWITCH}")


def _claimed(event: Event) -> bool:
    claim = (event.object.get("data") or {}).get("claim.json", "")
    try:
        return bool(claim and json.loads(claim))
    except ValueError:
        return True


def _of_run(event: Event) -> bool:
    labels = event.object["metadata"].get("labels") or {}
    return str(labels.get("app.kubernetes.io/managed-by")) == "reme"


def _last(events: list[Event], started_at: float) -> float | None:
    return max(e.moment for e in events) - started_at if events else None


def _after(moment: float | None, started_at: float) -> float | None:
    return None if moment is None else moment - started_at
