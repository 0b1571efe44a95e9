"""Whether a policy can be used, said in its status."""

from reme_api.conditions import Status, put
from reme_api.policy import Mode, RemediationPolicy, RemediationPolicyStatus
from reme_api.reasons import ConditionType, Reason
from reme_operator.clients.errors import ClusterError
from reme_operator.handlers.office import Office


async def judge(office: Office, policy: RemediationPolicy) -> None:
    """Write the Ready condition if it has changed; the next event makes up for a failure."""
    now = office.tools.clock.now()
    state, reason, message = verdict(policy)
    meta = policy.metadata
    key = f"{meta.namespace}/{meta.name}"
    status = RemediationPolicyStatus(
        observed_generation=meta.generation,
        conditions=put(
            policy.status.conditions,
            ConditionType.READY,
            state,
            reason,
            message,
            generation=meta.generation,
            now=now,
        ),
        open=sum(e.open and e.policy == key for e in office.ledger.entries()),
    )
    if status == policy.status:
        return
    try:
        await office.tools.cluster.write_status(policy.model_copy(update={"status": status}))
    except ClusterError:
        return


def verdict(policy: RemediationPolicy) -> tuple[Status, Reason, str]:
    """Return whether the policy can let anything happen."""
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
