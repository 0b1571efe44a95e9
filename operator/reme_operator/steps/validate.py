"""From what the model wrote to typed actions that the policy allows; and what they will change."""

import json
from collections.abc import Sequence

from pydantic import ValidationError

from reme_api.base import ArtifactReference
from reme_api.reasons import Reason
from reme_api.remediation import ActionRecord, Rejection, Run
from reme_kube.errors import TamperedError
from reme_model.inference.errors import ReplyError
from reme_model.inference.reply import Abstention, parse_reply
from reme_operator.decision.decisions import Capture, Validate
from reme_operator.errors import one_line
from reme_operator.names import text_name
from reme_operator.snapshot.collect import collect_snapshot, read_report
from reme_operator.steps.context import StepContext, StepResult, clip
from reme_operator.steps.generate import StoredReply
from reme_operator.steps.job import new_plan
from reme_playbook.actions.registry import Action
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.execution.capture import capture as captured
from reme_playbook.execution.capture import pin, planned_changes
from reme_playbook.execution.render import render
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot.snapshot import ClusterSnapshot

PLAYBOOK_KEY = "playbook.json"
CAPTURE_KEY = "capture.json"


async def gate(context: StepContext, _: Validate) -> StepResult:
    """Compile the reply, check it, and keep the playbook in its canonical form."""
    remediation, attempt = context.remediation, context.attempt
    assert attempt.generation is not None, "a reply is generated before it is checked"
    assert attempt.generation.reply is not None, "a generation that is recorded has its reply"
    try:
        text = await context.deps.cluster.read_artifact(context.namespace, attempt.generation.reply)
        kept = StoredReply.model_validate_json(text)
        reply = parse_reply(kept.text, kept.finish_reason)
        if isinstance(reply, Abstention):
            raise TamperedError("the reply that is kept is not the one that was recorded")
        actions, live = await admitted(context, reply.text)
    except RejectedPlaybookError as error:
        return _rejected(context, error.rule, error.message)
    except (TamperedError, ReplyError, ValidationError) as error:
        return _rejected(context, Reason.TAMPERED, one_line(error))
    playbook, _text = await context.deps.cluster.store_artifact(
        remediation,
        text_name(remediation, attempt.number, "playbook"),
        PLAYBOOK_KEY,
        canonical(actions),
    )
    return record_playbook(context, playbook, actions, live)


def canonical(actions: Sequence[Action]) -> str:
    """Return the playbook in the one form in which it is kept and run."""
    return json.dumps(render(actions), separators=(",", ":"))


def record_playbook(
    context: StepContext,
    playbook: ArtifactReference,
    actions: Sequence[Action],
    live: ClusterSnapshot,
) -> StepResult:
    """Record a playbook that the gate let through, and the dry run that it is to have."""
    return StepResult(
        context.revised(
            playbook=playbook,
            actions=[_action_record(action) for action in actions],
            changes=planned_changes(actions, live)[:32],
            plan=new_plan(context, context.attempt.number),
        )
    )


async def capture(context: StepContext, _: Capture) -> StepResult:
    """Check against the cluster as it is now, keep what will change, and name the run."""
    remediation, attempt = context.remediation, context.attempt
    assert attempt.playbook is not None, "a playbook is kept before it is run"
    if (await context.deps.switch.refresh()).on:
        return StepResult()  # asked afresh: what is not named yet waits, and is not given up
    live = await _live(context)
    try:
        text = await context.deps.cluster.read_artifact(context.namespace, attempt.playbook)
        actions = compile_playbook(text)
        _check(context, actions, live)
    except RejectedPlaybookError as error:
        return _rejected(context, error.rule, error.message)
    except TamperedError as error:
        return _rejected(context, Reason.TAMPERED, one_line(error))
    kept, _text = await context.deps.cluster.store_artifact(
        remediation,
        text_name(remediation, attempt.number, "capture"),
        CAPTURE_KEY,
        captured(actions, live).model_dump_json(),
    )
    # The run takes over the identity, and the rights, that its dry run had.
    plan = attempt.plan
    assert plan is not None, "a playbook is planned before it is run"
    run = Run(name=plan.name, namespace=plan.namespace, created_time=plan.created_time)
    return StepResult(context.revised(capture=kept, run=run))


async def admitted(context: StepContext, text: str) -> tuple[tuple[Action, ...], ClusterSnapshot]:
    """Return the actions of a playbook that the policy allows now, and what they were checked on.

    Raises:
        RejectedPlaybookError: it is none, or the policy does not allow it.

    """
    actions = compile_playbook(text)
    live = await _live(context)
    _check(context, actions, live)
    # What is checked here, and perhaps approved, is then what runs: revisions by number.
    return pin(actions, live), live


async def _live(context: StepContext) -> ClusterSnapshot:
    report = await read_report(context.deps.cluster, context.remediation)
    return await collect_snapshot(context.deps.cluster, context.remediation, report, context.now())


def _check(context: StepContext, actions: tuple[Action, ...], live: ClusterSnapshot) -> None:
    policy = context.remediation.spec.policy.spec
    home = context.deps.settings.release_namespace
    validate(actions, policy, live, release_namespace=home, now=context.now())


def _rejected(context: StepContext, rule: str, message: str) -> StepResult:
    return StepResult(
        context.revised(rejection=Rejection(rule=clip(rule, 256), message=clip(message)))
    )


def _action_record(action: Action) -> ActionRecord:
    """Return an action as people read it."""
    return ActionRecord(
        name=action.name,
        kind=action.target.kind,
        object_name=action.target.name,
        summary=clip(action.summary()),
    )
