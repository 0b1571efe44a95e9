"""Whether a policy can be used, said in its status."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from reme_api.conditions import Status, set_condition
from reme_api.policy import Mode, RemediationPolicy, RemediationPolicyStatus
from reme_api.reasons import ConditionType, Reason
from reme_kube.errors import ClusterError
from reme_operator.admission.policy_validation import conflicting_policies, problems
from reme_operator.handlers.context import OperatorContext


async def judge(context: OperatorContext, policy: RemediationPolicy) -> None:
    """Write the Ready condition if it has changed; the next event makes up for a failure."""
    now = context.deps.clock.now()
    home = context.deps.settings.release_namespace
    state, reason, message = verdict(
        policy, home, context.controller.policies(), context.deps.switch.state.text()
    )
    meta = policy.metadata
    key = f"{meta.namespace}/{meta.name}"
    status = RemediationPolicyStatus(
        observed_generation=meta.generation,
        conditions=set_condition(
            policy.status.conditions,
            ConditionType.READY,
            state,
            reason,
            message,
            generation=meta.generation,
            now=now,
        ),
        open_remediations=sum(e.open and e.policy == key for e in context.index.entries()),
    )
    if status == policy.status:
        return
    try:
        await context.deps.cluster.write_status(policy.model_copy(update={"status": status}))
    except ClusterError:
        return


async def update_policy_statuses(context: OperatorContext, namespace: str = "") -> None:
    """Judge every policy, of one namespace if it is named: one may have become another's rival."""
    for policy in context.controller.policies():
        if namespace in ("", policy.metadata.namespace):
            await judge(context, policy)


def schedule_policy_updates(context: OperatorContext) -> None:
    """Judge every policy soon: what holds for all of them has changed."""
    task = asyncio.create_task(update_policy_statuses(context), name="policies judged")
    context.loops.add(task)
    task.add_done_callback(context.loops.discard)


async def report_unreadable_policy(
    context: OperatorContext, body: Mapping[str, Any], problem: str
) -> None:
    """Say of a policy that does not fit its type that it cannot be used, and why."""
    shell = RemediationPolicy.model_validate({**body, "spec": {"suspend": True}})
    meta = shell.metadata
    status = shell.status.model_copy(
        update={
            "observed_generation": meta.generation,
            "conditions": set_condition(
                shell.status.conditions,
                ConditionType.READY,
                Status.FALSE,
                Reason.POLICY_INVALID,
                problem,
                generation=meta.generation,
                now=context.deps.clock.now(),
            ),
        }
    )
    if status == shell.status:
        return
    with contextlib.suppress(ClusterError):
        await context.deps.cluster.write_status(shell.model_copy(update={"status": status}))


def verdict(
    policy: RemediationPolicy,
    release_namespace: str = "",
    others: Sequence[RemediationPolicy] = (),
    stopped: str = "",
) -> tuple[Status, Reason, str]:
    """Return whether the policy can let anything happen."""
    if wrong := problems(policy, release_namespace):
        return Status.FALSE, Reason.POLICY_INVALID, "; ".join(wrong)[:1024]
    if alike := conflicting_policies(policy, others):
        names = ", ".join([policy.metadata.name, *alike])
        said = f"{names} match exactly the same: none is used, but by a report that names it"
        return Status.FALSE, Reason.POLICY_CONFLICT, said
    if stopped:
        return Status.FALSE, Reason.KILL_SWITCH, stopped
    if policy.spec.suspend:
        return Status.FALSE, Reason.POLICY_SUSPENDED, "spec.suspend is true"
    if not policy.spec.actions:
        return Status.FALSE, Reason.POLICY_ALLOWS_NOTHING, "spec.actions is empty"
    modes = {
        Mode.OBSERVE: "plans, and never runs",
        Mode.APPROVE: "runs what a person approves",
        Mode.AUTO: "runs what the gate lets through",
    }
    return Status.TRUE, Reason.POLICY_READY, modes[policy.spec.mode]
