"""From what the model wrote to typed actions that the policy allows; and what they will change."""

import json
from collections.abc import Sequence

from reme_api.base import TextReference
from reme_api.reasons import Reason
from reme_api.remediation import ActionRecord, Rejection, Run
from reme_kube.errors import TamperedError
from reme_model.inference.errors import ReplyError
from reme_model.inference.reply import Abstention, parse
from reme_operator.decision.decisions import Capture, Gate
from reme_operator.errors import brief
from reme_operator.names import text_name
from reme_operator.snapshot.collect import read_live, report_of
from reme_operator.steps.context import Effect, Work, clip
from reme_operator.steps.generate import KeptReply
from reme_operator.steps.job import named_plan
from reme_playbook.actions.registry import Action
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.execution.capture import capture as captured
from reme_playbook.execution.capture import pinned
from reme_playbook.execution.planned_changes import changes
from reme_playbook.execution.render import render
from reme_playbook.policy.validation import check
from reme_playbook.snapshot.snapshot import LiveState

PLAYBOOK_KEY = "playbook.json"
CAPTURE_KEY = "capture.json"


async def gate(work: Work, _: Gate) -> Effect:
    """Compile the reply, check it, and keep the playbook in its canonical form."""
    remediation, attempt = work.remediation, work.attempt
    assert attempt.generation is not None, "a reply is generated before it is checked"
    assert attempt.generation.reply is not None, "a generation that is recorded has its reply"
    try:
        text = await work.tools.cluster.read_text(work.namespace, attempt.generation.reply)
        kept = KeptReply.model_validate_json(text)
        reply = parse(kept.text, kept.finish_reason)
        if isinstance(reply, Abstention):
            raise TamperedError("the reply that is kept is not the one that was recorded")
        actions, live = await admitted(work, reply.text)
    except RejectedPlaybookError as error:
        return _rejected(work, error.rule, error.message)
    except (TamperedError, ReplyError, ValueError) as error:
        return _rejected(work, Reason.TAMPERED, brief(error))
    playbook, _text = await work.tools.cluster.keep_text(
        remediation,
        text_name(remediation, attempt.number, "playbook"),
        PLAYBOOK_KEY,
        canonical(actions),
    )
    return to_be_planned(work, playbook, actions, live)


def canonical(actions: Sequence[Action]) -> str:
    """Return the playbook in the one form in which it is kept and run."""
    return json.dumps(render(actions), separators=(",", ":"))


def to_be_planned(
    work: Work, playbook: TextReference, actions: Sequence[Action], live: LiveState
) -> Effect:
    """Record a playbook that the gate let through, and the dry run that it is to have."""
    return Effect(
        work.revised(
            playbook=playbook,
            actions=[_action_record(action) for action in actions],
            changes=changes(actions, live)[:32],
            plan=named_plan(work, work.attempt.number),
        )
    )


async def capture(work: Work, _: Capture) -> Effect:
    """Check against the cluster as it is now, keep what will change, and name the run."""
    remediation, attempt = work.remediation, work.attempt
    assert attempt.playbook is not None, "a playbook is kept before it is run"
    if (await work.tools.switch.refresh()).on:
        return Effect()  # asked afresh: what is not named yet waits, and is not given up
    live = await _live(work)
    try:
        text = await work.tools.cluster.read_text(work.namespace, attempt.playbook)
        actions = compile_playbook(text)
        _check(work, actions, live)
    except RejectedPlaybookError as error:
        return _rejected(work, error.rule, error.message)
    except TamperedError as error:
        return _rejected(work, Reason.TAMPERED, brief(error))
    kept, _text = await work.tools.cluster.keep_text(
        remediation,
        text_name(remediation, attempt.number, "capture"),
        CAPTURE_KEY,
        captured(actions, live).model_dump_json(),
    )
    # The run takes over the identity, and the rights, that its dry run had.
    plan = attempt.plan
    assert plan is not None, "a playbook is planned before it is run"
    run = Run(name=plan.name, namespace=plan.namespace, created_time=plan.created_time)
    return Effect(work.revised(capture=kept, run=run))


async def admitted(work: Work, text: str) -> tuple[tuple[Action, ...], LiveState]:
    """Return the actions of a playbook that the policy allows now, and what they were checked on.

    Raises:
        RejectedPlaybookError: it is none, or the policy does not allow it.

    """
    actions = compile_playbook(text)
    live = await _live(work)
    _check(work, actions, live)
    # What is checked here, and perhaps approved, is then what runs: revisions by number.
    return pinned(actions, live), live


async def _live(work: Work) -> LiveState:
    report = await report_of(work.tools.cluster, work.remediation)
    return await read_live(work.tools.cluster, work.remediation, report, work.now())


def _check(work: Work, actions: tuple[Action, ...], live: LiveState) -> None:
    policy = work.remediation.spec.policy.spec
    home = work.tools.settings.release_namespace
    check(actions, policy, live, release_namespace=home, now=work.now())


def _rejected(work: Work, rule: str, message: str) -> Effect:
    return Effect(work.revised(rejection=Rejection(rule=clip(rule, 256), message=clip(message))))


def _action_record(action: Action) -> ActionRecord:
    """Return an action as people read it."""
    return ActionRecord(
        name=action.name,
        kind=action.target.kind,
        object_name=action.target.name,
        summary=clip(action.summary()),
    )
