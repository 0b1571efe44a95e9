"""What people decide about a plan: taken note of first, then acted upon."""

from hashlib import sha256

from reme_api.approval import ApprovalDecision, ApprovalRecord
from reme_kube.errors import TamperedError
from reme_operator.decision.decisions import ApplyEdit, RecordApproval
from reme_operator.errors import one_line
from reme_operator.names import text_name
from reme_operator.steps.context import StepContext, StepResult, clip
from reme_operator.steps.validate import PLAYBOOK_KEY, admitted, canonical, record_playbook
from reme_playbook.errors import RejectedPlaybookError

EDIT_KEY = "playbook.txt"
_MOST_RECORDS = 8


async def note_approval(context: StepContext, _: RecordApproval) -> StepResult:
    """Record who decided what; an edited playbook is kept as it was written."""
    approval, attempt = context.remediation.spec.approval, context.attempt
    assert approval is not None, "only a decision that was made is taken note of"
    record = ApprovalRecord(
        decision=approval.decision,
        username=approval.username,
        decision_time=context.now(),
        playbook_digest=approval.playbook_digest,
        plan_digest=approval.plan_digest,
        reason=approval.reason,
    )
    if approval.decision is ApprovalDecision.EDIT:
        edit, _text = await context.deps.cluster.store_artifact(
            context.remediation,
            _name(context, "edit", approval.edited_playbook),
            EDIT_KEY,
            approval.edited_playbook,
        )
        record = record.model_copy(
            update={"original_playbook": attempt.playbook, "edited_playbook": edit}
        )
    return StepResult(context.revised(approvals=[*attempt.approvals, record][-_MOST_RECORDS:]))


async def take_edit(context: StepContext, _: ApplyEdit) -> StepResult:
    """Put the edited playbook through the same gate as the model's, and have it planned."""
    attempt = context.attempt
    *earlier, record = attempt.approvals
    assert record.edited_playbook is not None, "an edit is kept when it is taken note of"
    try:
        text = await context.deps.cluster.read_artifact(context.namespace, record.edited_playbook)
        actions, live = await admitted(context, text)
    except (RejectedPlaybookError, TamperedError) as error:
        refused = record.model_copy(update={"refusal_message": clip(one_line(error, 1000))})
        return StepResult(context.revised(approvals=[*earlier, refused]))
    text = canonical(actions)
    playbook, _text = await context.deps.cluster.store_artifact(
        context.remediation, _name(context, "playbook", text), PLAYBOOK_KEY, text
    )
    if playbook == attempt.playbook:
        refused = record.model_copy(update={"refusal_message": "it says the same as before"})
        return StepResult(context.revised(approvals=[*earlier, refused]))
    return record_playbook(context, playbook, actions, live)


def _name(context: StepContext, what: str, text: str) -> str:
    """Return the name of a text of which an attempt may have several."""
    mark = sha256(text.encode()).hexdigest()[:8]
    return text_name(context.remediation, context.attempt.number, f"{what}-{mark}")
