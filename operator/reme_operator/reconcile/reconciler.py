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

    def __init__(self, tools: Dependencies, remediation: Remediation, signals: Notifiers) -> None:
        self._tools = tools
        self._remediation = remediation
        meta = remediation.metadata
        self._signal = signals.open(meta.uid, remediation.spec.report_ref.uid)
        self._surroundings = Observer(tools, signals)
        self._sheet = StepTimer(tools.clock.now)
        self._measurement: ProbeHistory | None = None
        self._setbacks = ModelFailures()
        self._target_gone = False
        self._stale = False
        self._failures = 0
        self._trouble = ""
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
                if await self._turn():
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
                await self._stumble(error)
            else:
                self._failures = 0

    async def _turn(self) -> bool:
        self._must_lead()
        looking, looked = perf_counter(), self._tools.clock.now()
        seen = await self._observe()
        now = self._tools.clock.now()
        decision = decide(seen, now)
        if isinstance(decision, Done):
            return True
        if isinstance(decision, Wait):
            await self._wait(decision, now)
            return False
        step = step_of(decision)
        if isinstance(decision, Capture) and self._sheet.has_started(Step.APPROVE):
            self._sheet.mark_running(Step.APPROVE)
        work = StepContext(self._tools, seen, self._sheet)
        with (
            self._tools.metrics.reconcile(),
            self._sheet.step(step, _begun(seen, decision) or looked),
            self._watched(decision),
        ):
            # A look that led to nothing cost nobody time; this one did.
            self._sheet.add(step, perf_counter() - looking)
            effect = await STEP_HANDLERS[type(decision)](work, decision)
            await self._apply(decision, effect)
        return False

    def _watched(self, decision: Decision) -> AbstractContextManager[object]:
        """Have the process restarted if this hangs; a model may take as long as it is allowed."""
        if isinstance(decision, Generate):
            return nullcontext()
        return self._tools.health.watch_progress(f"{type(decision).__name__} of {self._name}")

    async def _observe(self) -> Observed:
        await self._refresh()
        seen = await self._surroundings.observe(self._remediation)
        return replace(
            seen,
            target_gone=self._target_gone,
            measurement=self._measurement,
            model_failures=self._setbacks,
            trouble=self._trouble,
        )

    async def _refresh(self) -> None:
        meta = self._remediation.metadata
        if not (self._stale or self._signal.news(meta.resource_version)):
            return
        self._signal.settle()
        found = await self._tools.cluster.get_object(Remediation, meta.namespace, meta.name)
        if found.metadata.uid != meta.uid:
            raise NotFoundError(f"remediation {meta.name} was replaced by another")
        self._remediation, self._stale = found, False

    async def _is_gone(self) -> bool:
        meta = self._remediation.metadata
        try:
            found = await self._tools.cluster.get_object(Remediation, meta.namespace, meta.name)
        except NotFoundError:
            return True
        except ClusterError:
            return False
        return found.metadata.uid != meta.uid

    async def _wait(self, decision: Wait, now: datetime) -> None:
        if decision.why is not None:
            attempt = self._remediation.status.attempts
            if attempt and attempt[-1].playbook is not None:
                self._sheet.mark_running(Step.APPROVE)
            await self._show(decision)
        await self._signal.wait(now, decision.until)

    async def _show(self, wait: Wait) -> None:
        """Write the conditions if they do not say yet what is being waited for."""
        status, now = self._remediation.status, self._tools.clock.now()
        if derive(self._remediation, status, now, wait) != status.conditions:
            await self._write(status, wait)

    async def _apply(self, decision: Decision, effect: StepResult) -> None:
        if effect.measurement is not None:
            self._measurement = effect.measurement
        if effect.model_failure is not None:
            self._note_setback(effect.model_failure)
        if effect.status is None:
            return
        before = self._remediation
        await self._write(effect.status)
        if isinstance(decision, _NEW_WINDOW):
            self._measurement = None
        if isinstance(decision, OpenAttempt):
            self._setbacks = ModelFailures()
        if isinstance(decision, CreateRun) and not decision.undo:
            attempt = self._remediation.status.attempts[-1]
            self._sheet.mark_running(
                Step.EXECUTE, attempt.run.created_time if attempt.run else None
            )
        self._log.info("remediation.step", **_line(decision))
        self._count(before)
        await announce(self._tools.cluster, before, self._remediation)

    def _count(self, before: Remediation) -> None:
        metrics, active = self._tools.metrics, self._tools.active
        old, new = current_run(before), current_run(self._remediation)
        if old is not None:
            active.discard(old.name)
        if new is not None and new.uid:
            active.add(new.name)
        metrics.jobs_active(len(active))
        count(metrics, before, self._remediation, self._tools.clock.now())

    def _note_setback(self, model_failure: ModelFailure) -> None:
        count = self._setbacks.count + 1
        delay = min(_LONGEST_BACKOFF_SECONDS, 2.0**count)
        self._setbacks = ModelFailures(
            count=count,
            reason=model_failure.reason,
            message=model_failure.message,
            retry_at=self._tools.clock.now() + timedelta(seconds=delay),
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
        now = self._tools.clock.now()
        # What is done after the end, by hand, is no part of what the remediation took.
        filled = status if base.status.outcome is not None else self._sheet.with_timings(status)
        while True:
            conditions = derive(base, filled, now, wait)
            generation = base.metadata.generation
            update = {"conditions": conditions, "observed_generation": generation}
            wanted = base.model_copy(update={"status": filled.model_copy(update=update)})
            try:
                self._remediation = await _whole(self._tools.cluster.write_status(wanted))
            except ConflictError as error:
                found = await self._tools.cluster.get_object(
                    Remediation, base.metadata.namespace, base.metadata.name
                )
                self._remediation = found
                if found.metadata.uid != base.metadata.uid or found.status != base.status:
                    raise StaleError("the status was written by somebody else") from error
                base = found  # its spec or its metadata changed: the status is still ours
            else:
                self._sheet.mark_saved()
                return

    async def _stumble(self, error: Exception) -> None:
        self._failures += 1
        passing = isinstance(error, ClusterError) and error.retryable
        if isinstance(error, ClusterError):
            self._log.warning("remediation.stumbled", error=one_line(error), count=self._failures)
        else:
            self._log.exception("remediation.failed", count=self._failures)
        if not passing and self._failures >= _PATIENCE:
            self._trouble = one_line(error)
        self._stale = True
        delay = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2.0**self._failures)
        await self._tools.clock.sleep(delay)

    def _must_lead(self) -> None:
        if not self._tools.leading():
            raise LeadershipLostError("this process does not lead any more")


def _begun(seen: Observed, decision: Decision) -> datetime | None:
    """Return when the step began, if that was before this process knew of it."""
    if isinstance(decision, RecordRun | StopRun) and not decision.undo:
        attempt = seen.attempt
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
