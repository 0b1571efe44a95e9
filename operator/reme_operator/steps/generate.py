"""From the state of the cluster to the reply of the model: context, action space, request."""

import json
from hashlib import sha256
from zlib import crc32

from pydantic import BaseModel, ConfigDict

from reme_api.base import ArtifactReference
from reme_api.reasons import Reason, Step
from reme_api.remediation import Generation, Rejection
from reme_kube.errors import TamperedError
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
from reme_model.prompt.context import describe_incident
from reme_model.prompt.messages import build_messages
from reme_model.prompt.schema import reply_schema
from reme_operator.decision.decisions import Generate
from reme_operator.errors import one_line
from reme_operator.names import artifact_name
from reme_operator.snapshot.collect import read_report
from reme_operator.steps.attempt_history import latest_probes, summaries
from reme_operator.steps.context import ModelFailure, StepContext, StepResult, clip
from reme_operator.steps.current_snapshot import current_snapshot
from reme_operator.steps.earlier_artifact import earlier_artifact
from reme_operator.steps.earlier_tries import earlier_tries
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.policy.nothing_left import NothingLeft, nothing_left
from reme_playbook.policy.tries import untried

PROMPT_KEY = "prompt.json"
REPLY_KEY = "reply.json"
_MAX_OBSERVATIONS = 12


class StoredReply(BaseModel):
    """The reply of the model, stored with everything that it takes to ask again."""

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
    """Read the cluster, ask the model, and store the request and the reply.

    A reply that an earlier process stored is used again: the model is asked once per attempt.
    """
    remediation, attempt = context.remediation, context.attempt
    with context.timer.step(Step.CONTEXT):
        try:
            prepared = await _prepare(context)
        except TamperedError as error:
            return context.reject(Reason.TAMPERED, one_line(error))
        if isinstance(prepared, StepResult):
            return prepared
        prompt, incident, request = prepared
    try:
        with context.timer.step(Step.GENERATE):
            reply = await _stored_reply(context) or await _ask(context, request)
    except ModelUnavailableError as error:
        return StepResult(model_failure=ModelFailure(Reason.MODEL_UNAVAILABLE, one_line(error)))
    except ModelTimeoutError as error:
        return StepResult(model_failure=ModelFailure(Reason.MODEL_TIMED_OUT, one_line(error)))
    except ModelRefusedError as error:
        failure = ModelFailure(Reason.MODEL_UNAVAILABLE, one_line(error), final=True)
        return StepResult(model_failure=failure)
    except ReplyError as error:
        return context.reject(_rejection_reason(error), one_line(error))
    reference, text = await context.deps.cluster.store_artifact(
        remediation,
        artifact_name(remediation, attempt.number, "reply"),
        REPLY_KEY,
        reply.model_dump_json(),
    )
    reply = StoredReply.model_validate_json(text)
    generation = Generation(
        prompt=prompt,
        reply=reference,
        schema_digest=_digest(json.dumps(request.schema, separators=(",", ":"))),
        model=clip(reply.model, 256),
        model_digest=clip(reply.model_digest, 256),
        adapter_digest=clip(reply.adapter_digest, 256),
        seed=request.seed,
        max_tokens=request.max_tokens,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        finish_reason=clip(reply.finish_reason, 256),
        constrained=reply.constrained,
    )
    try:
        parsed = parse_reply(reply.text, reply.finish_reason)
    except ReplyError as error:
        rejection = Rejection(rule=_rejection_reason(error), message=one_line(error))
        return context.with_attempt(generation=generation, rejection=rejection)
    if isinstance(parsed, Abstention):
        generation.abstention_reason = clip(parsed.reason, 256) or "no reason given"
        return context.with_attempt(generation=generation, observations=_last_lines(incident))
    return context.with_attempt(generation=generation)


async def _prepare(
    context: StepContext,
) -> tuple[ArtifactReference, str, GenerationRequest] | StepResult:
    """Return the stored prompt, the description of the incident and the request for the model.

    Or the result of the step, when there is no action to choose from.
    """
    remediation, number = context.remediation, context.attempt.number
    settings, policy, now = context.deps.settings, context.observed.policy, context.now()
    home, earlier = settings.release_namespace, context.status.attempts[:-1]
    report = await read_report(context.deps.cluster, remediation)
    snapshot = await current_snapshot(context, report)
    allowed = allowed_actions(snapshot, policy, release_namespace=home, now=now)
    actions = untried(allowed, snapshot, earlier_tries(earlier))
    probes = latest_probes(context.status.baseline, earlier)
    incident = describe_incident(snapshot, report, summaries(earlier), probes)
    if not actions:
        why = nothing_left(snapshot, policy, release_namespace=home, now=now)
        return _no_action(context, incident, why)
    messages = build_messages(incident, actions, settings.model_prompt_style)
    prompt, text = await context.deps.cluster.store_artifact(
        remediation,
        artifact_name(remediation, number, "prompt"),
        PROMPT_KEY,
        json.dumps({"messages": messages, "schema": reply_schema(actions)}, separators=(",", ":")),
    )
    stored = json.loads(text)
    request = GenerationRequest(
        messages=stored["messages"],
        schema=stored["schema"],
        seed=_seed(remediation.metadata.uid, number),
        max_tokens=settings.model_max_tokens,
    )
    return prompt, incident, request


async def _ask(context: StepContext, request: GenerationRequest) -> StoredReply:
    metrics, clock = context.deps.metrics, context.deps.clock
    started = clock.monotonic()
    try:
        with context.timer.waiting():
            reply: GenerationReply = await context.deps.model.generate(request)
    except ModelError as error:
        seconds = clock.monotonic() - started
        metrics.model_failed(seconds, timed_out=isinstance(error, ModelTimeoutError))
        raise
    seconds = clock.monotonic() - started
    metrics.model_replied(seconds, reply.prompt_tokens, reply.completion_tokens)
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


async def _stored_reply(context: StepContext) -> StoredReply | None:
    """Return the reply that an earlier process stored, if it got that far."""
    name = artifact_name(context.remediation, context.attempt.number, "reply")
    return await earlier_artifact(context, name, REPLY_KEY, StoredReply)


def _no_action(context: StepContext, incident: str, why: NothingLeft) -> StepResult:
    rule, message = Reason.POLICY_ALLOWS_NOTHING, why.message
    if why.elsewhere:
        rule, message = (
            Reason.FAULT_ELSEWHERE,
            f"the fault is in {why.elsewhere}: report it there; {why.message}",
        )
    rejection = Rejection(rule=rule, message=clip(message))
    return context.with_attempt(rejection=rejection, observations=_last_lines(incident))


def _last_lines(incident: str) -> list[str]:
    """Return the last lines of the description: what is wrong comes last."""
    lines = [clip(line, 256) for line in incident.splitlines() if line.strip()]
    return lines[-_MAX_OBSERVATIONS:]


def _rejection_reason(error: ReplyError) -> Reason:
    if isinstance(error, EmptyReplyError):
        return Reason.MODEL_REPLY_EMPTY
    if isinstance(error, ReplyTooLargeError):
        return Reason.MODEL_REPLY_TOO_LARGE
    return Reason.MODEL_REPLY_INVALID


def _seed(uid: str, attempt: int) -> int:
    """Return a seed that is the same whenever this attempt is generated again."""
    return crc32(f"{uid}/{attempt}".encode()) & 0x7FFFFFFF


def _digest(text: str) -> str:
    return f"sha256:{sha256(text.encode()).hexdigest()}"
