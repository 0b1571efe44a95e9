"""Reconciles one remediation: observe, decide, perform one step, write the status once, repeat."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

import structlog

from reme_api.reasons import Step
from reme_api.remediation import Remediation, RemediationStatus
from reme_kube.errors import ClusterError, ConflictError, NotFoundError
from reme_operator.admission.resume import ResumeGuard
from reme_operator.decision.conditions import derive
from reme_operator.decision.decide import decide
from reme_operator.decision.decisions import (
    AbortAttempt,
    BeginHold,
    BeginVerification,
    Capture,
    ChooseRound,
    CloseAttempt,
    ConcludeBaseline,
    ConcludeFollowUp,
    ConcludeRollback,
    ConcludeVerification,
    CreateRun,
    Decision,
    Done,
    EndFollowUp,
    Finish,
    Generate,
    OpenAttempt,
    PlanRollback,
    RecordRun,
    RunKind,
    RunRound,
    StopRun,
    VerifyRollback,
    Wait,
)
from reme_operator.decision.observed import ModelFailures, Observed, current_run
from reme_operator.decision.probe_verdict import ProbeHistory
from reme_operator.dependencies import Dependencies
from reme_operator.errors import LeadershipLostError, StaleError, TargetVanishedError, one_line
from reme_operator.reconcile.events import post_events, record_metrics
from reme_operator.reconcile.notifier import Notifiers
from reme_operator.reconcile.observe import Observer
from reme_operator.steps.context import ModelFailure, StepContext, StepResult
from reme_operator.steps.registry import STEP_HANDLERS, step_of
from reme_operator.telemetry.step_timings import StepTimer

_log = structlog.get_logger(__name__)

_FIRST_BACKOFF_SECONDS = 0.25
_MAX_BACKOFF_SECONDS = 30.0
_MAX_FAILURES = 5
"""How often a step may fail in a row for a reason that does not pass by itself."""

_MODEL_TRIES = 4
"""How often an attempt asks the model in vain; each try has the retries of the client."""

_WRITE_SECONDS = 5.0
"""How long a loop that is told to stop waits for a write that has started."""

_NEW_WINDOW = (
    ConcludeBaseline,
    OpenAttempt,
    BeginVerification,
    ConcludeVerification,
    ConcludeFollowUp,
    AbortAttempt,
    PlanRollback,
    VerifyRollback,
    ConcludeRollback,
)
"""Decisions after which the probes start afresh."""


class RemediationReconciler:
    """The loop of one remediation; may be cancelled at any point, and another one goes on."""

    def __init__(
        self,
        deps: Dependencies,
        remediation: Remediation,
        notifiers: Notifiers,
        resume_guard: ResumeGuard,
    ) -> None:
        self._deps = deps
        self._remediation = remediation
        meta = remediation.metadata
        self._notifier = notifiers.open(meta.uid, remediation.spec.report_ref.uid)
        self._resume_guard = resume_guard
        self._observer = Observer(deps, notifiers, resume_guard)
        self._timer = StepTimer(deps.clock.now)
        self._probe_history: ProbeHistory | None = None
        self._model_failures = ModelFailures()
        self._target_gone = False
        self._stale = False
        self._failures = 0
        self._internal_error = ""
        self._name = f"{meta.namespace}/{meta.name}"
        self._log = _log.bind(namespace=meta.namespace, name=meta.name, uid=meta.uid)

    async def run(self) -> None:
        """Return when nothing is left to do, or when the remediation is deleted.

        Raises:
            LeadershipLostError: this process does not hold the lease any more.

        """
        while True:
            try:
                if await self._reconcile_once():
                    return
            except LeadershipLostError:
                raise
            except StaleError:
                self._stale = True
            except TargetVanishedError:
                self._target_gone = True
            except Exception as error:  # noqa: BLE001 - one bad object must not end the others
                if isinstance(error, NotFoundError) and await self._is_gone():
                    return
                await self._backoff(error)
            else:
                self._failures = 0

    async def _reconcile_once(self) -> bool:
        """Take one decision and carry it out; return whether nothing is left to do."""
        self._deps.require_leadership()
        observing, observed_at = perf_counter(), self._deps.clock.now()
        observed = await self._observe()
        now = self._deps.clock.now()
        decision = decide(observed, now)
        if isinstance(decision, Done):
            return True
        if isinstance(decision, Wait):
            await self._wait(decision, now)
            return False
        step = step_of(decision)
        if isinstance(decision, Capture) and self._timer.has_started(Step.APPROVE):
            self._timer.mark_running(Step.APPROVE)
        context = StepContext(self._deps, observed, self._timer, self._try_resume)
        with (
            self._deps.metrics.reconcile(),
            self._timer.step(step, _started_before(observed, decision) or observed_at),
            self._watch_progress(decision),
        ):
            # Observations that lead to no step are on nobody's time; this one is on the step's.
            self._timer.charge(step, perf_counter() - observing)
            result = await STEP_HANDLERS[type(decision)](context, decision)
            await self._apply(decision, result)
        return False

    def _watch_progress(self, decision: Decision) -> AbstractContextManager[object]:
        """Have /healthz fail if the step hangs; a model may take as long as it is allowed."""
        if isinstance(decision, ChooseRound | Generate):
            return nullcontext()
        return self._deps.health.watch_progress(f"{type(decision).__name__} of {self._name}")

    def _try_resume(self, observed: Observed) -> bool:
        now = self._deps.clock.now()
        return self._resume_guard.try_resume(observed.remediation, observed.workloads, now)

    # observe ----------------------------------------------------------------------------------

    async def _observe(self) -> Observed:
        await self._refresh()
        observed = await self._observer.observe(self._remediation)
        return replace(
            observed,
            target_gone=self._target_gone,
            probe_history=self._probe_history,
            model_failures=self._model_failures,
            internal_error=self._internal_error,
        )

    async def _refresh(self) -> None:
        """Read the remediation again if it may have changed."""
        meta = self._remediation.metadata
        if not (self._stale or self._notifier.has_newer(meta.resource_version)):
            return
        self._notifier.acknowledge()
        current = await self._deps.cluster.get_object(Remediation, meta.namespace, meta.name)
        if current.metadata.uid != meta.uid:
            raise NotFoundError(f"remediation {meta.name} was replaced by another")
        self._remediation, self._stale = current, False

    async def _is_gone(self) -> bool:
        meta = self._remediation.metadata
        try:
            current = await self._deps.cluster.get_object(Remediation, meta.namespace, meta.name)
        except NotFoundError:
            return True
        except ClusterError:
            return False
        return current.metadata.uid != meta.uid

    async def _wait(self, wait: Wait, now: datetime) -> None:
        if wait.why is not None:
            attempts = self._remediation.status.attempts
            if attempts and attempts[-1].playbook is not None:
                self._timer.mark_running(Step.APPROVE)
            await self._show(wait)
        await self._notifier.wait(now, wait.until)

    async def _show(self, wait: Wait) -> None:
        """Write the conditions if they do not say yet what is being waited for."""
        status, now = self._remediation.status, self._deps.clock.now()
        if derive(self._remediation, status, now, wait) != status.conditions:
            await self._write(status, wait)

    # perform ----------------------------------------------------------------------------------

    async def _apply(self, decision: Decision, result: StepResult) -> None:
        """Write the status of a step, and keep what only this process needs to know."""
        if result.probe_history is not None:
            self._probe_history = result.probe_history
        if result.model_failure is not None:
            self._note_model_failure(result.model_failure)
        if result.status is None:
            return
        before = self._remediation
        await self._write(result.status)
        if isinstance(decision, _NEW_WINDOW):
            self._probe_history = None
        if isinstance(decision, OpenAttempt):
            self._model_failures = ModelFailures()
        if isinstance(decision, CreateRun) and decision.kind is RunKind.REPAIR:
            run = self._remediation.status.attempts[-1].run
            self._timer.mark_running(Step.EXECUTE, run.created_time if run else None)
        self._log.info("step_done", **_log_fields(decision))
        self._record_metrics(before)
        await post_events(self._deps.cluster, before, self._remediation)

    def _record_metrics(self, before: Remediation) -> None:
        metrics, active_runs = self._deps.metrics, self._deps.active_runs
        old, new = current_run(before), current_run(self._remediation)
        if old is not None:
            active_runs.discard(old.name)
        if new is not None and new.uid:
            active_runs.add(new.name)
        metrics.jobs_active(len(active_runs))
        record_metrics(metrics, before, self._remediation, self._deps.clock.now())

    def _note_model_failure(self, failure: ModelFailure) -> None:
        count = self._model_failures.count + 1
        delay = min(_MAX_BACKOFF_SECONDS, 2.0**count)
        self._model_failures = ModelFailures(
            count=count,
            reason=failure.reason,
            message=failure.message,
            retry_at=self._deps.clock.now() + timedelta(seconds=delay),
            exhausted=failure.final or count >= _MODEL_TRIES,
        )
        self._log.warning("model_request_failed", count=count, reason=failure.reason)

    async def _write(self, status: RemediationStatus, wait: Wait | None = None) -> None:
        """Write the status; a change of anything else meanwhile does not lose it.

        Raises:
            StaleError: somebody else wrote the status; nothing was written.

        """
        self._deps.require_leadership()
        base, now = self._remediation, self._deps.clock.now()
        # A manual rollback, after the end, is no part of the time that the remediation took.
        timed = status if base.status.outcome is not None else self._timer.with_timings(status)
        while True:
            update = {
                "conditions": derive(base, timed, now, wait),
                "observed_generation": base.metadata.generation,
            }
            desired = base.model_copy(update={"status": timed.model_copy(update=update)})
            try:
                self._remediation = await _uninterrupted(self._deps.cluster.write_status(desired))
            except ConflictError as error:
                current = await self._deps.cluster.get_object(
                    Remediation, base.metadata.namespace, base.metadata.name
                )
                self._remediation = current
                if current.metadata.uid != base.metadata.uid or current.status != base.status:
                    raise StaleError("the status was written by somebody else") from error
                base = current  # its spec or its metadata changed: the status is still ours
            else:
                self._timer.mark_saved()
                return

    async def _backoff(self, error: Exception) -> None:
        self._failures += 1
        passes = isinstance(error, ClusterError) and error.retryable
        if isinstance(error, ClusterError):
            self._log.warning("step_failed", error=one_line(error), count=self._failures)
        else:
            self._log.exception("step_failed", count=self._failures)
        if not passes and self._failures >= _MAX_FAILURES:
            self._internal_error = one_line(error)
        self._stale = True
        delay = min(_MAX_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2.0**self._failures)
        await self._deps.clock.sleep(delay)


def _started_before(observed: Observed, decision: Decision) -> datetime | None:
    """Return when the step started, if that was before this observation."""
    if isinstance(decision, RecordRun | StopRun) and decision.kind is RunKind.REPAIR:
        attempt = observed.attempt
        return attempt.run.created_time if attempt and attempt.run else None
    if isinstance(decision, EndFollowUp):
        follow_up = observed.remediation.status.follow_up
        return follow_up.start_time if follow_up else None
    return None


def _log_fields(decision: Decision) -> dict[str, str]:
    """Return what the log says of a decision: no text of others."""
    fields = {"decision": type(decision).__name__}
    if isinstance(decision, CloseAttempt | Finish):
        fields |= {"outcome": decision.outcome, "reason": decision.reason}
    elif isinstance(decision, AbortAttempt | BeginHold | RecordRun | StopRun):
        fields |= {"reason": decision.reason}
    elif isinstance(decision, ChooseRound | RunRound):
        fields |= {"round": str(decision.number)}
    return fields


async def _uninterrupted(write: Coroutine[Any, Any, Remediation]) -> Remediation:
    """Finish a write that has started, also when this loop is cancelled meanwhile."""
    task = asyncio.create_task(write)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=_WRITE_SECONDS)
        raise
