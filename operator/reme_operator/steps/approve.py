"""Decisions of people about a plan: recorded first, then carried out."""

from hashlib import sha256

from reme_api.approval import ApprovalDecision, ApprovalRecord
from reme_kube.errors import TamperedError
from reme_operator.decision.decisions import ApplyEdit, RecordApproval
from reme_operator.errors import one_line
from reme_operator.names import artifact_name
from reme_operator.steps.context import StepContext, StepResult, clip, updated
from reme_operator.steps.validate import (
    PLAYBOOK_KEY,
    compile_and_validate,
    record_playbook,
)
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.execution.render import playbook_text

EDIT_KEY = "playbook.txt"
_MAX_RECORDS = 8


async def record_approval(context: StepContext, _: RecordApproval) -> StepResult:
    """Record who decided what; an edited playbook is stored as it was written."""
    approval, attempt = context.remediation.spec.approval, context.attempt
    assert approval is not None, "only a decision that was made is recorded"
    record = ApprovalRecord(
        decision=approval.decision,
        username=approval.username,
        decision_time=context.now(),
        playbook_digest=approval.playbook_digest,
        plan_digest=approval.plan_digest,
        reason=approval.reason,
    )
    if approval.decision is ApprovalDecision.EDIT:
        text = approval.edited_playbook
        reference, _text = await context.deps.cluster.store_artifact(
            context.remediation, _artifact_name(context, "edit", text), EDIT_KEY, text
        )
        record = updated(record, original_playbook=attempt.playbook, edited_playbook=reference)
    return context.with_attempt(approvals=[*attempt.approvals, record][-_MAX_RECORDS:])


async def apply_edit(context: StepContext, _: ApplyEdit) -> StepResult:
    """Validate the edited playbook like the model's, and put it in the model's place."""
    attempt = context.attempt
    record = attempt.approvals[-1]
    assert record.edited_playbook is not None, "an edit is stored when it is recorded"
    try:
        text = await context.deps.cluster.read_artifact(context.namespace, record.edited_playbook)
        actions, snapshot = await compile_and_validate(context, text)
    except (RejectedPlaybookError, TamperedError) as error:
        return _refuse(context, clip(one_line(error, 1000)))
    text = playbook_text(actions)
    playbook, _text = await context.deps.cluster.store_artifact(
        context.remediation, _artifact_name(context, "playbook", text), PLAYBOOK_KEY, text
    )
    if playbook == attempt.playbook:
        return _refuse(context, "the edited playbook does the same as the one before")
    return record_playbook(context, playbook, actions, snapshot)


def _refuse(context: StepContext, message: str) -> StepResult:
    *earlier, record = context.attempt.approvals
    return context.with_attempt(approvals=[*earlier, updated(record, refusal_message=message)])


def _artifact_name(context: StepContext, what: str, text: str) -> str:
    """Return the name of an artifact of which an attempt may have several."""
    digest = sha256(text.encode()).hexdigest()[:8]
    return artifact_name(context.remediation, context.attempt.number, f"{what}-{digest}")
