"""Grades repairs of an incident by trying them in the simulator."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from reme_api.probes import Probe
from reme_lab.fidelity import world_from_snapshot
from reme_lab.incidents import snapshot
from reme_lab.incidents.broken_system import BrokenSystem
from reme_lab.incidents.system import MIB, Json, System
from reme_lab.simulator import (
    Behaviour,
    Call,
    EntryPoint,
    GroundTruth,
    Program,
    Verdict,
    World,
    apply,
    assess,
    disruption,
    problems_of,
)
from reme_model.prompt.messages import render_reply
from reme_model.prompt.schema import ABSTAIN, Abstain
from reme_playbook.actions.registry import Action
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot


class Grader:
    """Grades repairs of one incident."""

    def __init__(
        self, incident: BrokenSystem, live: ClusterSnapshot, probes: Sequence[Probe]
    ) -> None:
        """Take the snapshot of the broken system, and the ground truth behind it."""
        self._incident, self._live, self.probes = incident, live, probes

    @cached_property
    def world(self) -> World:
        """The broken world."""
        incident = self._incident
        world = world_from_snapshot(
            self._live,
            _ground_truth(incident),
            stresses=incident.effects.stresses,
            healthy=snapshot.healthy_snapshot(incident.system),
        )
        services = _caller_services(incident.system)
        before = world.healthy and replace(
            world.healthy, objects={**world.healthy.objects, **services}
        )
        return replace(world, objects={**world.objects, **services}, healthy=before)

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """The problems before any repair."""
        return problems_of(self.world, self.probes)

    @cached_property
    def problems_without_probes(self) -> tuple[str, ...]:
        """The problems before any repair, without those that only the report's probes see."""
        return problems_of(self.world)

    def verdict(self, actions: Sequence[Action]) -> Verdict:
        """Return the verdict on a repair."""
        return assess(self.world, apply(self.world, actions), self.probes)

    def disruption(self, actions: Sequence[Action]) -> int:
        """Return the number of pods that a repair replaces and of objects that it changes."""
        return disruption(self.world, actions)


def _ground_truth(incident: BrokenSystem) -> GroundTruth:
    system, effects = incident.system, incident.effects
    default_behaviour = {
        "port": system.port,
        "any_path": True,
        "cpu_millicores": system.cpu * system.cpu_percent * system.original_replicas // 100,
        "memory_bytes": system.memory * system.memory_percent * MIB // 100,
        **effects.default_behaviour,
    }
    program = Program(
        container=system.container,
        default=Behaviour(**default_behaviour),
        rules=tuple(effects.rules),
        numeric_settings=tuple(effects.numeric_settings),
        calls=tuple(_calls(system)),
        recurring_stress=tuple(effects.recurring_stress),
    )
    entry_point = (
        EntryPoint(effects.entry_service, effects.entry_port)
        if effects.entry_service
        else EntryPoint(system.name, system.service_port)
    )
    if effects.ingress:
        entry_point = EntryPoint(ingress=effects.ingress, path=effects.path)
    return GroundTruth(
        programs={system.key: program, **_callers(system)},
        missing_images=frozenset(effects.missing_images),
        missing_secret_keys=frozenset(effects.missing_secret_keys),
        entry_points=(entry_point,),
        allowed_differences=tuple(effects.allowed_differences),
    )


def _callers(system: System) -> dict[ObjectRef, Program]:
    call = Call(service=system.name, port=system.service_port)
    return {
        system.object_ref("Deployment", n.name): Program(
            default=Behaviour(port=n.port, any_path=True), calls=(call,)
        )
        for n in system.neighbours
        if n.calls_target
    }


def _caller_services(system: System) -> dict[ObjectRef, Json]:
    """Return the callers' Services, of which a snapshot has only the names."""
    return {
        system.object_ref("Service", n.name): {
            "metadata": {"name": n.name, "namespace": system.namespace},
            "spec": {
                "selector": {"app": n.name},
                "ports": [{"port": n.port, "targetPort": n.port}],
            },
        }
        for n in system.neighbours
        if n.calls_target
    }


def _calls(system: System) -> Iterator[Call]:
    """Yield the calls of the program, by the variables that contain the address."""
    for entry in system.original["spec"]["containers"][0]["env"]:
        for other in system.neighbours:
            if other.called_by_target and entry.get("value") in other.addresses:
                yield Call(setting=entry["name"], port=other.port)


def reply_rewards(
    grader: Grader,
    space: Sequence[Action],
    right: Abstain | None,
    pairs: Sequence[Sequence[Action]] = (),
) -> Mapping[str, float]:
    """Return the reward of each single action, of each abstention, and of the pairs.

    A verified repair without side effects is worth 1, less 0.02 for every replaced pod and changed
    object, and less 0.0002 per character. A repair that does not help is worth 0, one with side
    effects -0.5. An abstention is worth 1 where it is right, 0.8 with a wrong reason, and -0.1
    where a repair was possible: trying is better than giving up, and both are better than harm.
    """
    result: dict[str, float] = {}
    for actions in (*([action] for action in space), *pairs):
        reply = render_reply(actions)
        verdict = grader.verdict(actions)
        reward = -0.5 if verdict.side_effects else 0.0
        if verdict.good and right is None:
            cost = 0.02 * grader.disruption(actions) + 0.0002 * len(reply)
            reward = max(0.5, 1 - cost)
        elif right is Abstain.HEALTHY and not verdict.side_effects:
            reward = -0.1  # a healthy system was changed
        result[reply] = round(reward, 4)
    for reason in Abstain:
        reply = json.dumps({ABSTAIN: reason}, separators=(",", ":"))
        wrong = 0.8 if right is not None else -0.1
        result[reply] = 1.0 if reason is right else wrong
    return result
