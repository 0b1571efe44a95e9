"""The operator asks, byte for byte, what the model was trained on."""

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
    """Keeps what it is given, and has nothing else."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    async def store_artifact(self, _: object, name: str, key: str, text: str) -> tuple[object, str]:
        self.kept.append(text)
        return (name, key), text

    async def get(self, *_: object) -> Any:
        raise NotFoundError("nothing was kept")


class Model:
    """Is never there: what it is asked is all that counts."""

    async def generate(self, _: object) -> Any:
        raise ModelUnavailableError("gone")


class Timer:
    """Times nothing."""

    @contextmanager
    def step(self, _: Step) -> Iterator[None]:
        yield

    @contextmanager
    def waiting(self) -> Iterator[None]:
        yield


def attempts(trace: Incident) -> list[Attempt]:
    """Return the record of the attempts that the trace tells of, and the open one."""
    found = []
    for said in trace.source.previous:
        space = allowed_actions(trace.source.live, POLICY)
        tried = next(action for action in space if action.summary() == said.actions[0])
        record = ActionRecord(
            name=tried.name,
            kind=tried.target.kind,
            object_name=tried.target.name,
            summary=tried.summary(),
        )
        found.append(
            Attempt(
                number=said.number,
                start_time=NOW,
                actions=[record],
                run=Run(name="run", namespace="reme"),
                outcome=Outcome.ROLLED_BACK if said.result.endswith("undone") else None,
                reason=Reason.PROBES_FAILED,
                message=said.message,
            )
        )
    return [*found, Attempt(number=len(found) + 1, start_time=NOW)]


def step_context(trace: Incident, cluster: Cluster) -> StepContext:
    open_attempts = attempts(trace)
    baseline = ProbeWindow(
        start_time=NOW, verdict=ProbeVerdict.FAILED, probes=list(trace.source.measured)
    )
    settings = SimpleNamespace(
        release_namespace="reme-system",
        model_prompt_style=PromptStyle.TRAINED,
        model_max_tokens=512,
    )
    metrics = SimpleNamespace(model_failed=lambda *_, **__: None)
    clock = SimpleNamespace(monotonic=lambda: 0.0)
    deps = SimpleNamespace(
        cluster=cluster, settings=settings, model=Model(), metrics=metrics, clock=clock
    )
    remediation = SimpleNamespace(
        metadata=SimpleNamespace(uid="u", name="r", namespace=trace.source.live.target.namespace),
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


def some(number: int) -> list[Incident]:
    found: list[Incident] = []
    seconds = 0
    place = 0
    while len(found) < number or not seconds:
        place += 1
        try:
            trace = make_incident(f"same/{place}", Split.DEV)
        except DroppedIncident:
            continue
        seconds += trace.kind is Kind.SECOND
        found.append(trace)
    return found


async def test_the_operator_asks_what_the_traces_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    for trace in some(25):

        async def live(*_: object, found: Incident = trace) -> object:
            return found.source.live

        async def report(*_: object, found: Incident = trace) -> object:
            return found.source.report

        monkeypatch.setattr(step, "collect_snapshot", live)
        monkeypatch.setattr(step, "read_report", report)
        cluster = Cluster()
        await step.generate(step_context(trace, cluster), Generate())
        asked = {"messages": trace.messages, "schema": reply_schema(trace.source.space)}
        assert cluster.kept == [json.dumps(asked, separators=(",", ":"))]
