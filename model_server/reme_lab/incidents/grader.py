"""Tries repairs of an incident in the simulator: what would really have come of them."""

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
    """Judges what may be done about one incident."""

    def __init__(
        self, incident: BrokenSystem, live: ClusterSnapshot, probes: Sequence[Probe]
    ) -> None:
        """Take the incident as the operator sees it, with the truth behind it."""
        self._incident, self._live, self.probes = incident, live, probes

    @cached_property
    def world(self) -> World:
        """The broken world."""
        incident = self._incident
        found = world_from_snapshot(
            self._live,
            _truths(incident),
            stresses=incident.effects.stresses,
            healthy=snapshot.healthy_snapshot(incident.system),
        )
        services = _callers_services(incident.system)
        before = found.healthy and replace(
            found.healthy, objects={**found.healthy.objects, **services}
        )
        return replace(found, objects={**found.objects, **services}, healthy=before)

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What is wrong before anything is done."""
        return problems_of(self.world, self.probes)

    @cached_property
    def problems_without_probes(self) -> tuple[str, ...]:
        """What is wrong before anything is done, whatever the probes of the report ask for."""
        return problems_of(self.world)

    def verdict(self, actions: Sequence[Action]) -> Verdict:
        """Return what comes of a repair."""
        return assess(self.world, apply(self.world, actions), self.probes)

    def disruption(self, actions: Sequence[Action]) -> int:
        """Return the pods that a repair replaces and the objects that it changes."""
        return disruption(self.world, actions)


def _truths(incident: BrokenSystem) -> GroundTruth:
    system, hidden = incident.system, incident.effects
    usual = {
        "port": system.port,
        "any_path": True,
        "cpu_millicores": system.cpu * system.cpu_percent * system.original_replicas // 100,
        "memory_bytes": system.memory * system.memory_percent * MIB // 100,
        **hidden.default_behaviour,
    }
    program = Program(
        container=system.container,
        default=Behaviour(**usual),
        rules=tuple(hidden.rules),
        numeric_settings=tuple(hidden.numeric_settings),
        calls=tuple(_calls(system)),
        recurring_stress=tuple(hidden.recurring_stress),
    )
    front = (
        EntryPoint(hidden.entry_service, hidden.entry_port)
        if hidden.entry_service
        else EntryPoint(system.name, system.service_port)
    )
    if hidden.ingress:
        front = EntryPoint(ingress=hidden.ingress, path=hidden.path)
    return GroundTruth(
        programs={system.key: program, **_callers(system)},
        missing_images=frozenset(hidden.missing_images),
        missing_secret_keys=frozenset(hidden.missing_secret_keys),
        entry_points=(front,),
        allowed_differences=tuple(hidden.allowed_differences),
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


def _callers_services(system: System) -> dict[ObjectRef, Json]:
    """Return where users come in at the callers, of which a live state tells the names alone."""
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
    """Yield what the program calls, by the variables that name it."""
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
    """Return what each single action is worth, what each abstention is, and what the pairs are.

    A repair that is verified and harms nothing is worth 1, less 0.02 for every pod that it
    replaces and every object that it changes, and less 0.0002 for every character. One that does
    not help is worth 0, one that harms -0.5. An abstention is worth 1 where it is right, 0.8 with
    the wrong reason, and -0.1 where a repair was possible: to try is better than to give up, and
    to do harm is worse than both.
    """
    found: dict[str, float] = {}
    for actions in (*([action] for action in space), *pairs):
        reply = render_reply(actions)
        verdict = grader.verdict(actions)
        worth = -0.5 if verdict.side_effects else 0.0
        if verdict.good and right is None:
            cost = 0.02 * grader.disruption(actions) + 0.0002 * len(reply)
            worth = max(0.5, 1 - cost)
        elif right is Abstain.HEALTHY and not verdict.side_effects:
            worth = -0.1  # nothing was wrong, and something was done
        found[reply] = round(worth, 4)
    for reason in Abstain:
        reply = json.dumps({ABSTAIN: reason}, separators=(",", ":"))
        wrong = 0.8 if right is not None else -0.1
        found[reply] = 1.0 if reason is right else wrong
    return found
