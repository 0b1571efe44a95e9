"""What people do meanwhile: decide about plans, ask for an undo, use the kill switch.

They read and write what the API server holds, whatever happens to the operator, and decide with the
code of `kubectl reme`. What they did is kept, so that it can be held against the record.
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

WHO = "ann"
_LOOK_SECONDS = 1.0
_MOST_DECISIONS = 6


async def approve(world: World) -> None:
    """Approve every plan that waits, and look at it for a moment before."""
    async for remediation in _waiting(world):
        _decide(world, remediation, ApprovalDecision.APPROVE)


async def suspend(world: World) -> None:
    """Approve every plan, but suspend the first remediation for a while before its run."""
    suspended: list[asyncio.Task[None]] = []
    async for found in _waiting(world):
        if not suspended:
            suspended.append(asyncio.create_task(_suspended(world, found.metadata.name)))
            await asyncio.sleep(0)
        _decide(world, found, ApprovalDecision.APPROVE)
    await asyncio.gather(*suspended)


async def _suspended(world: World, name: str) -> None:
    world.api.edit("remediations", NAMESPACE, name, {"spec": {"suspend": True}})
    await asyncio.sleep(world.rng.uniform(1, 40))
    world.api.edit("remediations", NAMESPACE, name, {"spec": {"suspend": False}})


async def reject(world: World) -> None:
    """Reject the plan that waits."""
    async for remediation in _waiting(world):
        _decide(world, remediation, ApprovalDecision.REJECT, reason="not on my watch")


async def nobody(world: World) -> None:
    """Let every plan wait in vain."""


async def edit(world: World) -> None:
    """Ask for something that the policy forbids, then for a rollback; approve what becomes of it.

    Whoever is impatient approves the plan of before as well: that is not the one that waits.
    """
    outside = json.dumps([rollback() | {"name": "x"}]).replace("cart", "stock")
    lines = [outside, json.dumps([rollback()])]
    first: dict[str, Any] | None = None
    async for remediation in _waiting(world):
        if lines:
            text = lines.pop(0)
            first = first or spec_patches.approval(
                remediation, ApprovalDecision.APPROVE, WHO, "the old one"
            )
            _decide(world, remediation, ApprovalDecision.EDIT, edit=text)
        elif first is not None:
            _patch(world, remediation, first)
            first = None
            await asyncio.sleep(4)
        else:
            _decide(world, remediation, ApprovalDecision.APPROVE)


async def approve_too_late(world: World) -> None:
    """Approve a plan when the target is not what it was any more; then approve the new plan."""
    changed = False
    async for remediation in _waiting(world):
        if not changed:
            world.api.edit("deployments", NAMESPACE, "cart", {"spec": {"replicas": 2}})
            world.note_before("cart")
            changed = True
        _decide(world, remediation, ApprovalDecision.APPROVE)


async def undo(world: World) -> None:
    """Have the remediation undone, once it has ended."""
    await _undone(world, await ended(world))


async def undo_around_others(world: World) -> None:
    """Ask for an undo over somebody else's change; take that back, and ask again."""
    remediation = await ended(world)
    if remediation.status.outcome is not Outcome.VERIFIED:
        await _undone(world, remediation)  # in vain
        return
    _roll_out(world, "cart:3")
    await _undone(world, remediation)
    if image_of(world.api) != "cart:3":
        world.people.complaints.append("cart:3 was rolled out by hand, and an undo went over it")
    _roll_out(world, GOOD)
    await _undone(world, remediation)


async def undo_beside_report(world: World) -> None:
    """Have it undone while somebody else finds the same target broken."""
    remediation = await ended(world)
    late = asyncio.create_task(_file_late(world))
    try:
        await _undone(world, remediation)
    finally:
        await late


async def _file_late(world: World) -> None:
    await asyncio.sleep(world.rng.uniform(0, 0.4))
    file_report(world.api, "cart-again")


async def stop(world: World) -> None:
    """Stop everything at some moment, for a while."""
    await _switched(world, "Abort")


async def finish(world: World) -> None:
    """Let nothing new begin at some moment, for a while."""
    await _switched(world, "Drain")


async def _switched(world: World, in_flight: str) -> None:
    await asyncio.sleep(world.rng.uniform(0, 14))
    meta = {"name": SWITCH, "namespace": RELEASE}
    world.api.put("configmaps", {"metadata": meta, "data": {"inFlight": in_flight}})
    await asyncio.sleep(world.rng.choice((5, 20, 60)))
    world.api.remove("configmaps", RELEASE, SWITCH)


# how it is done ----------------------------------------------------------------------------------


async def _waiting(world: World) -> AsyncIterator[Remediation]:
    """Yield what waits for a decision, until it has ended."""
    while not _all_ended(world):
        for remediation in world.remediations():
            try:
                spec_patches.attempt_to_decide(remediation)
            except CliError:
                continue
            if (
                not _is_decided(world, remediation)
                and len(world.people.decisions) < _MOST_DECISIONS
            ):
                yield remediation
        await asyncio.sleep(_LOOK_SECONDS)


def _is_decided(world: World, remediation: Remediation) -> bool:
    """Return whether somebody has decided about this very plan, and no refusal has come of it."""
    if remediation.spec.approval is None:
        return False  # the plan of another one may have the same digest
    attempt = remediation.status.attempts[-1]
    plan = (attempt.playbook and attempt.playbook.digest, attempt.plan and attempt.plan.digest)
    about = [d for _, d in world.people.decisions if (d.playbook_digest, d.plan_digest) == plan]
    noted = [r for r in attempt.approvals if (r.playbook_digest, r.plan_digest) == plan]
    return len(about) > len([r for r in noted if r.refusal_message])


def _decide(
    world: World, remediation: Remediation, decision: ApprovalDecision, **words: str
) -> None:
    _patch(world, remediation, spec_patches.approval(remediation, decision, WHO, **words))


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
    """Wait until everything has ended; return the first."""
    while not _all_ended(world):  # noqa: ASYNC110 - people look now and then
        await asyncio.sleep(_LOOK_SECONDS)
    return world.remediations()[0]


def ask_undo(world: World, remediation: Remediation) -> int:
    """Ask for an undo, and return its number."""
    spec = spec_patches.rollback(remediation, WHO, "it was fine before")
    number = int(spec["rollback"]["number"])
    world.people.manual_rollbacks.append((world.time(), remediation.metadata.uid, number))
    world.api.edit("remediations", NAMESPACE, remediation.metadata.name, {"spec": spec})
    return number


async def _undone(world: World, remediation: Remediation) -> None:
    """Ask for an undo, and wait for what comes of it."""
    number = ask_undo(world, _now(world, remediation))
    while not any(  # noqa: ASYNC110 - people look now and then
        u.number == number and u.outcome is not None
        for u in _now(world, remediation).status.manual_rollbacks
    ):
        await asyncio.sleep(_LOOK_SECONDS)


def _now(world: World, remediation: Remediation) -> Remediation:
    uid = remediation.metadata.uid
    return next(r for r in world.remediations() if r.metadata.uid == uid)


def _roll_out(world: World, image: str) -> None:
    world.api.edit("deployments", NAMESPACE, "cart", {"spec": {"template": template(image)}})
