"""An in-memory cluster: applies actions, says what probes would see, and whether it helped.

    world = make(target, manifests, Truths(programs={target: Program(...)}))
    world = with_rules(world, target, rule(is_one_of("image", "shop/cart:2"), error_percent=100))
    world = in_container(world, target, "server", (("image",), "shop/cart:2"))
    live = observe(world)
    after = apply(world, actions)
    verdict = judge(world, after, probes)

A world is made healthy, then broken: a change of its objects, a truth about a program, a stress in
a pod. All is immutable: a broken world shares what it has in common with the healthy one, and JSON
that was given to it must never be changed in place.
"""

from reme_lab.fidelity.inferred_objects import inferred
from reme_lab.fidelity.snapshot_world import disagreements, world_from_snapshot
from reme_lab.simulator.apply_actions import apply
from reme_lab.simulator.probes import ProbeSample, sample
from reme_lab.simulator.program import (
    Behaviour,
    Call,
    NumericSetting,
    Program,
    RecurringStress,
    Rule,
    Stress,
    When,
    is_none_of,
    is_one_of,
    rule,
)
from reme_lab.simulator.snapshot import observe
from reme_lab.simulator.verdict import Verdict, cost, disruption, failing, judge
from reme_lab.simulator.world import EntryPoint, GroundTruth, Pod, Tolerance, World
from reme_lab.simulator.world_builder import (
    changed,
    in_container,
    later,
    make,
    remembered,
    replaced_pods,
    with_ground_truth,
    with_object,
    with_program,
    with_rules,
    with_stress,
)

__all__ = [
    "Behaviour",
    "Call",
    "EntryPoint",
    "GroundTruth",
    "NumericSetting",
    "Pod",
    "ProbeSample",
    "Program",
    "RecurringStress",
    "Rule",
    "Stress",
    "Tolerance",
    "Verdict",
    "When",
    "World",
    "apply",
    "changed",
    "cost",
    "disagreements",
    "disruption",
    "failing",
    "in_container",
    "inferred",
    "is_none_of",
    "is_one_of",
    "judge",
    "later",
    "make",
    "observe",
    "remembered",
    "replaced_pods",
    "rule",
    "sample",
    "with_ground_truth",
    "with_object",
    "with_program",
    "with_rules",
    "with_stress",
    "world_from_snapshot",
]
