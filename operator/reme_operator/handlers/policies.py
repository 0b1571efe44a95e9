"""The Ready condition of policies: whether a policy can be used, and why not."""

from collections.abc import Sequence

from reme_api.conditions import Status, set_condition
from reme_api.policy import Mode, RemediationPolicy, RemediationPolicyStatus
from reme_api.reasons import ConditionType, Reason
from reme_kube.errors import ClusterError
from reme_operator.admission.policy_validation import conflicting_policies, policy_problems
from reme_operator.handlers.context import OperatorContext

_READY_MESSAGES = {
    Mode.OBSERVE: "plans, and runs nothing",
    Mode.APPROVE: "runs plans that a person approved",
    Mode.AUTO: "runs every plan that passes validation",
}


async def update_policy_status(context: OperatorContext, policy: RemediationPolicy) -> None:
    """Write the Ready condition if it has changed; the next event makes up for a failure."""
    meta = policy.metadata
    state, reason, message = policy_readiness(
        policy,
        context.deps.settings.release_namespace,
        context.controller.policies(),
        context.deps.switch.state.text(),
    )
    status = RemediationPolicyStatus(
        observed_generation=meta.generation,
        conditions=set_condition(
            policy.status.conditions,
            ConditionType.READY,
            state,
            reason,
            message,
            generation=meta.generation,
            now=context.deps.clock.now(),
        ),
        open_remediations=context.index.open_count(f"{meta.namespace}/{meta.name}"),
    )
    if status == policy.status:
        return
    try:
        await context.deps.cluster.write_status(policy.model_copy(update={"status": status}))
    except ClusterError:
        return


async def update_policy_statuses(context: OperatorContext, namespace: str = "") -> None:
    """Update every policy, or those of one namespace: they may conflict with each other."""
    for policy in context.controller.policies():
        if namespace in ("", policy.metadata.namespace):
            await update_policy_status(context, policy)


def schedule_policy_updates(context: OperatorContext) -> None:
    """Update every policy soon: something that holds for all of them has changed."""
    context.start_unattended(update_policy_statuses(context), "policy statuses")


def policy_readiness(
    policy: RemediationPolicy,
    release_namespace: str = "",
    others: Sequence[RemediationPolicy] = (),
    stopped_by: str = "",
) -> tuple[Status, Reason, str]:
    """Return the Ready condition; `stopped_by` is the kill switch's message while it is on."""
    if errors := policy_problems(policy, release_namespace):
        return Status.FALSE, Reason.POLICY_INVALID, "; ".join(errors)[:1024]
    if conflicting := conflicting_policies(policy, others):
        names = ", ".join([policy.metadata.name, *conflicting])
        message = f"{names} match exactly the same targets: none is used unless a report names it"
        return Status.FALSE, Reason.POLICY_CONFLICT, message
    if stopped_by:
        return Status.FALSE, Reason.KILL_SWITCH, stopped_by
    if policy.spec.suspend:
        return Status.FALSE, Reason.POLICY_SUSPENDED, "spec.suspend is true"
    if not policy.spec.actions:
        return Status.FALSE, Reason.POLICY_ALLOWS_NOTHING, "spec.actions is empty"
    return Status.TRUE, Reason.POLICY_READY, _READY_MESSAGES[policy.spec.mode]
