"""Actions of users: decisions about plans, requests for a rollback, the kill switch.

Users talk to the API server directly, with the code of `kubectl reme`. Their actions are recorded
and compared with the statuses of the remediations.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from typing import Any

from reme_api.approval import Approval, ApprovalDecision
from reme_api.reasons import Outcome
from reme_api.remediation import Remediation
from reme_operator.cli import spec_patches
from reme_operator.cli.errors import CliError
from tests.crash.history import SWITCH
from tests.crash.world import World
from tests.doubles.shop import (
    GOOD,
    NAMESPACE,
    RELEASE,
    file_report,
    image_of,
    rollback,
    template,
)

USERNAME = "ann"
_POLL_SECONDS = 1.0
_MAX_DECISIONS = 6


async def approve(world: World) -> None:
    """Approve every waiting plan."""
    async for remediation in _waiting(world):
        _decide(world, remediation, ApprovalDecision.APPROVE)


async def suspend(world: World) -> None:
    """Approve every plan, but suspend the first remediation for a while before its run."""
    suspended: list[asyncio.Task[None]] = []
    async for remediation in _waiting(world):
        if not suspended:
            name = remediation.metadata.name
            suspended.append(asyncio.create_task(_suspend_for_a_while(world, name)))
            await asyncio.sleep(0)
        _decide(world, remediation, ApprovalDecision.APPROVE)
    await asyncio.gather(*suspended)


async def _suspend_for_a_while(world: World, name: str) -> None:
    world.api.edit("remediations", NAMESPACE, name, {"spec": {"suspend": True}})
    await asyncio.sleep(world.rng.uniform(1, 40))
    world.api.edit("remediations", NAMESPACE, name, {"spec": {"suspend": False}})


async def reject(world: World) -> None:
    """Reject every waiting plan."""
    async for remediation in _waiting(world):
        _decide(world, remediation, ApprovalDecision.REJECT, reason="not on my watch")


async def ignore_plans(world: World) -> None:
    """Decide nothing."""


async def edit(world: World) -> None:
    """Edit to a playbook that the policy forbids, then to a rollback; approve its plan.

    The plan of before is approved as well, after it is outdated.
    """
    outside = json.dumps([rollback() | {"name": "x"}]).replace("cart", "stock")
    lines = [outside, json.dumps([rollback()])]
    first: dict[str, Any] | None = None
    async for remediation in _waiting(world):
        if lines:
            text = lines.pop(0)
            first = first or spec_patches.approval(
                remediation, ApprovalDecision.APPROVE, USERNAME, "the old one"
            )
            _decide(world, remediation, ApprovalDecision.EDIT, edit=text)
        elif first is not None:
            _patch(world, remediation, first)
            first = None
            await asyncio.sleep(4)
        else:
            _decide(world, remediation, ApprovalDecision.APPROVE)


async def approve_too_late(world: World) -> None:
    """Approve a plan after the target was changed; then approve the new plan."""
    changed = False
    async for remediation in _waiting(world):
        if not changed:
            world.api.edit("deployments", NAMESPACE, "cart", {"spec": {"replicas": 2}})
            world.note_before("cart")
            changed = True
        _decide(world, remediation, ApprovalDecision.APPROVE)


async def request_rollback(world: World) -> None:
    """Request a rollback after the end."""
    await _roll_back(world, await ended(world))


async def rollback_over_other_changes(world: World) -> None:
    """Request a rollback over another change; revert that change, and request it again."""
    remediation = await ended(world)
    if remediation.status.outcome is not Outcome.VERIFIED:
        await _roll_back(world, remediation)  # nothing to restore
        return
    _roll_out(world, "cart:3")
    await _roll_back(world, remediation)
    if image_of(world.api) != "cart:3":
        world.people.complaints.append("cart:3 was rolled out by hand, and a rollback overwrote it")
    _roll_out(world, GOOD)
    await _roll_back(world, remediation)


async def rollback_during_report(world: World) -> None:
    """Request a rollback while another report of the same target is filed."""
    remediation = await ended(world)
    report_task = asyncio.create_task(_file_report_later(world))
    try:
        await _roll_back(world, remediation)
    finally:
        await report_task


async def _file_report_later(world: World) -> None:
    await asyncio.sleep(world.rng.uniform(0, 0.4))
    file_report(world.api, "cart-again")


async def abort_runs(world: World) -> None:
    """Turn the kill switch on for a while, with in-flight policy Abort."""
    await _turn_kill_switch_on(world, "Abort")


async def drain_runs(world: World) -> None:
    """Turn the kill switch on for a while, with in-flight policy Drain."""
    await _turn_kill_switch_on(world, "Drain")


async def _turn_kill_switch_on(world: World, in_flight: str) -> None:
    await asyncio.sleep(world.rng.uniform(0, 14))
    meta = {"name": SWITCH, "namespace": RELEASE}
    world.api.put("configmaps", {"metadata": meta, "data": {"inFlight": in_flight}})
    await asyncio.sleep(world.rng.choice((5, 20, 60)))
    world.api.remove("configmaps", RELEASE, SWITCH)


# helpers -----------------------------------------------------------------------------------------


async def _waiting(world: World) -> AsyncIterator[Remediation]:
    """Yield remediations that wait for a decision, until all have ended."""
    while not _all_ended(world):
        for remediation in world.remediations():
            try:
                spec_patches.attempt_to_decide(remediation)
            except CliError:
                continue
            if not _is_decided(world, remediation) and len(world.people.decisions) < _MAX_DECISIONS:
                yield remediation
        await asyncio.sleep(_POLL_SECONDS)


def _is_decided(world: World, remediation: Remediation) -> bool:
    """Return whether a decision about this plan was sent and not refused."""
    if remediation.spec.approval is None:
        return False  # the plan of another one may have the same digest
    attempt = remediation.status.attempts[-1]
    plan = (attempt.playbook and attempt.playbook.digest, attempt.plan and attempt.plan.digest)
    sent = [d for _, d in world.people.decisions if (d.playbook_digest, d.plan_digest) == plan]
    recorded = [r for r in attempt.approvals if (r.playbook_digest, r.plan_digest) == plan]
    return len(sent) > len([r for r in recorded if r.refusal_message])


def _decide(
    world: World, remediation: Remediation, decision: ApprovalDecision, **words: str
) -> None:
    _patch(world, remediation, spec_patches.approval(remediation, decision, USERNAME, **words))


def _patch(world: World, remediation: Remediation, spec: dict[str, Any]) -> None:
    approval = {k: v for k, v in spec["approval"].items() if v is not None}
    world.people.decisions.append((world.time(), Approval.model_validate(approval)))
    world.api.edit(
        "remediations", NAMESPACE, remediation.metadata.name, {"spec": copy.deepcopy(spec)}
    )


def _all_ended(world: World) -> bool:
    remediations = world.remediations()
    return bool(remediations) and all(r.status.outcome is not None for r in remediations)


async def ended(world: World) -> Remediation:
    """Wait until all remediations have ended; return the first."""
    while not _all_ended(world):  # noqa: ASYNC110 - users poll
        await asyncio.sleep(_POLL_SECONDS)
    return world.remediations()[0]


def send_rollback_request(world: World, remediation: Remediation) -> int:
    """Request a rollback, and return its number."""
    spec = spec_patches.rollback(remediation, USERNAME, "it was fine before")
    number = int(spec["rollback"]["number"])
    world.people.manual_rollbacks.append((world.time(), remediation.metadata.uid, number))
    world.api.edit("remediations", NAMESPACE, remediation.metadata.name, {"spec": spec})
    return number


async def _roll_back(world: World, remediation: Remediation) -> None:
    """Request a rollback, and wait for its outcome."""
    number = send_rollback_request(world, _now(world, remediation))
    while not any(  # noqa: ASYNC110 - users poll
        u.number == number and u.outcome is not None
        for u in _now(world, remediation).status.manual_rollbacks
    ):
        await asyncio.sleep(_POLL_SECONDS)


def _now(world: World, remediation: Remediation) -> Remediation:
    uid = remediation.metadata.uid
    return next(r for r in world.remediations() if r.metadata.uid == uid)


def _roll_out(world: World, image: str) -> None:
    world.api.edit("deployments", NAMESPACE, "cart", {"spec": {"template": template(image)}})
