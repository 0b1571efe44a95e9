"""Whether a repair helped, whether it did harm, and what it cost."""

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

_SLOWER_FACTOR = 3
_SLOWER_MILLISECONDS = 150
"""An answer that takes more than this longer, and this many times as long, is a slow one."""


@dataclass(frozen=True)
class Verdict:
    """What came of a run."""

    verified: bool
    """The fault is gone for good, users are served as before it, and every probe passes."""
    side_effects: tuple[str, ...] = ()
    """What the run made worse, or changed without need; empty if nothing."""
    missing: tuple[str, ...] = ()
    """Why it is not verified."""
    probes: tuple[ProbeSample, ...] = ()

    @property
    def probes_pass(self) -> bool:
        """Whether the probes alone pass: what the operator sees."""
        return all(one.passed for one in self.probes)

    @property
    def good(self) -> bool:
        """Verified, and nothing harmed."""
        return self.verified and not self.side_effects


def assess(before: World, after: World, probes: Sequence[Probe] = ()) -> Verdict:
    """Return what came of a run that led from the one world to the other.

    Measured against `healthy` of the world, if it has one; otherwise only the probes and what is
    wrong now say whether it is well.
    """
    network = network_of(after)
    sampled = tuple(sample_probe(network, probe) for probe in probes)
    missing = [f"probe {s.name}: {s.message}" for s in sampled if not s.passed]
    missing += degradations(
        world_health(after), world_health(after.healthy) if after.healthy else None
    )
    return Verdict(not missing, side_effects_of(before, after), tuple(missing), sampled)


def problems_of(world: World, probes: Sequence[Probe] = ()) -> tuple[str, ...]:
    """Return what is wrong with a world: what a fault shows, or a healthy world does not."""
    return assess(world, world, probes).missing


def degradations(now: WorldHealth, healthy: WorldHealth | None) -> list[str]:
    """Return in what a world is worse off than the healthy one."""
    found = [*_short_of_pods(now, healthy)]
    for key, trouble in now.pod_problems.items():
        if healthy is None or healthy.pod_problems.get(key) != trouble:
            found.append(f"{key}: {trouble}")
    found += _not_served(now, healthy)
    blocking = now.blocking_budgets - (healthy.blocking_budgets if healthy else frozenset())
    found += [f"disruption budget {name} lets no pod go" for name in sorted(blocking)]
    return found


def _short_of_pods(now: WorldHealth, healthy: WorldHealth | None) -> Iterator[str]:
    for key, count in now.counts.items():
        was = healthy.counts.get(key) if healthy else None
        if was and not was.complete and count.ready >= was.ready:
            continue
        least = was.ready if was and key not in now.autoscaled_workloads else count.desired
        if count.ready < max(count.desired, least):
            yield f"{key}: {count.ready} of {max(count.desired, least)} pods are ready"
        elif not count.complete:
            yield f"{key}: {count.updated} of {count.desired} pods have the newest template"


def _not_served(now: WorldHealth, healthy: WorldHealth | None) -> Iterator[str]:
    for front, answer in now.entry_points.items():
        if _worse(answer, healthy.entry_points.get(front) if healthy else None):
            yield f"users at {front.service or front.ingress}: {_said(answer)}"
    for place, answer in now.responses.items():
        before = healthy.responses.get(place) if healthy else None
        # A Service that was not there before is no measure.
        if (before or not healthy) and _worse(answer, before):
            yield f"Service {place[0]}: {_said(answer)}"
    for place, before in (healthy.responses if healthy else {}).items():
        if before.good and place not in now.responses:
            yield f"Service {place[0]} offers port {place[1]} no more"


def _said(answer: Response) -> str:
    return answer.message or f"answers after {answer.milliseconds} ms"


def _worse(now: Response, before: Response | None) -> bool:
    if before is None:
        return not now.good
    if not before.good:
        return False
    slow = max(before.milliseconds * _SLOWER_FACTOR, before.milliseconds + _SLOWER_MILLISECONDS)
    return not now.good or now.milliseconds > slow


def disruption(world: World, actions: Sequence[Action]) -> int:
    """Return the pods that a run of the actions replaces, and the objects that it changes."""
    return disruption_between(world, apply(world, actions))


def disruption_between(before: World, after: World) -> int:
    """Return the pods that went from one world to the other, and the objects that differ."""
    changed = sum(found is not before.objects.get(key) for key, found in after.objects.items())
    gone = 0
    for key, pods in before.pods.items():
        if after.pods.get(key) is not pods:
            kept = {(pod.name, pod.created) for pod in after.pods.get(key, ())}
            gone += sum((pod.name, pod.created) not in kept for pod in pods)
    return changed + gone
