"""Handlers of Remediations: one reconcile loop for each, and its clean-up when it is deleted."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import kopf

from reme_api.base import GROUP, VERSION
from reme_api.remediation import Remediation
from reme_kube.errors import UnreadableError
from reme_kube.object_parsing import parse_object
from reme_operator.admission.controller import operator_limits
from reme_operator.admission.remediation_index import RemediationInfo, remediation_info
from reme_operator.admission.resume import ResumeGuard
from reme_operator.decision.decide import is_finished
from reme_operator.errors import LeadershipLostError
from reme_operator.handlers.context import OperatorContext
from reme_operator.handlers.policies import update_policy_status
from reme_operator.handlers.unreadable import parse_or_report
from reme_operator.reconcile.reconciler import RemediationReconciler

_LAST_STEP_SECONDS = 10.0
"""How long a loop that has written the outcome may take for what follows it."""


def needs_reconcile(body: Mapping[str, Any], **_: Any) -> bool:
    """Return whether there is anything left to do; False for one that cannot be read."""
    try:
        return not is_finished(parse_object(Remediation, dict(body)))
    except UnreadableError:
        return False


def register(registry: kopf.OperatorRegistry, context: OperatorContext) -> None:
    """Add the handlers of remediations."""

    @kopf.on.event(GROUP, VERSION, Remediation.PLURAL, registry=registry, id="remediation-event")
    async def on_remediation(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
        await remediation_changed(context, type, dict(body))

    @kopf.daemon(
        GROUP, VERSION, Remediation.PLURAL, registry=registry, when=needs_reconcile, id="remediate"
    )
    async def remediate(body: kopf.Body, stopped: kopf.DaemonStopped, **_: Any) -> None:
        remediation = parse_object(Remediation, dict(body))
        loop = context.start(_reconcile(context, remediation), "remediate")
        await _run_until_stopped(loop, stopped)
        # kopf starts a daemon again, for a manual rollback, only if it did not end by itself.
        await stopped.wait()

    @kopf.on.delete(
        GROUP, VERSION, Remediation.PLURAL, registry=registry, when=needs_reconcile, id="clean-up"
    )
    async def clean_up(body: kopf.Body, **_: Any) -> None:
        # The deletion has stopped the daemon; this loop ends what is in flight and cleans up.
        await _reconcile(context, parse_object(Remediation, dict(body)))


async def remediation_changed(
    context: OperatorContext, event_type: str | None, body: Mapping[str, Any]
) -> None:
    """Update the index, wake the loop, and update the policy when its open remediations changed."""
    remediation = await parse_or_report(context, Remediation, body)
    if remediation is None:
        return
    changed = _update_index(context, event_type, remediation)
    policy = context.controller.policy(changed.policy) if changed else None
    if policy is not None:
        await update_policy_status(context, policy)


def _update_index(
    context: OperatorContext, event_type: str | None, remediation: Remediation
) -> RemediationInfo | None:
    """Index the remediation; return it if what it counts for has changed, else None."""
    meta = remediation.metadata
    info = remediation_info(remediation, context.deps.clock.now())
    before = context.index.get(meta.uid)
    deleted = event_type == "DELETED"
    if deleted:
        context.index.remove(meta.uid)
    else:
        context.index.add(info)
    context.notifiers.wake(meta.uid, meta.resource_version)
    if remediation.spec.follow_up_of is not None:  # the one that waits for it
        context.notifiers.wake(remediation.spec.follow_up_of.uid)
    context.deps.metrics.remediations_open(context.index.open_count())
    if not deleted and before is not None and before.counts_like(info):
        return None
    context.controller.remediation_changed(info, deleted=deleted)
    return info


async def _reconcile(context: OperatorContext, remediation: Remediation) -> None:
    uid = remediation.metadata.uid
    async with context.reconcile_locks.acquire(uid):
        try:
            guard = ResumeGuard(context.index, operator_limits(context.deps))
            await RemediationReconciler(context.deps, remediation, context.notifiers, guard).run()
        except LeadershipLostError:
            raise kopf.TemporaryError("lost leader election", delay=5) from None
        finally:
            context.notifiers.close(uid)


async def _run_until_stopped(loop: asyncio.Task[None], stopped: kopf.DaemonStopped) -> None:
    """Let the loop run until it ends, or until kopf stops this daemon."""
    waiting = asyncio.ensure_future(_wait_stopped(stopped))
    try:
        await asyncio.wait({loop, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not loop.done() and stopped.reason is kopf.DaemonStoppingReason.FILTERS_MISMATCH:
            await asyncio.wait({loop}, timeout=_LAST_STEP_SECONDS)
    finally:
        waiting.cancel()
        if not loop.done():
            # The next loop goes on from the status; a write that has started is finished first.
            loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop


async def _wait_stopped(stopped: kopf.DaemonStopped) -> None:
    await stopped.wait()
