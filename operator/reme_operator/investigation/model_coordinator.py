"""The coordinator that asks the model, under a grammar of what is possible.

The model only chooses among inspections, causes and ends that the view offers; the evidence against
a cause is that of the rules, so that a cause without evidence is never offered. When the model
cannot be reached, the rules choose this round. A reply that is no choice leads to a playbook.
"""

import asyncio
from collections.abc import Mapping
from time import perf_counter

from reme_api.investigation import Choice
from reme_api.reasons import Reason
from reme_model.inference.errors import ModelError, ModelTimeoutError, ReplyError
from reme_model.inference.generation import GenerationReply, GenerationRequest, PlaybookModel
from reme_model.inference.round_reply import RoundReply, parse_round
from reme_model.prompt.round_choice import (
    RoundQuestion,
    estimated_tokens,
    round_messages,
    round_schema,
)
from reme_model.prompt.schema import Abstain
from reme_operator.errors import one_line
from reme_operator.investigation.coordinator import (
    CoordinatorChoice,
    CoordinatorView,
    PossibleCause,
)
from reme_operator.investigation.rules_coordinator import (
    act,
    certain_evidence,
    choose_by_rules,
    follow,
    likely_evidence,
)
from reme_operator.telemetry.metrics import Metrics

MAX_TOKENS = 256
"""Maximum length of a choice: eight labels fit."""

_ABSTENTIONS: Mapping[Abstain, tuple[Reason, str]] = {
    Abstain.HEALTHY: (Reason.DIAGNOSIS_CONTRADICTED, "the model found the target healthy"),
    Abstain.ELSEWHERE: (Reason.FAULT_ELSEWHERE, "the model found the fault in another workload"),
    Abstain.NO_ACTION: (Reason.NO_ACTION_HELPS, "the model found no action that would help"),
    Abstain.UNCLEAR: (Reason.TOO_LITTLE_EVIDENCE, "the model could not tell what is wrong"),
}


class ModelCoordinator:
    """Asks the model."""

    def __init__(self, model: PlaybookModel, metrics: Metrics) -> None:
        self._model = model
        self._metrics = metrics

    async def choose(self, view: CoordinatorView) -> CoordinatorChoice:
        """Return the choice of the model; of the rules when it cannot be asked."""
        causes = possible_evidence(view)
        question = RoundQuestion(
            incident=view.incident,
            labels=tuple(one.label for one in view.candidates) if view.rounds_left else (),
            most=view.max_inspections,
            causes=tuple(causes),
            rounds=view.rounds_left,
        )
        messages = round_messages(question)
        if estimated_tokens(messages) + MAX_TOKENS > view.tokens_left:
            return _by_rules(view, "too few tokens remain for the model")
        request = GenerationRequest(
            messages=messages,
            schema=round_schema(question),
            seed=view.seed,
            max_tokens=MAX_TOKENS,
        )
        started_at = perf_counter()
        try:
            async with asyncio.timeout(view.seconds_left):
                reply = await self._model.generate(request)
        except ReplyError as error:
            self._metrics.model_failed(perf_counter() - started_at)
            return act(f"the reply of the model is no choice: {one_line(error, 200)}")
        except (ModelError, TimeoutError) as error:
            timed_out = isinstance(error, ModelTimeoutError | TimeoutError)
            self._metrics.model_failed(perf_counter() - started_at, timed_out=timed_out)
            return _by_rules(view, f"the model could not be asked: {one_line(error, 200)}")
        self._metrics.model_replied(
            perf_counter() - started_at, reply.prompt_tokens, reply.completion_tokens
        )
        return _counted(_choice(view, question, reply, causes), reply)


def possible_evidence(
    view: CoordinatorView,
) -> dict[str, tuple[PossibleCause, tuple[str, ...]]]:
    """Return the causes that may be followed, by `Kind/name`, each with the evidence against it."""
    causes = {}
    for possible in view.possible_causes:
        evidence = certain_evidence(view, possible) or likely_evidence(view, possible)
        if evidence:
            name = f"{possible.workload.kind}/{possible.workload.name}"
            causes[name] = (possible, evidence)
    return causes


def _choice(
    view: CoordinatorView,
    question: RoundQuestion,
    reply: GenerationReply,
    causes: Mapping[str, tuple[PossibleCause, tuple[str, ...]]],
) -> CoordinatorChoice:
    try:
        chosen: RoundReply = parse_round(reply.text, question, reply.finish_reason)
    except ReplyError as error:
        return act(f"the reply of the model is no choice: {one_line(error, 200)}")
    if chosen.labels:
        by_label = {one.label: one for one in view.candidates}
        return CoordinatorChoice(
            choice=Choice.INSPECT,
            inspections=tuple(by_label[label] for label in chosen.labels),
            message="chosen by the model",
        )
    if chosen.cause:
        return follow(view, *causes[chosen.cause])
    if chosen.abstention is not None:
        reason, message = _ABSTENTIONS[chosen.abstention]
        return CoordinatorChoice(choice=Choice.ABSTAIN, reason=reason, message=message)
    return act("the model chose to act")


def _counted(choice: CoordinatorChoice, reply: GenerationReply) -> CoordinatorChoice:
    return choice.model_copy(
        update={
            "coordinator": reply.model or "model",
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
        }
    )


def _by_rules(view: CoordinatorView, why: str) -> CoordinatorChoice:
    choice = choose_by_rules(view)
    return choice.model_copy(update={"message": f"{why}; by rules: {choice.message}"})
