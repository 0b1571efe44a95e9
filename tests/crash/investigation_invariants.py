"""Invariants of investigations: no round is lost, repeated or changed, and the bounds hold."""

from collections.abc import Iterator
from datetime import timedelta

from reme_api.base import ArtifactReference
from reme_api.investigation import Choice
from reme_api.policy import Method
from reme_api.remediation import Attempt, Remediation
from reme_operator.cli.replay import replay_decisions, replay_rounds
from tests.crash.world import World
from tests.doubles.shop import NAMESPACE

_LATE = timedelta(seconds=150)
"""What the requests of a round that began in time may take under faults."""


def investigation_violations(world: World) -> Iterator[tuple[str, str]]:
    """Yield the kind and the description of each violation."""
    for text in world.history.changed_rounds:
        yield "repeated", text
    for remediation in world.remediations():
        yield from _replayed(world, remediation)
    for remediation in world.finals.values():
        for attempt in remediation.status.attempts:
            where = f"{remediation.metadata.name}, attempt {attempt.number}"
            for kind, text in _of_attempt(remediation, attempt):
                yield kind, f"{where}: {text}"


def _replayed(world: World, remediation: Remediation) -> Iterator[tuple[str, str]]:
    """Check that each choice and each decision is the same when it is taken again offline."""

    def read(reference: ArtifactReference) -> str | None:
        config_map = world.api.get("configmaps", NAMESPACE, reference.name) or {}
        text = config_map.get("data", {}).get(reference.key)
        return None if text is None else str(text)

    name = remediation.metadata.name
    for one in replay_rounds(remediation, read):
        if not one.is_same:
            text = one.problem or f"{one.recorded} is replayed as {one.replayed}"
            yield "untrue", f"{name}, round {one.number}: {text}"
    for decision in replay_decisions(remediation):
        if not decision.is_same:
            yield "untrue", f"{name}: {decision.recorded} is replayed as {decision.replayed}"


def artifacts(attempt: Attempt) -> Iterator[tuple[str, ArtifactReference | None]]:
    """Yield every artifact that the rounds of an attempt must have."""
    for entry in attempt.investigation:
        yield f"choice of round {entry.number}", entry.view
        if entry.results is not None:
            yield f"results of round {entry.number}", entry.results


def _of_attempt(remediation: Remediation, attempt: Attempt) -> Iterator[tuple[str, str]]:
    policy, rounds = remediation.spec.policy.spec, attempt.investigation
    limits = policy.investigation
    if policy.method is not Method.THINK_REMED:
        if rounds:
            yield "untrue", "an investigation under method SoloGen"
        return
    if [entry.number for entry in rounds] != list(range(1, len(rounds) + 1)):
        yield "lost", f"rounds {[entry.number for entry in rounds]}"
    if len(rounds) > limits.max_rounds + 1:
        yield "untrue", f"{len(rounds)} rounds"
    if (attempt.generation or attempt.playbook) and not rounds and limits.max_rounds:
        yield "lost", "a playbook without an investigation"
    for entry in rounds:
        if len(entry.inspections) > limits.max_inspections:
            yield "untrue", f"round {entry.number} has {len(entry.inspections)} inspections"
        if entry.choice is not Choice.INSPECT and entry.completion_time is None:
            yield "incomplete", f"round {entry.number} has no end"
        ended = entry.completion_time or entry.start_time
        if ended - rounds[0].start_time > timedelta(seconds=limits.max_seconds) + _LATE:
            yield "untrue", f"round {entry.number} ended long after maxSeconds"
    for entry in rounds[:-1]:
        if entry.choice is not Choice.INSPECT or entry.results is None:
            yield "lost", f"round {entry.number} was not performed, and another followed"
