"""Every Prometheus metric of the operator, in a registry of its own.

Labels have bounded sets of values (outcomes, reasons, steps, rules), never names of objects. Every
combination that an alert or a panel uses exists from the start as 0, because the rate of a series
that begins with its first event does not include that event.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from reme_api.investigation import Choice, InspectionName
from reme_api.reasons import Outcome, Reason, Step
from reme_operator.kill_switch.state import OFF, InFlightPolicy, KillSwitchState
from reme_playbook.snapshot.finding import FindingKind

_STEP_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
_MODEL_SECONDS = (0.5, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256)
"""A small model on a few cores writes a playbook in 5 to 60 s, one on a GPU in 1 s."""
_REMEDIATION_SECONDS = (5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600)
_RECONCILE_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

OTHER = "Other"
"""Label value for a word that is not in its set, so that no foreign text becomes a series."""

_MODEL_RESULTS = ("ok", "error", "timeout")
_RECONCILE_RESULTS = ("ok", "error")
_INSPECTION_RESULTS = ("abnormal", "normal", "unavailable")
_RESULT_OF_KIND = {
    "": "unavailable",
    FindingKind.UNAVAILABLE: "unavailable",
    FindingKind.NORMAL: "normal",
    FindingKind.EARLIER_CHANGE: "normal",
    FindingKind.METRIC: "normal",
}
"""By the kind of the main finding; any other kind is abnormal."""
_TOKEN_KINDS = ("prompt", "completion")
_USUAL_PENDING_REASONS = (
    Reason.BUDGET_EXHAUSTED,
    Reason.COOLING_DOWN,
    Reason.KILL_SWITCH,
    Reason.OUTSIDE_WINDOW,
    Reason.SAME_CAUSE,
    Reason.REPORT_STORM,
    Reason.TARGET_LOCKED,
)
_USUAL_OUTCOMES = (
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
    (Outcome.ABSTAINED, Reason.TOO_LITTLE_EVIDENCE),
    (Outcome.CANCELLED, Reason.KILL_SWITCH),
)
"""What alerts and panels use; other pairs begin with their first event."""


class Page(NamedTuple):
    """The response to a scrape."""

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
        self._pending_reasons: set[Reason] = set(_USUAL_PENDING_REASONS)
        self._remediations = self._counter(
            "reme_remediations_total",
            "Remediations that ended, by outcome and reason.",
            "outcome",
            "reason",
        )
        self._open = self._gauge("reme_remediations_open", "Remediations that have not ended.")
        self._duration = self._histogram(
            "reme_remediation_duration_seconds",
            "From the creation of a remediation to its outcome.",
            _REMEDIATION_SECONDS,
            "outcome",
        )
        self._step = self._histogram(
            "reme_step_duration_seconds",
            "Duration of one step of a remediation.",
            _STEP_SECONDS,
            "step",
        )
        self._verification = self._histogram(
            "reme_verification_duration_seconds",
            "From the end of a run until the verdict of its verification.",
            _STEP_SECONDS,
        )
        self._model_seconds = self._histogram(
            "reme_model_request_duration_seconds",
            "Duration of one request to the model, by result.",
            _MODEL_SECONDS,
            "result",
        )
        self._model_tokens = self._counter(
            "reme_model_tokens_total", "Tokens as the model server counts them.", "kind"
        )
        self._rounds = self._counter(
            "reme_investigation_rounds_total",
            "Rounds of investigations, by what the coordinator chose.",
            "choice",
        )
        self._inspections = self._counter(
            "reme_inspections_total",
            "Inspections, by name and result.",
            "inspection",
            "result",
        )
        self._coordinator_tokens = self._counter(
            "reme_coordinator_tokens_total",
            "Tokens that the coordinator used, as the model server counts them.",
            "kind",
        )
        self._rejections = self._counter(
            "reme_playbook_rejections_total",
            "Playbooks that were not run, by the rule that they violated.",
            "rule",
        )
        self._jobs = self._gauge("reme_sandbox_jobs_active", "Runs that have a Job now.")
        self._reports = self._counter(
            "reme_report_decisions_total",
            "Decisions on reports, by reason; RemediationCreated is the one that accepts.",
            "reason",
        )
        self._reconciles = self._histogram(
            "reme_reconcile_duration_seconds",
            "Duration of one pass of the reconcile loop, by result.",
            _RECONCILE_SECONDS,
            "result",
        )
        self._unreadable = self._counter(
            "reme_unreadable_objects_total",
            "Objects of reme's own kinds that did not fit their type.",
            "kind",
        )
        self._task_failures = self._counter(
            "reme_background_task_failures_total",
            "Background tasks of the operator that ended and were started again.",
            "task",
        )
        self._kill_switch = self._gauge(
            "reme_kill_switch_active",
            "1 while the kill switch is on, by its policy for runs in flight.",
            "in_flight",
        )
        self._pending = self._gauge(
            "reme_reports_pending", "Reports that are not acted on yet, by reason.", "reason"
        )
        self._storm = self._gauge(
            "reme_report_storm_active", "1 while there are too many reports at once."
        )
        self._leader = self._gauge("reme_leader", "1 while this process holds the lease.")
        self._build = self._gauge("reme_build_info", "Always 1.", "version")
        self._build.labels(version or "unknown").set(1)
        self._start_at_zero()

    # remediations -----------------------------------------------------------------------------

    def remediation_ended(self, outcome: Outcome, reason: Reason, seconds: float) -> None:
        """Count a remediation that has its outcome."""
        self._remediations.labels(outcome.value, reason.value).inc()
        self._duration.labels(outcome.value).observe(seconds)

    def remediations_open(self, number: int) -> None:
        """Set the number of remediations that have not ended."""
        self._open.set(number)

    def step_ended(self, step: Step, seconds: float) -> None:
        """Observe the duration of a step."""
        self._step.labels(step.value).observe(seconds)
        if step is Step.VERIFY:
            self._verification.observe(seconds)

    def model_replied(self, seconds: float, prompt_tokens: int, completion_tokens: int) -> None:
        """Observe a reply of the model, and its tokens."""
        self._model_seconds.labels("ok").observe(seconds)
        self._model_tokens.labels("prompt").inc(prompt_tokens)
        self._model_tokens.labels("completion").inc(completion_tokens)

    def model_failed(self, seconds: float, *, timed_out: bool = False) -> None:
        """Observe a request to the model without a reply."""
        self._model_seconds.labels("timeout" if timed_out else "error").observe(seconds)

    def register_rules(self, rules: Iterable[str]) -> None:
        """Set the rules that a playbook can violate; any other is counted as Other."""
        self._rules = {*rules, OTHER}
        for rule in self._rules:
            self._rejections.labels(rule)

    def round_chosen(self, choice: Choice, prompt_tokens: int, completion_tokens: int) -> None:
        """Count a round of an investigation, and the tokens of its choice."""
        self._rounds.labels(choice.value).inc()
        self._coordinator_tokens.labels("prompt").inc(prompt_tokens)
        self._coordinator_tokens.labels("completion").inc(completion_tokens)

    def inspection_performed(self, name: InspectionName, kind: str) -> None:
        """Count an inspection by the kind of its main finding."""
        self._inspections.labels(name.value, _RESULT_OF_KIND.get(kind, "abnormal")).inc()

    def playbook_rejected(self, rule: str) -> None:
        """Count a playbook that was not run."""
        self._rejections.labels(rule if rule in self._rules else OTHER).inc()

    def jobs_active(self, number: int) -> None:
        """Set the number of runs that have a Job."""
        self._jobs.set(number)

    @contextmanager
    def reconcile(self) -> Iterator[None]:
        """Observe the duration of the block; an exception counts as an error."""
        started_at, result = perf_counter(), "error"
        try:
            yield
            result = "ok"
        finally:
            self._reconciles.labels(result).observe(perf_counter() - started_at)

    # reports ----------------------------------------------------------------------------------

    def report_decided(self, reason: Reason) -> None:
        """Count a decision on a report."""
        self._reports.labels(reason.value).inc()

    def reports_pending(self, counts: Mapping[Reason, int]) -> None:
        """Set the number of pending reports by reason; reasons that are not named have none."""
        for reason in {*self._pending_reasons, *counts}:
            self._pending.labels(reason.value).set(counts.get(reason, 0))
        self._pending_reasons |= set(counts)

    def storm(self, active: bool) -> None:
        """Set whether there is a report storm."""
        self._storm.set(active)

    # the process ------------------------------------------------------------------------------

    def kill_switch(self, state: KillSwitchState) -> None:
        """Set whether the kill switch is on."""
        for policy in InFlightPolicy:
            on = state.on and state.in_flight is policy
            self._kill_switch.labels(policy.value).set(on)

    def register_background_tasks(self, names: Iterable[str]) -> None:
        """Start the counters of the background tasks at 0."""
        for name in names:
            self._task_failures.labels(name)

    def background_task_failed(self, name: str) -> None:
        """Count a background task that ended."""
        self._task_failures.labels(name).inc()

    def object_unreadable(self, kind: str) -> None:
        """Count an object that could not be parsed."""
        self._unreadable.labels(kind).inc()

    def leading(self, leads: bool) -> None:
        """Set whether this process leads."""
        self._leader.set(1 if leads else 0)

    def page(self) -> Page:
        """Return all metrics in the text format of Prometheus."""
        return Page("text/plain; version=0.0.4; charset=utf-8", generate_latest(self.registry))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def _start_at_zero(self) -> None:
        for outcome in Outcome:
            self._duration.labels(outcome.value)
        for outcome, reason in _USUAL_OUTCOMES:
            self._remediations.labels(outcome.value, reason.value)
        for step in Step:
            self._step.labels(step.value)
        for result in _MODEL_RESULTS:
            self._model_seconds.labels(result)
        for kind in _TOKEN_KINDS:
            self._model_tokens.labels(kind)
            self._coordinator_tokens.labels(kind)
        for choice in Choice:
            self._rounds.labels(choice.value)
        for name in InspectionName:
            for result in _INSPECTION_RESULTS:
                self._inspections.labels(name.value, result)
        for result in _RECONCILE_RESULTS:
            self._reconciles.labels(result)
        self.kill_switch(OFF)
        self.reports_pending({})
        self._reports.labels(Reason.REMEDIATION_CREATED.value)
