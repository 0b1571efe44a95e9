"""A world made of a snapshot behaves like the cluster that the snapshot was taken of."""

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reme_lab.fidelity import inferred_program, snapshot_differences, world_from_snapshot
from reme_lab.simulator import (
    Behaviour,
    Stress,
    apply,
    assess,
    problems_of,
    snapshot_of,
    with_container_fields,
    with_field,
)
from reme_lab.simulator.pod_status import startup_seconds
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.unit.lab.simulator.break_catalog import BREAKS, Break, config
from tests.unit.lab.simulator.broken import FIRST
from tests.unit.lab.simulator.test_properties import broken, snapshot_and_actions
from tests.unit.lab.simulator.worlds import ANSWERS, cart, key, lab, rollout

ELSEWHERE = ("denied", "upstream")
"""Faults whose effect is in a neighbour, of which a snapshot tells next to nothing."""
FAULTS = [b for b in BREAKS if b.name not in ELSEWHERE]


@pytest.mark.parametrize("one", FAULTS, ids=lambda b: b.name)
def test_probes_say_the_same_in_a_world_made_of_what_was_observed(one: Break) -> None:
    world = broken(one.name)
    live, possible = snapshot_and_actions(one.name)
    stresses = {p.name: p.stress for p in world.pods.get(world.target, ()) if p.stress}
    assert world.healthy is not None
    again = world_from_snapshot(
        live, world.ground_truth, stresses=stresses, healthy=snapshot_of(world.healthy)
    )
    draw = random.Random(one.name)
    for actions in [*one.good, *([a] for a in draw.sample(possible, min(6, len(possible))))]:
        if any(action.target.kind not in ("Node", "Pod") for action in actions):
            here, there = (assess(w, apply(w, actions), one.probes) for w in (world, again))
            assert [p.passed for p in here.probes] == [p.passed for p in there.probes], actions


def test_a_program_is_inferred_from_its_template() -> None:
    program = inferred_program(snapshot_of(lab()))
    assert (program.container, program.default.port) == ("server", 8080)
    again = world_from_snapshot(snapshot_of(lab()))
    assert problems_of(again, [ANSWERS, rollout()]) == ()


def test_an_image_that_cannot_be_pulled_is_known_by_its_pods() -> None:
    live, _ = snapshot_and_actions("bad image")
    world = world_from_snapshot(live, healthy=snapshot_of(lab()))
    assert world.ground_truth.missing_images == {"lab/cart:2"}
    assert assess(world, apply(world, [Rollback(target=cart())]), [rollout()]).good
    assert not assess(world, apply(world, [Restart(target=cart())]), [rollout()]).verified


def test_a_stress_is_bound_to_the_pod_it_is_said_of() -> None:
    world = world_from_snapshot(snapshot_of(lab()), stresses={FIRST: Stress(cpu=True)})
    assert [bool(p.stress) for p in world.pods[cart()]].count(True) == 1


def test_a_node_that_is_full_stays_full() -> None:
    world = lab(nodes=1)
    allocatable = {"cpu": "450m", "memory": "8Gi"}
    world = with_field(world, key("Node", "n1"), allocatable, "status", "allocatable")
    full = apply(world, [Restart(target=cart())])
    live = snapshot_of(full)
    assert any("Insufficient cpu" in pod.unscheduled for pod in live.pods)
    again = world_from_snapshot(live)
    assert snapshot_differences(live, snapshot_of(again)) == ()


def test_states_that_differ_are_told_apart() -> None:
    healthy = snapshot_of(lab())
    live, _ = snapshot_and_actions("bad image")
    assert snapshot_differences(healthy, healthy) == ()
    assert snapshot_differences(healthy, live)
    crashing = with_container_fields(lab(), cart(), "server", (("image",), "lab/cart:3"))
    assert snapshot_differences(snapshot_of(crashing), healthy) == ()


def test_a_limit_below_what_the_kubelet_grants_is_no_slower() -> None:
    behaviour = Behaviour(startup_seconds=1, startup_cpu_milliseconds=100)
    assert startup_seconds(behaviour, 2) == startup_seconds(behaviour, 10) == 11
    assert startup_seconds(behaviour, 20) == 6


def with_statuses(live: ClusterSnapshot, statuses: list[Mapping[str, Any]]) -> ClusterSnapshot:
    """Return the snapshot with these container statuses in every pod."""
    pods = {
        key: {**pod, "status": {**pod["status"], "containerStatuses": statuses}}
        for key, pod in live.objects.items()
        if key.kind == "Pod"
    }
    return replace(live, objects={**live.objects, **pods})


NOT_YET = [{"name": "server", "state": {"waiting": {"reason": "ContainerCreating"}}}]
RUNNING_STATUS = [{"name": "server", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]
ENDED = [{"name": "server", "state": {"waiting": {}}, "restartCount": 1}]


@pytest.mark.parametrize(
    ("statuses", "at_once", "cured"),
    [
        ([], True, True),
        (NOT_YET, True, True),
        ([], False, False),
        (RUNNING_STATUS, True, False),
        (ENDED, True, False),
    ],
)
def test_a_pod_that_has_not_started_is_told_what_a_run_that_follows_at_once_sets(
    statuses: list[Mapping[str, Any]], at_once: bool, cured: bool
) -> None:
    live, _ = snapshot_and_actions("maintenance")
    live = with_statuses(live, statuses)
    world = world_from_snapshot(
        live, broken("maintenance").ground_truth, healthy=snapshot_of(lab()), at_once=at_once
    )
    assert problems_of(world, [ANSWERS])
    after = apply(world, [config("normal")])
    assert assess(world, after, [ANSWERS, rollout()]).good is cured
    # A running container keeps the settings of its start, whatever is set later.
    again = apply(after, [config("maintenance")])
    assert assess(after, again, [ANSWERS, rollout()]).probes_pass is cured


def test_a_pod_that_starts_well_is_told_what_breaks_it_too() -> None:
    world = broken("maintenance")
    healthy = with_statuses(snapshot_of(lab()), [])
    for at_once in (True, False):
        before = world_from_snapshot(healthy, world.ground_truth, at_once=at_once)
        after = apply(before, [config("maintenance")])
        assert bool(problems_of(after, [ANSWERS])) is at_once
