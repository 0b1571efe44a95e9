"""A storm of reports, and a witness who looks again and again at how much reme does at once."""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from reme_api.remediation import Remediation
from tests.attack.installed.poller import PASSING, Poller
from tests.e2e.sandbox.conftest import Api
from tests.support.testbed import RELEASE, SYSTEM

Object = dict[str, Any]
_METRICS = f"/api/v1/namespaces/{SYSTEM}/services/{RELEASE}-operator:metrics/proxy/metrics"


class Sample(NamedTuple):
    """What was there at one moment."""

    open: Counter[str]  # remediations without an outcome, by target
    jobs: int  # of runs, that have not ended
    waiting: Counter[str]  # reports that are not acted on, by reason
    storm: bool


@dataclass
class StormObserver(Poller[Sample]):
    """Samples a namespace until it is left."""

    between_seconds = 0.15
    api: Api
    namespace: str
    waited: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Why each report ever had to wait."""

    def look(self) -> Iterator[Sample]:
        with contextlib.suppress(*PASSING, KeyError):
            yield self._sample()

    def _sample(self) -> Sample:
        own = f"/apis/reme.dev/v1alpha1/namespaces/{self.namespace}"
        remediations = self.api("GET", f"{own}/remediations").body["items"]
        items = self.api("GET", f"/apis/batch/v1/namespaces/{SYSTEM}/jobs").body["items"]
        reports = self.api("GET", f"{own}/diagnosisreports").body["items"]
        page = self.api("GET", _METRICS).message
        waiting: Counter[str] = Counter()
        for report in reports:
            if reason := _refusal(report):
                waiting[reason] += 1
                self.waited[report["metadata"]["name"]].add(reason)
        return Sample(
            open=Counter(
                r["spec"]["target"]["name"]
                for r in remediations
                if not r.get("status", {}).get("outcome")
            ),
            jobs=sum(self._runs(job) for job in items),
            waiting=waiting,
            storm="reme_report_storm_active 1.0" in page,
        )

    def _runs(self, job: Object) -> bool:
        place = (job["metadata"].get("labels") or {}).get("reme.dev/remediation-namespace")
        done = any(c["status"] == "True" for c in job.get("status", {}).get("conditions", []))
        return place == self.namespace and not done


def _refusal(report: Object) -> str:
    for condition in report.get("status", {}).get("conditions", []):
        if (condition["type"], condition["status"]) == ("Accepted", "False"):
            return str(condition["reason"])
    return ""


def touched(remediations: Iterable[Remediation]) -> list[tuple[datetime, str]]:
    """Return when a run was made for which target, oldest first."""
    return sorted(
        (run.created_time, r.spec.target.name)
        for r in remediations
        for attempt in r.status.attempts
        for run in (attempt.run, attempt.rollback)
        if run is not None and run.created_time is not None
    )


def most_within(runs: Sequence[tuple[datetime, str]], window: timedelta) -> int:
    """Return how many targets were touched within the busiest window."""
    return max(
        (len({name for at, name in runs if since <= at < since + window}) for since, _ in runs),
        default=0,
    )
