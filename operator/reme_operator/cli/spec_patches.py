"""What a decision writes into the spec of a remediation. Pure."""

from typing import Any

from reme_api.approval import ApprovalDecision
from reme_api.remediation import Attempt, Remediation
from reme_operator.cli.errors import CliError
from reme_operator.cli.remediation_text import state
from reme_operator.decision.observed import latest_attempt
from reme_operator.decision.plan_approval import decided_about_plan, is_undecided

_MAX_ROLLBACKS = 5
"""As many as the status has room for."""


def attempt_to_decide(remediation: Remediation) -> Attempt:
    """Return the attempt whose plan is open for a decision.

    Raises:
        CliError: no plan waits.

    """
    attempt = latest_attempt(remediation)
    if attempt is not None and is_undecided(remediation):
        return attempt
    mode = remediation.spec.policy.spec.mode
    record = decided_about_plan(attempt) if attempt else None
    if remediation.status.outcome is not None:
        why = f"it has ended with {state(remediation)}"
    elif mode != "Approve":
        why = f"its policy has mode {mode}, so nobody is asked"
    elif record is not None and (hold := remediation.status.hold):
        why = f"it was approved by {record.username} and is on hold ({hold.reason})"
        why += "; `kubectl reme cancel` ends it"
    else:
        why = f"it is at {state(remediation)}, and has no plan yet or runs one already"
    raise CliError(f"{_name(remediation)} does not wait for a decision: {why}")


def approval(
    remediation: Remediation,
    decision: ApprovalDecision,
    username: str,
    reason: str = "",
    edit: str = "",
) -> dict[str, Any]:
    """Return the merge patch of the spec that decides about exactly the plan that was read.

    Raises:
        CliError: no plan waits.

    """
    attempt = attempt_to_decide(remediation)
    assert attempt.playbook is not None, "a plan has a playbook"
    assert attempt.plan is not None
    return {
        "approval": {
            "decision": decision.value,
            "username": username,
            "attempt": attempt.number,
            "playbookDigest": attempt.playbook.digest,
            "planDigest": attempt.plan.digest,
            # None deletes the field: a merge patch keeps what it does not name.
            "reason": reason or None,
            "editedPlaybook": edit or None,
        }
    }


def rollback(remediation: Remediation, username: str, reason: str = "") -> dict[str, Any]:
    """Return the merge patch of the spec that asks for a rollback of the whole remediation.

    Raises:
        CliError: the remediation has not ended, or a rollback is in progress.

    """
    name, manual_rollbacks = _name(remediation), remediation.status.manual_rollbacks
    if remediation.status.outcome is None:
        raise CliError(
            f"{name} has not ended, so there is nothing to roll back yet.\n"
            f"`kubectl reme cancel` ends it and restores what it has changed."
        )
    last = manual_rollbacks[-1] if manual_rollbacks else None
    if last is not None and last.outcome is None:
        raise CliError(f"{name}: a rollback requested by {last.username} is in progress")
    number = last.number if last else 0
    requested = remediation.spec.rollback
    if requested is not None and requested.number > number:
        raise CliError(f"{name}: a rollback was requested already, by {requested.username}")
    if number >= _MAX_ROLLBACKS:
        raise CliError(f"{name} was rolled back {number} times already, which is the maximum")
    return {"rollback": {"username": username, "number": number + 1, "reason": reason or None}}


def _name(remediation: Remediation) -> str:
    return f"{remediation.metadata.namespace}/{remediation.metadata.name}"
