"""A pod that gets more requests than it can serve becomes unready once its queue is long."""

from dataclasses import replace

import pytest

from reme_lab.fidelity import snapshot_differences, world_from_snapshot
from reme_lab.simulator import (
    Behaviour,
    World,
    after_seconds,
    apply,
    assess,
    snapshot_of,
    with_container_fields,
    with_program,
)
from reme_playbook.actions.probe import PatchProbe
from reme_playbook.actions.registry import Action
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale
from tests.unit.lab.simulator.worlds import ANSWERS, cart, lab, rollout

ROLLOUT = [rollout()]


def starved() -> World:
    """Return the world minutes after a rollout that left cart a quarter of the CPU it needs."""
    world = lab()
    needs = replace(world.program(cart()), default=Behaviour(cpu_millicores=160))
    world = with_program(world, cart(), needs)
    return with_container_fields(world, cart(), "server", (("resources", "limits", "cpu"), "20m"))


def test_it_is_refused_by_its_readiness_probe_after_some_minutes() -> None:
    live = snapshot_of(starved())
    assert live.replicas.ready == 0
    assert live.replicas.updated == live.replicas.current == 2  # each was ready for a while
    (message, *_) = [event.message for event in live.events if event.reason == "Unhealthy"]
    assert message.startswith("Readiness probe failed")
    assert message.endswith("context deadline exceeded")


def test_a_new_pod_is_ready_for_a_while_and_cured_of_nothing() -> None:
    world = starved()
    after = apply(world, [Restart(target=cart())])
    assert assess(world, after, ROLLOUT).probes_pass
    assert not assess(world, after, ROLLOUT).verified
    assert not assess(world, after_seconds(after, 300), ROLLOUT).probes_pass


def test_more_pods_do_not_make_the_old_ones_ready_while_there_is_too_much_for_all() -> None:
    world = starved()
    after = apply(world, [Scale(target=cart(), replicas=3)])
    assert snapshot_of(after).replicas.ready == 1
    assert not assess(world, after, ROLLOUT).probes_pass


@pytest.mark.parametrize("action", [Scale(target=cart(), replicas=12), Rollback(target=cart())])
def test_it_is_ready_again_when_it_can_do_what_comes_in(action: Action) -> None:
    world = starved()
    assert assess(world, apply(world, [action]), [ANSWERS, *ROLLOUT]).verified


def test_a_patient_probe_gets_its_answer() -> None:
    patient = PatchProbe(target=cart(), container="server", probe="readiness", timeout_seconds=60)
    assert assess(starved(), after_seconds(apply(starved(), [patient]), 300), ROLLOUT).probes_pass


def test_a_world_made_of_what_was_read_is_as_old() -> None:
    world = starved()
    live = snapshot_of(world)
    again = world_from_snapshot(live, world.ground_truth)
    assert snapshot_differences(live, snapshot_of(again)) == ()
    assert not assess(again, apply(again, [Scale(target=cart(), replicas=3)]), ROLLOUT).probes_pass
