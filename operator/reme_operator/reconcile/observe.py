"""Reads what a decision depends on beside the remediation itself, and no more than that."""

from dataclasses import replace
from datetime import datetime, timedelta

from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy
from reme_api.reasons import Reason
from reme_api.remediation import Attempt, Remediation
from reme_api.windows import is_open
from reme_kube.errors import NotFoundError
from reme_operator.admission.policy_validation import outside_windows_message
from reme_operator.admission.resume import ResumeGuard
from reme_operator.decision.manual_rollback import manual_rollback_requested
from reme_operator.decision.observed import (
    HoldReason,
    Observed,
    ObservedFollowUp,
    ObservedRun,
    current_run,
    follow_up_of,
    follows_cause,
    latest_attempt,
)
from reme_operator.decision.plan_approval import waits_for_person
from reme_operator.dependencies import Dependencies
from reme_operator.reconcile.notifier import Notifiers
from reme_operator.reconcile.observe_follow_up import observe_follow_up
from reme_operator.steps.run_state import observe_run
from reme_operator.steps.target_conflicts import find_acting_remediation

_REPORT_INTERVAL = timedelta(seconds=10)
"""How often the report is looked up, should its watch event not arrive."""


class Observer:
    """Observes one remediation."""

    def __init__(self, deps: Dependencies, notifiers: Notifiers, resume_guard: ResumeGuard) -> None:
        self._deps = deps
        self._notifiers = notifiers
        self._resume_guard = resume_guard
        self._report_read_at: datetime | None = None
        self._report_gone = False
        self._refusal: tuple[Reason, datetime] | None = None

    async def observe(self, remediation: Remediation) -> Observed:
        """Return the remediation and everything around it that the next decision depends on."""
        switch = self._deps.switch.state
        if remediation.status.outcome is not None:
            if not manual_rollback_requested(remediation):
                return Observed(remediation)
            return Observed(remediation, switch=switch, run=await self._run(remediation))
        if remediation.status.hold is not None:
            self._resume_guard.cancel(remediation)
        attempt = latest_attempt(remediation)
        held, workloads = None, 0
        if attempt is not None and _may_be_held(attempt):
            workloads = await self._workload_count(remediation)
            held = await self._hold_reason(remediation, attempt, workloads)
        if attempt is not None and _may_open_follow_up(remediation, attempt):
            held = await self._suspended(remediation)
        return Observed(
            remediation,
            report_gone=await self._is_report_gone(remediation),
            hold=held,
            switch=switch,
            run=await self._run(remediation),
            follow_up=await self._follow_up(remediation),
            workloads=workloads,
        )

    async def _run(self, remediation: Remediation) -> ObservedRun:
        run = current_run(remediation)
        if run is None:
            return ObservedRun()
        return await observe_run(self._deps.cluster, run, remediation.metadata.uid)

    async def _follow_up(self, remediation: Remediation) -> ObservedFollowUp:
        """Return the state of the follow-up report, and since when it is refused."""
        state = await observe_follow_up(self._deps.cluster, remediation)
        if state.reason is None:
            self._refusal = None
            return state
        if self._refusal is None or self._refusal[0] is not state.reason:
            self._refusal = (state.reason, self._deps.clock.now())
        return replace(state, refused_since=self._refusal[1])

    async def _is_report_gone(self, remediation: Remediation) -> bool:
        reference = remediation.spec.report_ref
        if self._report_gone or self._notifiers.report_deleted(reference.uid):
            return True
        now = self._deps.clock.now()
        if self._report_read_at is None or now - self._report_read_at >= _REPORT_INTERVAL:
            report = await self._report(remediation)
            self._report_read_at = now
            self._report_gone = report is None
        return self._report_gone

    async def _report(self, remediation: Remediation) -> DiagnosisReport | None:
        """Return the report; None when it is deleted, or is another one of the same name."""
        reference = remediation.spec.report_ref
        try:
            report = await self._deps.cluster.get_object(
                DiagnosisReport, remediation.metadata.namespace, reference.name
            )
        except NotFoundError:
            return None
        deleting = report.metadata.deletion_timestamp is not None
        return None if deleting or report.metadata.uid != reference.uid else report

    async def _workload_count(self, remediation: Remediation) -> int:
        if remediation.spec.policy.spec.budgets.max_workloads_percent >= 100:
            return 0
        return len(await self._deps.cluster.workloads(remediation.metadata.namespace))

    async def _hold_reason(
        self, remediation: Remediation, attempt: Attempt, workloads: int
    ) -> HoldReason | None:
        """Return why the remediation may not go on before its run, if something is in the way."""
        return (
            await self._suspended(remediation)
            or await self._held_by_policy(remediation)
            or await self._no_room(remediation, attempt, workloads)
        )

    async def _suspended(self, remediation: Remediation) -> HoldReason | None:
        if remediation.spec.suspend:
            return HoldReason(Reason.SUSPENDED, "spec.suspend is true")
        report = await self._report(remediation)
        if report is not None and report.spec.suspend:
            message = f"report {report.metadata.name} is suspended"
            return HoldReason(Reason.SUSPENDED, message)
        return None

    async def _held_by_policy(self, remediation: Remediation) -> HoldReason | None:
        reference = remediation.spec.policy
        key = f"{reference.namespace}/{reference.name}"
        try:
            policy = await self._deps.cluster.get_object(
                RemediationPolicy, reference.namespace, reference.name
            )
        except NotFoundError:
            return HoldReason(Reason.SUSPENDED, f"policy {key} was deleted")
        if policy.spec.suspend:
            return HoldReason(Reason.SUSPENDED, f"policy {key} is suspended")
        if not is_open(policy.spec.windows, self._deps.clock.now()):
            message = outside_windows_message(key, policy.spec.windows)
            return HoldReason(Reason.OUTSIDE_WINDOW, message)
        return None

    async def _no_room(
        self, remediation: Remediation, attempt: Attempt, workloads: int
    ) -> HoldReason | None:
        """Return who has the target or the room in the budgets that a run would need."""
        if remediation.status.hold is not None:
            now = self._deps.clock.now()
            refusal = self._resume_guard.refusal(remediation, workloads, now)
            return HoldReason(refusal.reason, refusal.message) if refusal else None
        planned = attempt.plan is not None and attempt.plan.completion_time is not None
        if not planned or waits_for_person(remediation):
            return None
        other = await find_acting_remediation(self._deps.cluster, remediation)  # a run may be next
        if not other:
            return None
        message = f"remediation {other} is acting on the target"
        return HoldReason(Reason.TARGET_LOCKED, message)


def _may_be_held(attempt: Attempt) -> bool:
    return attempt.playbook is not None and attempt.run is None and attempt.outcome is None


def _may_open_follow_up(remediation: Remediation, attempt: Attempt) -> bool:
    if attempt.outcome is not None or not follows_cause(attempt):
        return False
    follow_up = follow_up_of(remediation, attempt)
    return follow_up is None or not (follow_up.uid or follow_up.completion_time)
