"""Context, action space, model: from what the cluster looks like to what the model says."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from zlib import crc32

from pydantic import BaseModel, ConfigDict, ValidationError

from reme_api.probes import ProbeResult, ProbeWindow
from reme_api.reasons import Outcome, Reason, Step
from reme_api.remediation import Attempt, Generation, Rejection
from reme_kube.errors import NotFoundError
from reme_kube.resources import CONFIG_MAPS
from reme_model.inference.errors import (
    EmptyReplyError,
    ModelError,
    ModelRefusedError,
    ModelTimeoutError,
    ModelUnavailableError,
    ReplyError,
    ReplyTooLargeError,
)
from reme_model.inference.generation import GenerationReply, GenerationRequest
from reme_model.inference.reply import Abstention, parse_reply
from reme_model.prompt.context import AttemptSummary, describe_incident
from reme_model.prompt.messages import build_messages
from reme_model.prompt.schema import reply_schema
from reme_operator.decision.decisions import Generate
from reme_operator.errors import one_line
from reme_operator.names import text_name
from reme_operator.snapshot.collect import collect_snapshot, read_report
from reme_operator.steps.context import ModelFailure, StepContext, StepResult, clip
from reme_playbook.actions.registry import Action
from reme_playbook.policy.action_space import allowed_actions, refusals_by_action

PROMPT_KEY = "prompt.json"
REPLY_KEY = "reply.json"
_MOST_SEEN = 12


class StoredReply(BaseModel):
    """What the model answered, as it is kept: with all that it takes to ask again."""

    model_config = ConfigDict(extra="ignore")

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = ""
    model: str = ""
    model_digest: str = ""
    adapter_digest: str = ""
    constrained: bool = True


async def generate(context: StepContext, _: Generate) -> StepResult:
    """Read the cluster, ask the model, and keep what it was asked and what it said.

    An answer that an earlier process kept is used again: the model is asked once per attempt.
    """
    remediation, attempt = context.remediation, context.attempt
    policy = remediation.spec.policy.spec
    with context.timer.step(Step.CONTEXT):
        report = await read_report(context.deps.cluster, remediation)
        live = await collect_snapshot(context.deps.cluster, remediation, report, context.now())
        home, now = context.deps.settings.release_namespace, context.now()
        space = allowed_actions(live, policy, release_namespace=home, now=now)
        space = exclude_attempted(space, context.status.attempts[:-1])
        earlier = context.status.attempts[:-1]
        measured = _measured(context.status.baseline, earlier)
        prompt_context = describe_incident(live, report, _previous(earlier), measured)
        if not space:
            refusals = refusals_by_action(live, policy, release_namespace=home, now=now)
            return _nothing(context, prompt_context, refusals)
        said = build_messages(prompt_context, space, context.deps.settings.model_prompt_style)
        schema = reply_schema(space)
        prompt, text = await context.deps.cluster.store_artifact(
            remediation,
            text_name(remediation, attempt.number, "prompt"),
            PROMPT_KEY,
            json.dumps({"messages": said, "schema": schema}, separators=(",", ":")),
        )
    asked = json.loads(text)
    settings = context.deps.settings
    request = GenerationRequest(
        messages=asked["messages"],
        schema=asked["schema"],
        seed=_seed(remediation.metadata.uid, attempt.number),
        max_tokens=settings.model_max_tokens,
    )
    try:
        with context.timer.step(Step.GENERATE):
            answer = await _kept(context) or await _ask(context, request)
    except ModelUnavailableError as error:
        return StepResult(model_failure=ModelFailure(Reason.MODEL_UNAVAILABLE, one_line(error)))
    except ModelTimeoutError as error:
        return StepResult(model_failure=ModelFailure(Reason.MODEL_TIMED_OUT, one_line(error)))
    except ModelRefusedError as error:
        return StepResult(
            model_failure=ModelFailure(Reason.MODEL_UNAVAILABLE, one_line(error), final=True)
        )
    except ReplyError as error:
        return _refused(context, _why(error), one_line(error))
    reply, text = await context.deps.cluster.store_artifact(
        remediation,
        text_name(remediation, attempt.number, "reply"),
        REPLY_KEY,
        answer.model_dump_json(),
    )
    answer = StoredReply.model_validate_json(text)
    generation = Generation(
        prompt=prompt,
        reply=reply,
        schema_digest=_digest(json.dumps(asked["schema"], separators=(",", ":"))),
        model=clip(answer.model, 256),
        model_digest=clip(answer.model_digest, 256),
        adapter_digest=clip(answer.adapter_digest, 256),
        seed=request.seed,
        max_tokens=request.max_tokens,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        finish_reason=clip(answer.finish_reason, 256),
        constrained=answer.constrained,
    )
    try:
        parsed = parse_reply(answer.text, answer.finish_reason)
    except ReplyError as error:
        refusal = Rejection(rule=_why(error), message=one_line(error))
        return StepResult(context.revised(generation=generation, rejection=refusal))
    if isinstance(parsed, Abstention):
        generation.abstention_reason = clip(parsed.reason, 256) or "no reason given"
        return StepResult(
            context.revised(generation=generation, observations=_telling(prompt_context))
        )
    return StepResult(context.revised(generation=generation))


async def _ask(context: StepContext, request: GenerationRequest) -> StoredReply:
    metrics, begun = context.deps.metrics, context.deps.clock.monotonic()
    try:
        with context.timer.waiting():
            reply: GenerationReply = await context.deps.model.generate(request)
    except ModelError as error:
        spent = context.deps.clock.monotonic() - begun
        metrics.model_failed(spent, timed_out=isinstance(error, ModelTimeoutError))
        raise
    spent = context.deps.clock.monotonic() - begun
    metrics.model_replied(spent, reply.prompt_tokens, reply.completion_tokens)
    return StoredReply(
        text=reply.text,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        finish_reason=reply.finish_reason,
        model=reply.model,
        model_digest=reply.model_digest,
        adapter_digest=reply.adapter_digest,
        constrained=reply.constrained,
    )


def exclude_attempted(space: Sequence[Action], earlier: Sequence[Attempt]) -> tuple[Action, ...]:
    """Leave out what an earlier attempt ran alone: it did not help then, and would not now."""
    tried = {a.actions[0].summary for a in earlier if a.run is not None and len(a.actions) == 1}
    return tuple(action for action in space if action.summary() not in tried)


async def _kept(context: StepContext) -> StoredReply | None:
    """Return the answer that an earlier process kept, if it got that far."""
    name = text_name(context.remediation, context.attempt.number, "reply")
    try:
        found = await context.deps.cluster.get(CONFIG_MAPS, context.namespace, name)
    except NotFoundError:
        return None
    owners = found["metadata"].get("ownerReferences") or []
    if context.remediation.metadata.uid not in {owner.get("uid") for owner in owners}:
        return None
    try:
        return StoredReply.model_validate_json((found.get("data") or {}).get(REPLY_KEY, ""))
    except ValidationError:
        return None


def _previous(attempts: Sequence[Attempt]) -> list[AttemptSummary]:
    """Return what earlier attempts taught, as the model is told."""
    return [
        AttemptSummary(
            number=attempt.number,
            actions=tuple(action.summary for action in attempt.actions),
            result=_result(attempt),
            message=attempt.message,
        )
        for attempt in attempts
    ]


def _measured(baseline: ProbeWindow | None, earlier: Sequence[Attempt]) -> Sequence[ProbeResult]:
    """Return what the probes showed last: after the attempt before, or before all of them."""
    windows = [*(attempt.verification for attempt in reversed(earlier)), baseline]
    return next((window.probes for window in windows if window and window.probes), ())


def _result(attempt: Attempt) -> str:
    if attempt.rejection is not None:
        return f"rejected: {attempt.rejection.rule}"
    undone = {Outcome.ROLLED_BACK: ", undone", Outcome.FAILED: ", not undone"}
    after = undone.get(attempt.outcome, "") if attempt.outcome else ""
    return f"{attempt.reason or attempt.outcome or ''}{after}"


def _refused(context: StepContext, reason: Reason, message: str) -> StepResult:
    return StepResult(context.revised(rejection=Rejection(rule=reason, message=message)))


def _nothing(context: StepContext, prompt_context: str, refusals: Mapping[str, str]) -> StepResult:
    why = "the policy allows no action that is possible now and was not tried before"
    if refusals:
        why += ": " + ", ".join(f"{name} {rule}" for name, rule in refusals.items())
    rejection = Rejection(rule=Reason.POLICY_ALLOWS_NOTHING, message=clip(why))
    return StepResult(context.revised(rejection=rejection, observations=_telling(prompt_context)))


def _telling(prompt_context: str) -> list[str]:
    """Return the last lines of the context: what is wrong comes last."""
    return [clip(line, 256) for line in prompt_context.splitlines() if line.strip()][-_MOST_SEEN:]


def _why(error: ReplyError) -> Reason:
    if isinstance(error, EmptyReplyError):
        return Reason.MODEL_REPLY_EMPTY
    if isinstance(error, ReplyTooLargeError):
        return Reason.MODEL_REPLY_TOO_LARGE
    return Reason.MODEL_REPLY_INVALID


def _seed(uid: str, attempt: int) -> int:
    """Return a seed that is the same whenever this attempt is decided again."""
    return crc32(f"{uid}/{attempt}".encode()) & 0x7FFFFFFF


def _digest(text: str) -> str:
    return f"sha256:{sha256(text.encode()).hexdigest()}"
