"""Verdict on a run: whether the fault is repaired, the side effects, and the disruption."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reme_api.probes import Probe
from reme_lab.simulator.apply_actions import apply
from reme_lab.simulator.health import WorldHealth, world_health
from reme_lab.simulator.network import Response, network_of
from reme_lab.simulator.probes import ProbeSample, sample_probe
from reme_lab.simulator.side_effects import side_effects_of
from reme_lab.simulator.world import World
from reme_playbook.actions.registry import Action

_SLOW_FACTOR = 3
_SLOW_MILLISECONDS = 150
"""A response is slow if it takes this much longer, and this many times as long, as before."""


@dataclass(frozen=True)
class Verdict:
    """The assessment of a run."""

    verified: bool
    """The fault is gone, users are served as before it, and every probe passes."""
    side_effects: tuple[str, ...] = ()
    """What the run made worse or changed without need; empty if nothing."""
    missing: tuple[str, ...] = ()
    """Why the run is not verified."""
    probes: tuple[ProbeSample, ...] = ()

    @property
    def probes_pass(self) -> bool:
        """Whether all probes pass: what the operator observes."""
        return all(one.passed for one in self.probes)

    @property
    def good(self) -> bool:
        """Whether the run is verified and has no side effects."""
        return self.verified and not self.side_effects


def assess(before: World, after: World, probes: Sequence[Probe] = ()) -> Verdict:
    """Return the verdict on a run that led from one world to the other.

    Compares with the world's `healthy` state if it has one; otherwise only the probes and current
    problems count.
    """
    network = network_of(after)
    sampled = tuple(sample_probe(network, probe) for probe in probes)
    problems = [f"probe {s.name}: {s.message}" for s in sampled if not s.passed]
    problems += degradations(
        world_health(after), world_health(after.healthy) if after.healthy else None
    )
    return Verdict(not problems, side_effects_of(before, after), tuple(problems), sampled)


def problems_of(world: World, probes: Sequence[Probe] = ()) -> tuple[str, ...]:
    """Return the problems of a world: those of a fault; none if it is healthy."""
    return assess(world, world, probes).missing


def degradations(current: WorldHealth, healthy: WorldHealth | None) -> list[str]:
    """Return how a world is worse off than the healthy one."""
    problems = [*_short_of_pods(current, healthy)]
    for key, problem in current.pod_problems.items():
        if healthy is None or healthy.pod_problems.get(key) != problem:
            problems.append(f"{key}: {problem}")
    problems += _not_served(current, healthy)
    blocking = current.blocking_budgets - (healthy.blocking_budgets if healthy else frozenset())
    problems += [f"disruption budget {name} lets no pod go" for name in sorted(blocking)]
    return problems


def _short_of_pods(current: WorldHealth, healthy: WorldHealth | None) -> Iterator[str]:
    for key, count in current.counts.items():
        counts_before = healthy.counts.get(key) if healthy else None
        if counts_before and not counts_before.complete and count.ready >= counts_before.ready:
            continue
        required = (
            counts_before.ready
            if counts_before and key not in current.autoscaled_workloads
            else count.desired
        )
        if count.ready < max(count.desired, required):
            yield f"{key}: {count.ready} of {max(count.desired, required)} pods are ready"
        elif not count.complete:
            yield f"{key}: {count.updated} of {count.desired} pods have the newest template"


def _not_served(current: WorldHealth, healthy: WorldHealth | None) -> Iterator[str]:
    for front, answer in current.entry_points.items():
        if _worse(answer, healthy.entry_points.get(front) if healthy else None):
            yield f"users at {front.service or front.ingress}: {_explain(answer)}"
    for place, answer in current.responses.items():
        before = healthy.responses.get(place) if healthy else None
        # A Service that did not exist before cannot be compared.
        if (before or not healthy) and _worse(answer, before):
            yield f"Service {place[0]}: {_explain(answer)}"
    for place, before in (healthy.responses if healthy else {}).items():
        if before.good and place not in current.responses:
            yield f"Service {place[0]} offers port {place[1]} no more"


def _explain(answer: Response) -> str:
    return answer.message or f"answers after {answer.milliseconds} ms"


def _worse(current: Response, before: Response | None) -> bool:
    if before is None:
        return not current.good
    if not before.good:
        return False
    slow = max(before.milliseconds * _SLOW_FACTOR, before.milliseconds + _SLOW_MILLISECONDS)
    return not current.good or current.milliseconds > slow


def disruption(world: World, actions: Sequence[Action]) -> int:
    """Return the number of pods that a run replaces and of objects that it changes."""
    return disruption_between(world, apply(world, actions))


def disruption_between(before: World, after: World) -> int:
    """Return the number of pods that disappeared and of objects that differ."""
    changed = sum(stored is not before.objects.get(key) for key, stored in after.objects.items())
    gone = 0
    for key, pods in before.pods.items():
        if after.pods.get(key) is not pods:
            remaining = {(pod.name, pod.created) for pod in after.pods.get(key, ())}
            gone += sum((pod.name, pod.created) not in remaining for pod in pods)
    return changed + gone
