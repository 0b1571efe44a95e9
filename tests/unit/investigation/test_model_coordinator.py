"""The coordinator that asks the model: what is offered, and what follows from each reply."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from reme_api.investigation import Choice, InspectionName
from reme_api.reasons import Reason
from reme_model.inference.errors import EmptyReplyError, ModelTimeoutError, ModelUnavailableError
from reme_model.inference.generation import GenerationReply, GenerationRequest
from reme_operator.investigation.coordinator import (
    Candidate,
    CoordinatorChoice,
    CoordinatorView,
    PossibleCause,
    StoredFinding,
    Symptom,
)
from reme_operator.investigation.model_coordinator import ModelCoordinator
from reme_operator.telemetry.metrics import Metrics
from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.attack.injection_corpus import Injection, injections

CART = ObjectRef("Deployment", "shop", "cart")
STOCK = ObjectRef("Deployment", "shop", "stock")
LOGS = Candidate(
    name=InspectionName.CONTAINER_LOGS, subject=CART, label="ContainerLogs Deployment/cart"
)
EVENTS = Candidate(
    name=InspectionName.OBJECT_EVENTS, subject=CART, label="ObjectEvents Deployment/cart"
)
DOWN = StoredFinding(
    inspection=InspectionName.DEPENDENCY,
    kind=FindingKind.NO_ENDPOINTS,
    subject=STOCK,
    text="stock has no ready pod",
)


@dataclass
class Scripted:
    """A model that replies with one text, or raises."""

    reply: str | Exception
    requests: list[GenerationRequest] = field(default_factory=list)

    async def generate(self, request: GenerationRequest) -> GenerationReply:
        self.requests.append(request)
        if isinstance(self.reply, Exception):
            raise self.reply
        return GenerationReply(self.reply, 90, 0, 10, "stop", "tiny")


def view(**fields: Any) -> CoordinatorView:
    base: dict[str, Any] = {
        "target": CART,
        "incident": "reported fault: slow",
        "rounds_left": 2,
        "max_inspections": 2,
        "tokens_left": 4000,
        "seconds_left": 5,
        "seed": 7,
        "symptoms": {Symptom.PROBES_FAILING},
        "candidates": (LOGS, EVENTS),
        "possible_causes": (PossibleCause(workload=STOCK, services=("stock",)),),
    }
    return CoordinatorView(**(base | fields))


async def choose(
    reply: Any, model: Scripted | None = None, **fields: Any
) -> tuple[CoordinatorChoice, list[GenerationRequest]]:
    text = reply if isinstance(reply, str | Exception) else json.dumps(reply)
    model = model or Scripted(text)
    return await ModelCoordinator(model, Metrics()).choose(view(**fields)), model.requests


async def test_it_inspects_what_the_model_chose() -> None:
    chosen, (request,) = await choose({"inspect": [EVENTS.label]})
    assert (chosen.choice, chosen.inspections) == (Choice.INSPECT, (EVENTS,))
    assert (chosen.coordinator, chosen.prompt_tokens, chosen.completion_tokens) == ("tiny", 90, 10)
    assert request.seed == 7
    assert request.schema is not None
    offered = json.dumps(request.schema)
    assert LOGS.label in offered
    assert "follow" not in offered  # there is no evidence against anybody


async def test_a_cause_is_offered_with_evidence_only_and_carries_it() -> None:
    chosen, (request,) = await choose({"follow": "Deployment/stock"}, findings=(DOWN,))
    assert chosen.choice is Choice.FOLLOW_CAUSE
    assert chosen.cause is not None
    assert chosen.cause.evidence == [DOWN.text]
    assert "Deployment/stock" in json.dumps(request.schema)


async def test_without_rounds_nothing_can_be_inspected() -> None:
    chosen, (request,) = await choose({"inspect": [LOGS.label]}, rounds_left=0)
    assert "inspect" not in json.dumps(request.schema)
    assert chosen.choice is Choice.ACT


async def test_acting_and_abstaining() -> None:
    assert (await choose({"act": "now"}))[0].choice is Choice.ACT
    chosen, _ = await choose({"abstain": "elsewhere"})
    assert (chosen.choice, chosen.reason) == (Choice.ABSTAIN, Reason.FAULT_ELSEWHERE)


@pytest.mark.parametrize(
    "reply",
    [
        "I would look at the logs.",
        {"inspect": ["ContainerLogs Secret/keys"]},
        {"inspect": []},
        {"follow": "Deployment/stock"},
        {"act": "now", "inspect": [LOGS.label]},
        {"abstain": "because"},
        [],
        "[" * 100_000,
    ],
)
async def test_a_reply_that_is_no_choice_counts_its_tokens_and_acts(reply: Any) -> None:
    chosen, _ = await choose(reply)
    assert chosen.choice is Choice.ACT
    assert chosen.prompt_tokens == 90
    assert "no choice" in chosen.message


async def test_an_empty_reply_acts() -> None:
    assert (await choose(EmptyReplyError("the reply is empty")))[0].choice is Choice.ACT


@pytest.mark.parametrize("error", [ModelUnavailableError("gone"), ModelTimeoutError("slow")])
async def test_the_rules_choose_when_the_model_cannot_be_asked(error: Exception) -> None:
    chosen, _ = await choose(error)
    assert chosen.coordinator == "rules"
    assert chosen.choice is Choice.INSPECT
    assert chosen.message.startswith("the model could not be asked")


async def test_the_rules_choose_when_too_few_tokens_remain() -> None:
    chosen, requests = await choose({"act": "now"}, tokens_left=100)
    assert requests == []
    assert chosen.coordinator == "rules"


@pytest.mark.parametrize("attempt", injections(), ids=lambda attempt: attempt.id)
async def test_no_text_of_the_cluster_adds_a_choice(attempt: Injection) -> None:
    """The choices are the same whatever an object says."""
    plain = Scripted('{"act":"now"}')
    await choose("", plain, incident="evidence: x")
    finding = DOWN.model_copy(update={"kind": FindingKind.LOG_ERROR, "text": attempt.text})
    attacked = Scripted(attempt.text)
    chosen, _ = await choose("", attacked, findings=(finding,))
    assert attacked.requests[0].schema == plain.requests[0].schema
    assert chosen.choice is Choice.ACT
    assert attempt.text[:40] not in chosen.message
