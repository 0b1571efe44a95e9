"""What Prometheus is told: every metric of the operator, in a registry of its own.

Labels are bounded sets of words (outcomes, reasons, steps, rules), never names of objects. Every
combination that an alert or a panel asks for exists from the start as 0, because a rate over a
series that is born with its first event does not see that event.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from reme_api.reasons import Outcome, Reason, Step
from reme_operator.kill_switch.state import OFF, InFlightPolicy, KillSwitchState

_STEP_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
_MODEL_SECONDS = (0.5, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256)
"""A small model on a few cores writes a playbook in 5 to 60 s, one on a GPU in 1."""
_WHOLE_SECONDS = (5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600)
_RECONCILE_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

OTHER = "Other"
"""Label value for a word that is not in its set, so that no foreign word becomes a series."""


class Page(NamedTuple):
    """An answer to a scrape."""

    content_type: str
    body: bytes


class Metrics:
    """The operator's metrics; one instance per process, one per test."""

    def __init__(self, version: str = "", registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        if registry is None:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
            GCCollector(registry=self.registry)
        self._rules: set[str] = set()
        self._waited_for: set[Reason] = {
            Reason.BUDGET_EXHAUSTED,
            Reason.COOLING_DOWN,
            Reason.KILL_SWITCH,
            Reason.OUTSIDE_WINDOW,
            Reason.SAME_CAUSE,
            Reason.REPORT_STORM,
            Reason.TARGET_LOCKED,
        }
        self._remediations = Counter(
            "reme_remediations_total",
            "Remediations that ended, by outcome and reason.",
            ["outcome", "reason"],
            registry=self.registry,
        )
        self._open = Gauge(
            "reme_remediations_open", "Remediations that have not ended.", registry=self.registry
        )
        self._duration = Histogram(
            "reme_remediation_duration_seconds",
            "From the creation of a remediation to its outcome.",
            ["outcome"],
            buckets=_WHOLE_SECONDS,
            registry=self.registry,
        )
        self._step = Histogram(
            "reme_step_duration_seconds",
            "How long one step of a remediation took.",
            ["step"],
            buckets=_STEP_SECONDS,
            registry=self.registry,
        )
        self._verification = Histogram(
            "reme_verification_duration_seconds",
            "From the end of a run until its success or failure was proven.",
            buckets=_STEP_SECONDS,
            registry=self.registry,
        )
        self._llm_seconds = Histogram(
            "reme_llm_request_duration_seconds",
            "How long the model took for one reply, by how it ended.",
            ["result"],
            buckets=_MODEL_SECONDS,
            registry=self.registry,
        )
        self._llm_tokens = Counter(
            "reme_llm_tokens_total",
            "Tokens as the model server counts them.",
            ["kind"],
            registry=self.registry,
        )
        self._rejections = Counter(
            "reme_playbook_rejections_total",
            "Playbooks that were not run, by the rule that they broke.",
            ["rule"],
            registry=self.registry,
        )
        self._jobs = Gauge(
            "reme_sandbox_jobs_active", "Runs that have a Job now.", registry=self.registry
        )
        self._reports = Counter(
            "reme_reports_total",
            "Decisions on reports, by reason; RemediationCreated is the one that accepts.",
            ["reason"],
            registry=self.registry,
        )
        self._reconciles = Histogram(
            "reme_reconcile_duration_seconds",
            "How long the operator worked on one decision.",
            ["result"],
            buckets=_RECONCILE_SECONDS,
            registry=self.registry,
        )
        self._unreadable = Counter(
            "reme_unreadable_objects_total",
            "Objects of reme's own kinds that did not fit their type.",
            ["kind"],
            registry=self.registry,
        )
        self._task_failures = Counter(
            "reme_background_task_failures_total",
            "Background tasks of the operator that ended and were started again.",
            ["task"],
            registry=self.registry,
        )
        self._switch = Gauge(
            "reme_kill_switch",
            "1 while the kill switch is on, by its policy for runs in flight.",
            ["in_flight"],
            registry=self.registry,
        )
        self._waiting = Gauge(
            "reme_reports_waiting",
            "Reports that are not acted on, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self._storm = Gauge(
            "reme_storm", "1 while there are too many reports at once.", registry=self.registry
        )
        self._leader = Gauge(
            "reme_leader", "1 while this process holds the lease.", registry=self.registry
        )
        self._build = Gauge("reme_build_info", "Always 1.", ["version"], registry=self.registry)
        self._build.labels(version or "unknown").set(1)
        self._start_at_zero()

    def remediation_ended(self, outcome: Outcome, reason: Reason, seconds: float) -> None:
        """Count a remediation that has got its outcome."""
        self._remediations.labels(outcome.value, reason.value).inc()
        self._duration.labels(outcome.value).observe(seconds)

    def remediations_open(self, number: int) -> None:
        """Tell how many have not ended."""
        self._open.set(number)

    def step_ended(self, step: Step, seconds: float) -> None:
        """Tell how long a step took."""
        self._step.labels(step.value).observe(seconds)
        if step is Step.VERIFY:
            self._verification.observe(seconds)

    def model_replied(self, seconds: float, prompt_tokens: int, completion_tokens: int) -> None:
        """Count a reply of the model, and what it cost."""
        self._llm_seconds.labels("ok").observe(seconds)
        self._llm_tokens.labels("prompt").inc(prompt_tokens)
        self._llm_tokens.labels("completion").inc(completion_tokens)

    def model_failed(self, seconds: float, *, timed_out: bool = False) -> None:
        """Count a request that brought no reply."""
        self._llm_seconds.labels("timeout" if timed_out else "error").observe(seconds)

    def register_rules(self, rules: Iterator[str] | list[str] | tuple[str, ...]) -> None:
        """Name the rules that may be broken; any other is counted as Other."""
        self._rules = {*rules, OTHER}
        for rule in self._rules:
            self._rejections.labels(rule)

    def playbook_rejected(self, rule: str) -> None:
        """Count a playbook that was not run."""
        self._rejections.labels(rule if rule in self._rules else OTHER).inc()

    def jobs_active(self, number: int) -> None:
        """Tell how many runs have a Job."""
        self._jobs.set(number)

    def report_decided(self, reason: Reason) -> None:
        """Count a decision on a report."""
        self._reports.labels(reason.value).inc()

    def kill_switch(self, state: KillSwitchState) -> None:
        """Tell whether the kill switch is on."""
        for in_flight in InFlightPolicy:
            self._switch.labels(in_flight.value).set(state.on and state.in_flight is in_flight)

    def reports_waiting(self, counts: Mapping[Reason, int]) -> None:
        """Tell how many reports wait, and why; reasons that are not named have none."""
        for reason in {*self._waited_for, *counts}:
            self._waiting.labels(reason.value).set(counts.get(reason, 0))
        self._waited_for |= set(counts)

    def storm(self, active: bool) -> None:
        """Tell whether there is a storm."""
        self._storm.set(active)

    @contextmanager
    def reconcile(self) -> Iterator[None]:
        """Time one decision; an exception that passes is counted as an error."""
        begun, result = perf_counter(), "error"
        try:
            yield
            result = "ok"
        finally:
            self._reconciles.labels(result).observe(perf_counter() - begun)

    def register_background_tasks(self, names: Iterable[str]) -> None:
        """Start the counters of the background tasks at 0."""
        for name in names:
            self._task_failures.labels(name)

    def background_task_failed(self, name: str) -> None:
        """Count a background task that ended."""
        self._task_failures.labels(name).inc()

    def object_unreadable(self, kind: str) -> None:
        """Count an object that could not be read."""
        self._unreadable.labels(kind).inc()

    def leading(self, leads: bool) -> None:
        """Tell whether this process leads."""
        self._leader.set(1 if leads else 0)

    def page(self) -> Page:
        """Return everything in the text format."""
        return Page("text/plain; version=0.0.4; charset=utf-8", generate_latest(self.registry))

    def _start_at_zero(self) -> None:
        for outcome in Outcome:
            self._duration.labels(outcome.value)
        for step in Step:
            self._step.labels(step.value)
        for result in ("ok", "error", "timeout"):
            self._llm_seconds.labels(result)
        for kind in ("prompt", "completion"):
            self._llm_tokens.labels(kind)
        self.kill_switch(OFF)
        self.reports_waiting({})
        for result in ("ok", "error"):
            self._reconciles.labels(result)
        for outcome, reason in _USUAL_ENDS:
            self._remediations.labels(outcome.value, reason.value)
        self._reports.labels(Reason.REMEDIATION_CREATED.value)


_USUAL_ENDS = (
    (Outcome.VERIFIED, Reason.PROBES_PASSED),
    (Outcome.UNVERIFIED, Reason.PROBES_INCONCLUSIVE),
    (Outcome.ROLLED_BACK, Reason.PROBES_FAILED),
    (Outcome.ROLLBACK_FAILED, Reason.ROLLBACK_FAILED),
    (Outcome.REJECTED, Reason.PLAYBOOK_REJECTED),
    (Outcome.FAILED, Reason.MODEL_UNAVAILABLE),
    (Outcome.FAILED, Reason.INTERNAL_ERROR),
    (Outcome.FAILED, Reason.TAMPERED),
    (Outcome.NO_ACTION_NEEDED, Reason.ALREADY_HEALTHY),
    (Outcome.ABSTAINED, Reason.MODEL_ABSTAINED),
    (Outcome.ABSTAINED, Reason.DIAGNOSIS_CONTRADICTED),
    (Outcome.ABSTAINED, Reason.FAULT_ELSEWHERE),
    (Outcome.ABSTAINED, Reason.NO_ACTION_HELPS),
    (Outcome.ABSTAINED, Reason.INSUFFICIENT_EVIDENCE),
    (Outcome.CANCELLED, Reason.KILL_SWITCH),
)
"""What alerts ask for; other pairs begin with their first event."""
