"""From the model's reply to typed actions that the policy allows, and to what they will change."""

from collections.abc import Sequence

from pydantic import ValidationError

from reme_api.base import ArtifactReference
from reme_api.reasons import Reason
from reme_api.remediation import ActionRecord, Run
from reme_kube.errors import TamperedError
from reme_model.inference.errors import ReplyError
from reme_model.inference.reply import Abstention, parse_reply
from reme_operator.decision.decisions import Capture, Validate
from reme_operator.errors import one_line
from reme_operator.names import artifact_name
from reme_operator.steps.context import StepContext, StepResult, clip
from reme_operator.steps.current_snapshot import current_snapshot
from reme_operator.steps.earlier_tries import earlier_tries
from reme_operator.steps.generate import StoredReply
from reme_operator.steps.run_request import new_plan
from reme_operator.steps.target_state import target_state
from reme_playbook.actions.registry import Action
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.execution.capture import capture as captured
from reme_playbook.execution.capture import pin, planned_changes
from reme_playbook.execution.render import playbook_text
from reme_playbook.policy.evidence_rules import check_evidence
from reme_playbook.policy.tries import check_untried, effects
from reme_playbook.policy.validation import validate as validate_actions
from reme_playbook.snapshot.snapshot import ClusterSnapshot

PLAYBOOK_KEY = "playbook.json"
CAPTURE_KEY = "capture.json"
_MAX_CHANGES = 32


async def validate(context: StepContext, _: Validate) -> StepResult:
    """Compile the reply, check it, and store the playbook in its canonical form."""
    generation = context.attempt.generation
    assert generation is not None, "a reply is generated before it is validated"
    assert generation.reply is not None, "a generation that is recorded has its reply"
    try:
        text = await context.deps.cluster.read_artifact(context.namespace, generation.reply)
        stored = StoredReply.model_validate_json(text)
        reply = parse_reply(stored.text, stored.finish_reason)
        if isinstance(reply, Abstention):
            raise TamperedError("the stored reply is not the one that was recorded")
        actions, snapshot = await compile_and_validate(context, reply.text)
        # A person who edits a playbook may know why it helps nevertheless; a model does not.
        check_untried(actions, snapshot, earlier_tries(context.status.attempts[:-1]))
        check_evidence(actions, snapshot)
    except RejectedPlaybookError as error:
        return context.reject(error.rule, error.message)
    except (TamperedError, ReplyError, ValidationError) as error:
        return context.reject(Reason.TAMPERED, one_line(error))
    playbook, _text = await context.deps.cluster.store_artifact(
        context.remediation,
        artifact_name(context.remediation, context.attempt.number, "playbook"),
        PLAYBOOK_KEY,
        playbook_text(actions),
    )
    return record_playbook(context, playbook, actions, snapshot)


def record_playbook(
    context: StepContext,
    playbook: ArtifactReference,
    actions: Sequence[Action],
    snapshot: ClusterSnapshot,
) -> StepResult:
    """Record a validated playbook, and the dry run that it is to have."""
    return context.with_attempt(
        playbook=playbook,
        actions=list(map(_action_record, actions, effects(actions, snapshot))),
        changes=planned_changes(actions, snapshot)[:_MAX_CHANGES],
        plan=new_plan(context),
    )


async def capture(context: StepContext, _: Capture) -> StepResult:
    """Check against the cluster as it is now, store what will change, and name the run."""
    attempt, plan = context.attempt, context.attempt.plan
    assert attempt.playbook is not None, "a playbook is stored before it is run"
    assert plan is not None, "a playbook is planned before it is run"
    if (await context.deps.switch.refresh()).on:
        return StepResult()  # read again: what is not named yet goes on hold, and is not aborted
    try:
        snapshot = await current_snapshot(context)
        text = await context.deps.cluster.read_artifact(context.namespace, attempt.playbook)
        actions = compile_playbook(text)
        _check(context, actions, snapshot)
    except RejectedPlaybookError as error:
        return context.reject(error.rule, error.message)
    except TamperedError as error:
        return context.reject(Reason.TAMPERED, one_line(error))
    reference, _text = await context.deps.cluster.store_artifact(
        context.remediation,
        artifact_name(context.remediation, attempt.number, "capture"),
        CAPTURE_KEY,
        captured(actions, snapshot).model_dump_json(),
    )
    # The run takes over the identity, and the rights, of its dry run.
    run = Run(name=plan.name, namespace=plan.namespace, created_time=plan.created_time)
    return context.with_attempt(capture=reference, run=run, target_before=target_state(snapshot))


async def compile_and_validate(
    context: StepContext, text: str
) -> tuple[tuple[Action, ...], ClusterSnapshot]:
    """Return the actions of a playbook, and the snapshot that they were checked against.

    Raises:
        RejectedPlaybookError: it is no playbook, or the policy does not allow it.

    """
    actions = compile_playbook(text)
    snapshot = await current_snapshot(context)
    _check(context, actions, snapshot)
    # Revisions become numbers: what is checked here, and perhaps approved, is then what runs.
    return pin(actions, snapshot), snapshot


def _check(context: StepContext, actions: tuple[Action, ...], snapshot: ClusterSnapshot) -> None:
    validate_actions(
        actions,
        context.observed.policy,
        snapshot,
        release_namespace=context.deps.settings.release_namespace,
        now=context.now(),
    )


def _action_record(action: Action, effect: str) -> ActionRecord:
    return ActionRecord(
        name=action.name,
        kind=action.target.kind,
        object_name=action.target.name,
        summary=clip(action.summary()),
        effect=clip(effect, 256),
    )
