"""Drives one remediation: observe, decide, perform, write the status once, again."""

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
from reme_operator.decision.conditions import derive
from reme_operator.decision.decide import decide
from reme_operator.decision.decisions import (
    AbortAttempt,
    BeginVerification,
    Capture,
    CloseAttempt,
    ConcludeBaseline,
    ConcludeVerification,
    CreateRun,
    Decision,
    Done,
    Finish,
    Generate,
    OpenAttempt,
    RecordRun,
    StopRun,
    Wait,
)
from reme_operator.decision.observed import ModelFailures, Observed, current_run
from reme_operator.decision.probe_verdict import ProbeHistory
from reme_operator.errors import LeadershipLostError, StaleError, TargetVanishedError, one_line
from reme_operator.reconcile.events import announce, count
from reme_operator.reconcile.notifier import Notifiers
from reme_operator.reconcile.observe import Observer
from reme_operator.steps.context import Dependencies, ModelFailure, StepContext, StepResult
from reme_operator.steps.registry import STEP_HANDLERS, step_of
from reme_operator.telemetry.step_timings import StepTimer

_log = structlog.get_logger(__name__)

_LONGEST_BACKOFF_SECONDS = 30.0
_FIRST_BACKOFF_SECONDS = 0.25
_PATIENCE = 5
"""How often the same step may fail for a reason that does not pass by itself."""

_MODEL_TRIES = 4
"""How often an attempt asks the model in vain; the client has retries of its own in each."""

_NEW_WINDOW = (ConcludeBaseline, OpenAttempt, BeginVerification, ConcludeVerification)


class RemediationReconciler:
    """The loop of one remediation; may be cancelled at any point, and another one goes on."""

    def __init__(self, deps: Dependencies, remediation: Remediation, notifiers: Notifiers) -> None:
        self._deps = deps
        self._remediation = remediation
        meta = remediation.metadata
        self._notifier = notifiers.open(meta.uid, remediation.spec.report_ref.uid)
        self._observer = Observer(deps, notifiers)
        self._timer = StepTimer(deps.clock.now)
        self._probe_history: ProbeHistory | None = None
        self._model_failures = ModelFailures()
        self._target_gone = False
        self._stale = False
        self._failures = 0
        self._internal_error = ""
        self._name = f"{meta.namespace}/{meta.name}"
        self._log = _log.bind(namespace=meta.namespace, name=meta.name, uid=meta.uid)

    @property
    def remediation(self) -> Remediation:
        """The remediation as it was last read or written."""
        return self._remediation

    async def run(self) -> None:
        """Return when nothing is left to do, or when the remediation is gone.

        Raises:
            DeposedError: this process does not lead any more.

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
        self._must_lead()
        looking, looked = perf_counter(), self._deps.clock.now()
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
        work = StepContext(self._deps, observed, self._timer)
        with (
            self._deps.metrics.reconcile(),
            self._timer.step(step, _begun(observed, decision) or looked),
            self._watched(decision),
        ):
            # A look that led to nothing cost nobody time; this one did.
            self._timer.charge(step, perf_counter() - looking)
            effect = await STEP_HANDLERS[type(decision)](work, decision)
            await self._apply(decision, effect)
        return False

    def _watched(self, decision: Decision) -> AbstractContextManager[object]:
        """Have the process restarted if this hangs; a model may take as long as it is allowed."""
        if isinstance(decision, Generate):
            return nullcontext()
        return self._deps.health.watch_progress(f"{type(decision).__name__} of {self._name}")

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
        meta = self._remediation.metadata
        if not (self._stale or self._notifier.news(meta.resource_version)):
            return
        self._notifier.settle()
        found = await self._deps.cluster.get_object(Remediation, meta.namespace, meta.name)
        if found.metadata.uid != meta.uid:
            raise NotFoundError(f"remediation {meta.name} was replaced by another")
        self._remediation, self._stale = found, False

    async def _is_gone(self) -> bool:
        meta = self._remediation.metadata
        try:
            found = await self._deps.cluster.get_object(Remediation, meta.namespace, meta.name)
        except NotFoundError:
            return True
        except ClusterError:
            return False
        return found.metadata.uid != meta.uid

    async def _wait(self, decision: Wait, now: datetime) -> None:
        if decision.why is not None:
            attempt = self._remediation.status.attempts
            if attempt and attempt[-1].playbook is not None:
                self._timer.mark_running(Step.APPROVE)
            await self._show(decision)
        await self._notifier.wait(now, decision.until)

    async def _show(self, wait: Wait) -> None:
        """Write the conditions if they do not say yet what is being waited for."""
        status, now = self._remediation.status, self._deps.clock.now()
        if derive(self._remediation, status, now, wait) != status.conditions:
            await self._write(status, wait)

    async def _apply(self, decision: Decision, effect: StepResult) -> None:
        if effect.probe_history is not None:
            self._probe_history = effect.probe_history
        if effect.model_failure is not None:
            self._note_setback(effect.model_failure)
        if effect.status is None:
            return
        before = self._remediation
        await self._write(effect.status)
        if isinstance(decision, _NEW_WINDOW):
            self._probe_history = None
        if isinstance(decision, OpenAttempt):
            self._model_failures = ModelFailures()
        if isinstance(decision, CreateRun) and not decision.undo:
            attempt = self._remediation.status.attempts[-1]
            self._timer.mark_running(
                Step.EXECUTE, attempt.run.created_time if attempt.run else None
            )
        self._log.info("remediation.step", **_line(decision))
        self._count(before)
        await announce(self._deps.cluster, before, self._remediation)

    def _count(self, before: Remediation) -> None:
        metrics, active = self._deps.metrics, self._deps.active
        old, new = current_run(before), current_run(self._remediation)
        if old is not None:
            active.discard(old.name)
        if new is not None and new.uid:
            active.add(new.name)
        metrics.jobs_active(len(active))
        count(metrics, before, self._remediation, self._deps.clock.now())

    def _note_setback(self, model_failure: ModelFailure) -> None:
        count = self._model_failures.count + 1
        delay = min(_LONGEST_BACKOFF_SECONDS, 2.0**count)
        self._model_failures = ModelFailures(
            count=count,
            reason=model_failure.reason,
            message=model_failure.message,
            retry_at=self._deps.clock.now() + timedelta(seconds=delay),
            exhausted=model_failure.final or count >= _MODEL_TRIES,
        )
        self._log.warning("model.setback", count=count, reason=model_failure.reason)

    async def _write(self, status: RemediationStatus, wait: Wait | None = None) -> None:
        """Write the status; a change of anything else meanwhile does not lose it.

        Raises:
            StaleError: somebody else wrote the status; nothing was written.

        """
        self._must_lead()
        base = self._remediation
        now = self._deps.clock.now()
        # What is done after the end, by hand, is no part of what the remediation took.
        filled = status if base.status.outcome is not None else self._timer.with_timings(status)
        while True:
            conditions = derive(base, filled, now, wait)
            generation = base.metadata.generation
            update = {"conditions": conditions, "observed_generation": generation}
            wanted = base.model_copy(update={"status": filled.model_copy(update=update)})
            try:
                self._remediation = await _whole(self._deps.cluster.write_status(wanted))
            except ConflictError as error:
                found = await self._deps.cluster.get_object(
                    Remediation, base.metadata.namespace, base.metadata.name
                )
                self._remediation = found
                if found.metadata.uid != base.metadata.uid or found.status != base.status:
                    raise StaleError("the status was written by somebody else") from error
                base = found  # its spec or its metadata changed: the status is still ours
            else:
                self._timer.mark_saved()
                return

    async def _backoff(self, error: Exception) -> None:
        self._failures += 1
        passing = isinstance(error, ClusterError) and error.retryable
        if isinstance(error, ClusterError):
            self._log.warning("remediation.stumbled", error=one_line(error), count=self._failures)
        else:
            self._log.exception("remediation.failed", count=self._failures)
        if not passing and self._failures >= _PATIENCE:
            self._internal_error = one_line(error)
        self._stale = True
        delay = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2.0**self._failures)
        await self._deps.clock.sleep(delay)

    def _must_lead(self) -> None:
        if not self._deps.leading():
            raise LeadershipLostError("this process does not lead any more")


def _begun(observed: Observed, decision: Decision) -> datetime | None:
    """Return when the step began, if that was before this process knew of it."""
    if isinstance(decision, RecordRun | StopRun) and not decision.undo:
        attempt = observed.attempt
        return attempt.run.created_time if attempt and attempt.run else None
    return None


def _line(decision: Decision) -> dict[str, str]:
    """Return what the log says of a decision: no foreign text."""
    said = {"decision": type(decision).__name__}
    if isinstance(decision, CloseAttempt | Finish):
        said |= {"outcome": decision.outcome, "reason": decision.reason}
    elif isinstance(decision, AbortAttempt | RecordRun | StopRun):
        said |= {"reason": decision.reason}
    return said


async def _whole(write: Coroutine[Any, Any, Remediation]) -> Remediation:
    """Finish a write that has begun, also when this loop is told to stop meanwhile."""
    task = asyncio.create_task(write)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=5)
        raise
