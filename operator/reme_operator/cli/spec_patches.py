"""What a decision writes into a remediation. Pure."""

from typing import Any

from reme_api.approval import ApprovalDecision
from reme_api.remediation import Attempt, Remediation
from reme_operator.cli.cluster import CliError
from reme_operator.cli.remediation_text import state, waits


def planned(found: Remediation) -> Attempt:
    """Return the attempt whose plan a person has to decide about.

    Raises:
        CliError: there is none.

    """
    if not waits(found):
        name = f"{found.metadata.namespace}/{found.metadata.name}"
        mode = found.spec.policy.spec.mode
        why = f"it is {state(found)}" if found.status.outcome else f"its policy's mode is {mode}"
        if not found.status.outcome and mode == "Approve":
            why = f"it is at {state(found)}, and has no plan yet or runs one already"
        raise CliError(f"{name} does not wait for a decision: {why}")
    return found.status.attempts[-1]


def approval(
    found: Remediation, decision: ApprovalDecision, by: str, reason: str = "", edit: str = ""
) -> dict[str, Any]:
    """Return the spec that decides about the plan as it was read, and about no other.

    Raises:
        CliError: there is none to decide about.

    """
    attempt = planned(found)
    assert attempt.playbook is not None, "what waits has a playbook"
    assert attempt.plan is not None, "and a plan"
    return {
        "approval": {
            "decision": decision.value,
            "by": by,
            "attempt": attempt.number,
            "playbook": attempt.playbook.digest,
            "plan": attempt.plan.digest,
            # A merge keeps what it does not name.
            "reason": reason or None,
            "edit": edit or None,
        }
    }


def undo(found: Remediation, by: str, reason: str = "") -> dict[str, Any]:
    """Return the spec that asks for the whole to be taken back.

    Raises:
        CliError: it is not over, or one is under way.

    """
    name = f"{found.metadata.namespace}/{found.metadata.name}"
    if found.status.outcome is None:
        raise CliError(f"{name} is not over: cancel it, which takes back what it did")
    manual_rollbacks = found.status.manual_rollbacks
    if manual_rollbacks and manual_rollbacks[-1].outcome is None:
        raise CliError(f"{name}: an undo is under way, begun by {manual_rollbacks[-1].by}")
    last = manual_rollbacks[-1].number if manual_rollbacks else 0
    asked = found.spec.undo
    if asked is not None and asked.number > last:
        raise CliError(f"{name}: an undo was asked for already, by {asked.by}")
    if last >= 5:
        raise CliError(f"{name} was undone {last} times: that is all there is room for")
    return {"undo": {"by": by, "number": last + 1, "reason": reason or None}}
