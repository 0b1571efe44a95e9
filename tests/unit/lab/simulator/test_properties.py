"""Properties of every world and every action that validation accepts."""

import random
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_lab.fidelity import snapshot_differences, world_from_snapshot
from reme_lab.simulator import World, apply, assess, disruption, snapshot_of
from reme_lab.simulator.settling import settle
from reme_model.prompt.context import describe_incident
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.registry import Action
from reme_playbook.actions.restart import Restart
from reme_playbook.execution.capture import capture
from reme_playbook.execution.rollback import plan_rollback
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.unit.lab.simulator.break_catalog import BREAKS
from tests.unit.lab.simulator.test_kinds import bad_image
from tests.unit.lab.simulator.worlds import ANSWERS, EVERYTHING, lab, rollout

PROBES = [ANSWERS, rollout()]
MORE = {
    f"{kind} {name}": (kind, make)
    for kind in ("StatefulSet", "DaemonSet", "Deployment")
    for name, make in (("healthy", lambda world: world), ("bad image", bad_image))
}
NAMES = [*(b.name for b in BREAKS), *MORE]


@cache
def broken(name: str) -> World:
    if name in MORE:
        kind, make = MORE[name]
        return make(lab(kind))
    return next(b.world() for b in BREAKS if b.name == name)


@cache
def snapshot_and_actions(name: str) -> tuple[ClusterSnapshot, tuple[Action, ...]]:
    live = snapshot_of(broken(name))
    return live, allowed_actions(live, EVERYTHING)


worlds = st.sampled_from(NAMES)


@settings(max_examples=150, deadline=None)
@given(name=worlds, seed=st.integers(0, 2**32), steps=st.integers(1, 4))
def test_any_run_of_admissible_actions_ends_in_a_settled_world(
    name: str, seed: int, steps: int
) -> None:
    world, draw = broken(name), random.Random(seed)
    for _ in range(steps):
        live = snapshot_of(world)
        possible = allowed_actions(live, EVERYTHING)
        if not possible:
            break
        actions = draw.sample(possible, min(len(possible), draw.randint(1, 3)))
        after = apply(world, actions)
        again = settle(after)
        assert (again.pods, again.objects) == (after.pods, after.objects)
        verdict = assess(world, after, PROBES)
        assert verdict.verified is not bool(verdict.missing)
        assert disruption(world, actions) >= 0
        assert all(probe.passed for probe in verdict.probes) or not verdict.verified
        world = after


@settings(max_examples=100, deadline=None)
@given(name=worlds, seed=st.integers(0, 2**32))
def test_what_is_observed_can_be_described_and_chosen_from(name: str, seed: int) -> None:
    world = broken(name)
    _, possible = snapshot_and_actions(name)
    if possible:
        world = apply(world, [random.Random(seed).choice(possible)])
    live = snapshot_of(world)
    report = DiagnosisReportSpec.model_validate(
        {
            "target": {"kind": live.target.kind, "name": live.target.name},
            "fault": {"type": "something", "summary": "something is wrong"},
        }
    )
    assert f"target: {live.target.kind} cart" in describe_incident(live, report)
    assert live.history
    allowed_actions(live, EVERYTHING)


@settings(max_examples=150, deadline=None)
@given(name=worlds, seed=st.integers(0, 2**32))
def test_a_rollback_restores_every_object(name: str, seed: int) -> None:
    world = broken(name)
    live, possible = snapshot_and_actions(name)
    chosen = [a for a in possible if not isinstance(a, DeletePod)]
    if not chosen:
        return
    action = random.Random(seed).choice(chosen)
    remembered = capture([action], live)
    after = apply(world, [action])
    plan = plan_rollback(remembered, snapshot_of(after, also=[action.target]))
    back = apply(after, plan.actions)
    assert not plan.conflicts
    for key, stored in world.objects.items():
        now = back.objects[key]
        if "template" in stored.get("spec", {}):
            assert digest(now["spec"]["template"]) == digest(stored["spec"]["template"])
            assert _but_template(now) == _but_template(stored)
        else:
            assert _bare(now.get("spec", now)) == _bare(stored.get("spec", stored))
    assert isinstance(action, Restart) or plan.actions


def _but_template(stored: object) -> object:
    assert isinstance(stored, dict)
    return _bare({k: v for k, v in stored["spec"].items() if k != "template"})


def _bare(value: object) -> object:
    """Return the value without parts that are off or empty, which equal missing ones."""
    if isinstance(value, dict):
        return {k: _bare(v) for k, v in value.items() if v not in (None, False, [], {})}
    return [_bare(v) for v in value] if isinstance(value, list) else value


@settings(max_examples=len(NAMES) * 2, deadline=None)
@given(name=worlds)
def test_a_world_made_of_what_was_observed_has_the_same_snapshot(name: str) -> None:
    world = broken(name)
    live, _ = snapshot_and_actions(name)
    stresses = {p.name: p.stress for p in world.pods.get(world.target, ()) if p.stress}
    again = world_from_snapshot(live, world.ground_truth, stresses=stresses)
    assert snapshot_differences(live, snapshot_of(again)) == ()
