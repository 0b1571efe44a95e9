"""Why there is no action to choose from: what refused each kind, in words for people."""

from dataclasses import dataclass
from datetime import datetime

from reme_api.policy import RemediationPolicySpec
from reme_playbook.policy.action_space import refusals_by_action
from reme_playbook.policy.evidence.dependency_faults import dependency_faults
from reme_playbook.policy.evidence.dependency_rules import FAULT_OF_DEPENDENCY
from reme_playbook.policy.evidence_rules import NotSupportedError
from reme_playbook.snapshot.snapshot import ClusterSnapshot


@dataclass(frozen=True)
class NothingLeft:
    """Why no action is left."""

    message: str
    elsewhere: str = ""
    """What the target calls and is at fault; empty if the evidence does not name it."""


def nothing_left(
    snapshot: ClusterSnapshot,
    policy: RemediationPolicySpec,
    *,
    release_namespace: str = "",
    now: datetime | None = None,
) -> NothingLeft:
    """Return why a policy leaves nothing to do: the evidence first, then the policy's rules."""
    refusals = refusals_by_action(snapshot, policy, release_namespace=release_namespace, now=now)
    objections: dict[str, list[str]] = {}
    refused: list[str] = []
    for name, error in refusals.items():
        if isinstance(error, NotSupportedError):
            objections.setdefault(error.message, []).append(str(name))
        else:
            refused.append(f"{name} {error.rule}")
    passes_on = any(
        isinstance(error, NotSupportedError) and error.evidence_rule.name == FAULT_OF_DEPENDENCY
        for error in refusals.values()
    )
    elsewhere = ""
    if passes_on:
        fault = dependency_faults(snapshot)[0]
        elsewhere = f"{fault.name}: {fault.text}"
    return NothingLeft(_message(objections, refused), elsewhere)


def _message(objections: dict[str, list[str]], refused: list[str]) -> str:
    message = "the policy allows no action that could help now and was not tried before"
    reasons = [f"{text} ({', '.join(names)})" for text, names in objections.items()]
    if refused:
        reasons.append(", ".join(refused))
    return f"{message}: {'; '.join(reasons)}" if reasons else message
