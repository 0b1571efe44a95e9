"""Reads what a decision depends on beside the remediation itself, and no more than that."""

from datetime import datetime, timedelta
from typing import NamedTuple

from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import Mode, RemediationPolicy
from reme_api.reasons import Reason
from reme_api.remediation import Remediation
from reme_api.windows import is_open
from reme_kube.errors import NotFoundError
from reme_operator.decision.manual_rollback import manual_rollback_requested
from reme_operator.decision.observed import Observed, ObservedRun, current_run
from reme_operator.reconcile.notifier import Notifiers
from reme_operator.steps.context import Dependencies
from reme_operator.steps.job import observe_run
from reme_operator.steps.target_conflicts import find_manual_rollback

_REPORT_EVERY = timedelta(seconds=10)
"""How often the report is looked up, should its watch event have been missed."""


class Held(NamedTuple):
    """What keeps a remediation from its next write; nothing when the message is empty."""

    message: str = ""
    reason: Reason = Reason.SUSPENDED


class Observer:
    """The surroundings of one remediation."""

    def __init__(self, deps: Dependencies, notifiers: Notifiers) -> None:
        self._deps = deps
        self._notifiers = notifiers
        self._looked_at: datetime | None = None
        self._report_gone = False

    async def observe(self, remediation: Remediation) -> Observed:
        """Return the remediation and its surroundings."""
        if remediation.status.outcome is not None:
            if not manual_rollback_requested(remediation):
                return Observed(remediation)
            run = await self._run(remediation)
            return Observed(remediation, switch=self._deps.switch.state, run=run)
        held = await self._held(remediation)
        return Observed(
            remediation,
            report_gone=await self._is_report_gone(remediation),
            held=held.message,
            held_for=held.reason,
            switch=self._deps.switch.state,
            run=await self._run(remediation),
        )

    async def _run(self, remediation: Remediation) -> ObservedRun:
        run = current_run(remediation)
        if run is None:
            return ObservedRun()
        cluster, uid = self._deps.cluster, remediation.metadata.uid
        return await observe_run(cluster, run.namespace, run, uid)

    async def _is_report_gone(self, remediation: Remediation) -> bool:
        reference = remediation.spec.report_ref
        if self._report_gone or self._notifiers.report_deleted(reference.uid):
            return True
        now = self._deps.clock.now()
        if self._looked_at is None or now - self._looked_at >= _REPORT_EVERY:
            report = await self._report(remediation)
            self._looked_at = now
            self._report_gone = report is None
        return self._report_gone

    async def _report(self, remediation: Remediation) -> DiagnosisReport | None:
        reference = remediation.spec.report_ref
        try:
            found = await self._deps.cluster.get_object(
                DiagnosisReport, remediation.metadata.namespace, reference.name
            )
        except NotFoundError:
            return None
        going = found.metadata.deletion_timestamp is not None
        return None if going or found.metadata.uid != reference.uid else found

    async def _held(self, remediation: Remediation) -> Held:
        """Return who holds the remediation, if it is about to write and somebody does."""
        attempts = remediation.status.attempts
        last = attempts[-1] if attempts else None
        if last is None or last.playbook is None or last.run is not None or last.outcome:
            return Held()
        if remediation.spec.suspend:
            return Held("spec.suspend is true")
        report = await self._report(remediation)
        if report is not None and report.spec.suspend:
            return Held(f"report {report.metadata.name} is suspended")
        used = remediation.spec.policy
        try:
            policy = await self._deps.cluster.get_object(
                RemediationPolicy, used.namespace, used.name
            )
        except NotFoundError:
            return Held(f"policy {used.namespace}/{used.name} was deleted")
        if policy.spec.suspend:
            return Held(f"policy {used.namespace}/{used.name} is suspended")
        windows = policy.spec.windows
        if not is_open(windows, self._deps.clock.now()):
            times = "; ".join(window.text() for window in windows)[:512]
            return Held(
                f"policy {used.namespace}/{used.name} changes something only at {times}",
                Reason.OUTSIDE_WINDOW,
            )
        planned = last.plan is not None and last.plan.completion_time is not None
        by_person = used.spec.mode is Mode.APPROVE and not last.approvals
        if planned and not by_person:  # a run may be next
            other = await find_manual_rollback(self._deps.cluster, remediation)
            if other:
                words = f"remediation {other} of the same target is being taken back by hand"
                return Held(words, Reason.TARGET_LOCKED)
        return Held()
