"""An in-memory cluster: applies actions, answers probes, and assesses the result.

    world = make_world(target, manifests, GroundTruth(programs={target: Program(...)}))
    world = with_rules(world, target, rule(is_one_of("image", "shop/cart:2"), error_percent=100))
    world = with_container_fields(world, target, "server", (("image",), "shop/cart:2"))
    snapshot = snapshot_of(world)
    after = apply(world, actions)
    verdict = assess(world, after, probes)

A world is healthy when it is made, and then broken: by a change of its objects, of a program's
ground truth, or by stress in a pod. Worlds are immutable and share what they have in common, so
JSON passed to them must never be changed in place.
"""

from reme_lab.simulator.apply_actions import apply
from reme_lab.simulator.probes import ProbeSample, sample_probe
from reme_lab.simulator.program import (
    Behaviour,
    BehaviourRule,
    Call,
    NumericSetting,
    Program,
    RecurringStress,
    SettingCondition,
    Stress,
    is_none_of,
    is_one_of,
    rule,
)
from reme_lab.simulator.snapshot import snapshot_of
from reme_lab.simulator.verdict import Verdict, assess, disruption, disruption_between, problems_of
from reme_lab.simulator.world import AllowedDifference, EntryPoint, GroundTruth, Pod, World
from reme_lab.simulator.world_builder import (
    after_seconds,
    make_world,
    mark_healthy,
    with_container_fields,
    with_field,
    with_ground_truth,
    with_object,
    with_pods_replaced,
    with_program,
    with_rules,
    with_stress,
)

__all__ = [
    "AllowedDifference",
    "Behaviour",
    "BehaviourRule",
    "Call",
    "EntryPoint",
    "GroundTruth",
    "NumericSetting",
    "Pod",
    "ProbeSample",
    "Program",
    "RecurringStress",
    "SettingCondition",
    "Stress",
    "Verdict",
    "World",
    "after_seconds",
    "apply",
    "assess",
    "disruption",
    "disruption_between",
    "is_none_of",
    "is_one_of",
    "make_world",
    "mark_healthy",
    "problems_of",
    "rule",
    "sample_probe",
    "snapshot_of",
    "with_container_fields",
    "with_field",
    "with_ground_truth",
    "with_object",
    "with_pods_replaced",
    "with_program",
    "with_rules",
    "with_stress",
]
