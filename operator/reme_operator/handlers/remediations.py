"""Remediations: one loop for each that is open, and its clean-up when somebody deletes it."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import kopf
import structlog

from reme_api.base import GROUP, VERSION
from reme_api.remediation import Remediation
from reme_operator.admission.remediation_index import RemediationInfo, entry
from reme_operator.errors import LeadershipLostError
from reme_operator.handlers.context import OperatorContext, parse_object
from reme_operator.handlers.policies import judge
from reme_operator.reconcile.reconciler import RemediationReconciler

_log = structlog.get_logger(__name__)

_LAST_WORDS_SECONDS = 10.0
"""How long a loop that has written its outcome may take for what comes after it."""


def needs_reconcile(
    status: Mapping[str, Any] | None, spec: Mapping[str, Any] | None = None, **_: Any
) -> bool:
    """Return whether there is anything left to do.

    That is: no outcome yet, a run not cleaned up, or an undo that a person asked for.
    """
    if not status or not status.get("outcome"):
        return True
    attempts, manual_rollbacks = status.get("attempts") or [], status.get("manualRollbacks") or []
    runs = [
        attempt[kind] for attempt in attempts for kind in ("run", "rollback") if attempt.get(kind)
    ]
    runs += [
        attempt["plan"] for attempt in attempts if attempt.get("plan") and not attempt.get("run")
    ]
    if any(not run.get("cleanedUp") for run in runs):
        return True
    last: dict[str, Any] = (
        manual_rollbacks[-1] if manual_rollbacks else {"number": 0, "outcome": "none"}
    )
    wanted = ((spec or {}).get("rollback") or {}).get("number") or 0
    return not last.get("outcome") or wanted > last["number"]


def register(registry: kopf.OperatorRegistry, context: OperatorContext) -> None:
    """Add the handlers of remediations."""

    @kopf.on.event(GROUP, VERSION, Remediation.PLURAL, registry=registry, id="remediation-seen")
    async def remediation_seen(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
        changed = _note(context, type, body)
        if (
            changed is not None
            and (policy := context.controller.policy(changed.policy)) is not None
        ):
            await judge(context, policy)  # how many are open under it has changed

    @kopf.daemon(
        GROUP, VERSION, Remediation.PLURAL, registry=registry, when=needs_reconcile, id="remediate"
    )
    async def remediate(body: kopf.Body, stopped: kopf.DaemonStopped, **_: Any) -> None:
        if remediation := parse_object(Remediation, dict(body)):
            loop = asyncio.create_task(_drive(context, remediation))
            context.loops.add(loop)
            loop.add_done_callback(context.loops.discard)
            await _until_stopped(loop, stopped)
            # kopf begins a daemon again, for an undo by hand, only if it did not end by itself.
            await stopped.wait()

    @kopf.on.delete(
        GROUP, VERSION, Remediation.PLURAL, registry=registry, when=needs_reconcile, id="take-back"
    )
    async def take_back(body: kopf.Body, **_: Any) -> None:
        # The daemon is stopped by the deletion; this loop ends what is under way and cleans up.
        if remediation := parse_object(Remediation, dict(body)):
            await _drive(context, remediation)


def _note(context: OperatorContext, kind: str | None, body: kopf.Body) -> RemediationInfo | None:
    """Take note of an event; return the remediation if it has begun, ended or gone.

    An undo by hand that has begun or ended counts too: it takes the target, and gives it back.
    """
    remediation = parse_object(Remediation, dict(body))
    if remediation is None:
        return None
    meta = remediation.metadata
    found = entry(remediation, context.deps.clock.now())
    before = context.index.get(meta.uid)
    if kind == "DELETED":
        context.index.forget(meta.uid)
        context.notifiers.notify(meta.uid, meta.resource_version)
        context.controller.remediation_changed(found, gone=True)
        return found
    context.index.note(found)
    context.notifiers.notify(meta.uid, meta.resource_version)
    context.deps.metrics.remediations_open(context.index.open_count())
    if before and (before.outcome, before.rolling_back) == (found.outcome, found.rolling_back):
        return None
    context.controller.remediation_changed(found)
    return found


async def _drive(context: OperatorContext, remediation: Remediation) -> None:
    uid = remediation.metadata.uid
    async with context.reconcile_lock(uid):
        try:
            await RemediationReconciler(context.deps, remediation, context.notifiers).run()
        except LeadershipLostError:
            raise kopf.TemporaryError("another process leads", delay=5) from None
        finally:
            context.notifiers.close(uid)


async def _until_stopped(loop: asyncio.Task[None], stopped: kopf.DaemonStopped) -> None:
    """Let the loop run until it ends, or until kopf wants this daemon to."""
    waiting = asyncio.ensure_future(_set(stopped))
    try:
        await asyncio.wait({loop, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not loop.done() and _only_finished(stopped):
            await asyncio.wait({loop}, timeout=_LAST_WORDS_SECONDS)
    finally:
        waiting.cancel()
        if not loop.done():
            # Whatever it was at, the next loop goes on from the status; a write that has begun
            # is finished first.
            loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop


async def _set(stopped: kopf.DaemonStopped) -> None:
    await stopped.wait()


def _only_finished(stopped: kopf.DaemonStopped) -> bool:
    reason = stopped.reason
    return reason is not None and reason is kopf.DaemonStoppingReason.FILTERS_MISMATCH
