"""The operator sends, byte for byte, the prompts that the model was trained on."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reme_api.probes import ProbeVerdict, ProbeWindow
from reme_api.reasons import Outcome, Reason, Step
from reme_api.remediation import ActionRecord, Attempt, Run
from reme_kube.errors import NotFoundError
from reme_lab.incidents.incident import POLICY, DroppedIncident, Incident, Kind, make_incident
from reme_lab.incidents.rng import Split
from reme_model.inference.errors import ModelUnavailableError
from reme_model.prompt.messages import PromptStyle
from reme_model.prompt.schema import reply_schema
from reme_operator.decision.decisions import Generate
from reme_operator.steps import generate as step
from reme_operator.steps.context import StepContext
from reme_playbook.policy.action_space import allowed_actions

NOW = datetime(2026, 5, 4, tzinfo=UTC)


class Cluster:
    """Stores artifacts in memory; has no other method."""

    def __init__(self) -> None:
        self.stored: list[str] = []

    async def store_artifact(self, _: object, name: str, key: str, text: str) -> tuple[object, str]:
        self.stored.append(text)
        return (name, key), text

    async def get(self, *_: object) -> Any:
        raise NotFoundError("nothing was kept")


class Model:
    """A model that is unavailable: only its requests matter."""

    async def generate(self, _: object) -> Any:
        raise ModelUnavailableError("gone")


class Timer:
    """A timer that measures nothing."""

    @contextmanager
    def step(self, _: Step) -> Iterator[None]:
        yield

    @contextmanager
    def waiting(self) -> Iterator[None]:
        yield


def attempts(incident: Incident) -> list[Attempt]:
    """Return the attempts that the incident mentions, and the current one."""
    earlier = []
    for attempt in incident.source.previous:
        space = allowed_actions(incident.source.live, POLICY)
        action = next(action for action in space if action.summary() == attempt.actions[0])
        record = ActionRecord(
            name=action.name,
            kind=action.target.kind,
            object_name=action.target.name,
            summary=action.summary(),
        )
        earlier.append(
            Attempt(
                number=attempt.number,
                start_time=NOW,
                actions=[record],
                run=Run(name="run", namespace="reme"),
                outcome=Outcome.ROLLED_BACK if attempt.result.endswith("undone") else None,
                reason=Reason.PROBES_FAILED,
                message=attempt.message,
            )
        )
    return [*earlier, Attempt(number=len(earlier) + 1, start_time=NOW)]


def step_context(incident: Incident, cluster: Cluster) -> StepContext:
    open_attempts = attempts(incident)
    baseline = ProbeWindow(
        start_time=NOW, verdict=ProbeVerdict.FAILED, probes=list(incident.source.measured)
    )
    settings = SimpleNamespace(
        release_namespace="reme-system",
        model_prompt_style=PromptStyle.TRAINED,
        model_max_tokens=512,
        prometheus_url="",
    )
    metrics = SimpleNamespace(model_failed=lambda *_, **__: None)
    clock = SimpleNamespace(monotonic=lambda: 0.0)
    deps = SimpleNamespace(
        cluster=cluster, settings=settings, model=Model(), metrics=metrics, clock=clock
    )
    remediation = SimpleNamespace(
        metadata=SimpleNamespace(
            uid="u", name="r", namespace=incident.source.live.target.namespace
        ),
        spec=SimpleNamespace(policy=SimpleNamespace(spec=POLICY)),
    )
    return cast(
        "StepContext",
        SimpleNamespace(
            deps=deps,
            timer=Timer(),
            remediation=remediation,
            observed=SimpleNamespace(policy=POLICY),
            attempt=open_attempts[-1],
            status=SimpleNamespace(attempts=open_attempts, baseline=baseline),
            namespace="reme",
            now=lambda: NOW,
        ),
    )


def sample_incidents(number: int) -> list[Incident]:
    incidents: list[Incident] = []
    seconds = 0
    place = 0
    while len(incidents) < number or not seconds:
        place += 1
        try:
            incident = make_incident(f"same/{place}", Split.DEV)
        except DroppedIncident:
            continue
        seconds += incident.kind is Kind.SECOND
        incidents.append(incident)
    return incidents


async def test_the_operator_sends_the_prompts_of_the_incidents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for incident in sample_incidents(25):

        async def live(*_: object, current: Incident = incident) -> object:
            return current.source.live

        async def report(*_: object, current: Incident = incident) -> object:
            return current.source.report

        monkeypatch.setattr(step, "current_snapshot", live)
        monkeypatch.setattr(step, "read_report", report)
        cluster = Cluster()
        await step.generate(step_context(incident, cluster), Generate())
        expected = {"messages": incident.messages, "schema": reply_schema(incident.source.space)}
        assert cluster.stored == [json.dumps(expected, separators=(",", ":"))]
