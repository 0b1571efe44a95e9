"""Pods that cannot be scheduled."""

from collections.abc import Sequence

from reme_lab.incidents.broken_system import BrokenSystem, EvidenceText, FaultMaker, Repair, expect
from reme_lab.incidents.faults.common import (
    RESTART,
    ROLL_BACK,
    SCALE,
    stick_unscheduled,
    unscheduled_rollout,
)
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_playbook.actions.node import RemoveTaint, UncordonNode
from reme_playbook.actions.node_selector import PatchNodeSelector


def _matched_by_none(rng: Rng, system: System) -> None:
    nodes = rng.integer(1, 6)
    stick_unscheduled(
        system,
        f"0/{nodes} nodes are available: {nodes} node(s) didn't match Pod's node "
        f"affinity/selector.",
    )


def node_selector(rng: Rng, system: System) -> BrokenSystem:
    """No node matches the node selector."""
    key = rng.choice(("pool", "storage", "hardware", "rack", "tier", "cpu-family"))
    value = rng.parameter(("flash", "bigmem", "r12", "turbo", "gold", "arm", "edge", "dense"))

    def change(template: Json, _: Json) -> None:
        template["spec"]["nodeSelector"] = {key: value}

    system.roll_out(change)
    _matched_by_none(rng, system)
    return unscheduled_rollout(
        rng,
        system,
        ("node-selector", "unschedulable", "pending-pod", "no-matching-node", "failed-scheduling"),
        (
            "{name} [insists on|wants|asks for] nodes with {key}={value}; [there are "
            "none|none has it]."
        ),
        (ROLL_BACK, (expect(PatchNodeSelector),)),
        {"key": key, "value": value},
    )


def node_affinity(rng: Rng, system: System) -> BrokenSystem:
    """No node matches the node affinity."""
    key = rng.choice(
        ("topology.kubernetes.io/zone", "topology.kubernetes.io/region", "node.example/class")
    )
    value = rng.parameter(
        ("north-1", "west-4", "dc-3", "lab", "zone-q", "antarctica-1", "z9", "mars-2")
    )
    term = {"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]}

    def change(template: Json, _: Json) -> None:
        required = {"nodeSelectorTerms": [term]}
        template["spec"]["affinity"] = {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}
        }

    system.roll_out(change)
    _matched_by_none(rng, system)
    return unscheduled_rollout(
        rng,
        system,
        ("node-affinity", "unschedulable", "pending-pod", "affinity-mismatch", "failed-scheduling"),
        "{name} [must|wants to] [run|live] in {value}, [where no node is|which has no nodes].",
        (ROLL_BACK,),
        {"key": key, "value": value},
    )


def cordoned_node(rng: Rng, system: System) -> BrokenSystem:
    """A node is cordoned, and no other node takes the pods."""
    node, total = _node(rng, system), rng.integer(1, 4)
    system.related_objects[system.object_ref("Node", node)]["spec"] = {"unschedulable": True}
    _displace(rng, system, f"0/{total} nodes are available: {total} node(s) were unschedulable.")
    return _no_place(
        rng,
        system,
        ("cordoned-node", "unschedulable", "node-cordoned", "pending-pod", "scheduling-disabled"),
        (
            "[Node|Machine] {node} [is cordoned|has scheduling disabled|takes nobody], [its "
            "maintenance is over|nobody uncordoned it]."
        ),
        ((expect(UncordonNode, node),),),
        {"node": node},
    )


def tainted_node(rng: Rng, system: System) -> BrokenSystem:
    """A node has a taint that the pods do not tolerate."""
    node, total = _node(rng, system), rng.integer(1, 4)
    key = rng.parameter(
        ("drain", "reserved", "burn-in", "patching", "quarantine", "team", "spot", "legacy")
    )
    effect = rng.choice(("NoSchedule", "NoSchedule", "NoExecute"))
    taint = {"key": key, "value": rng.choice(("true", "yes", "1")), "effect": effect}
    system.related_objects[system.object_ref("Node", node)]["spec"] = {"taints": [taint]}
    _displace(
        rng,
        system,
        (
            f"0/{total} nodes are available: {total} node(s) had untolerated taint {{{key}: "
            f"{taint['value']}}}."
        ),
    )
    return _no_place(
        rng,
        system,
        ("tainted-node", "unschedulable", "node-taint", "pending-pod", "untolerated-taint"),
        "[Taint|The taint] {key} on {node} [keeps {name} away|is left over|was forgotten].",
        ((expect(RemoveTaint, node),),),
        {"node": node, "key": key},
    )


def _node(rng: Rng, system: System) -> str:
    node = f"{rng.choice(('worker', 'node', 'ip-10-1', 'k8s', 'vm'))}-{rng.integer(1, 40)}"
    labels = {"kubernetes.io/hostname": node, "kubernetes.io/os": "linux"}
    system.related_objects[system.object_ref("Node", node)] = {
        "metadata": {"name": node, "labels": labels},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    system.node_labels = frozenset(labels.items())
    return node


def _displace(rng: Rng, system: System, why: str) -> None:
    """Make some or all pods unschedulable."""
    waiting = rng.integer(1, system.replicas)
    scheduled = system.pods[: system.replicas - waiting]
    system.pods = scheduled
    for _ in range(waiting):
        system.pods.append(system.new_pod(ready=False, phase="Pending", state={}, unscheduled=why))
    system.add_event("FailedScheduling", why, rng.integer(1, 10))


def _no_place(
    rng: Rng,
    system: System,
    types: Sequence[str],
    summary: str,
    repairs: Sequence[Repair],
    values: dict[str, object],
) -> BrokenSystem:
    return BrokenSystem(
        system,
        fault_types=types,
        summaries=(summary, f"{{pod}} [is pending|waits|finds no place]. {summary}"),
        terse_summaries=("{name} [pending|homeless|not placed]",),
        wrong_diagnoses=(
            ("oversized-request", "{name} [asks for|wants] [too much|more than a node has]."),
            ("node-pressure", "{name} is pending, [no memory is left|the cluster is full]."),
            ("image-pull-error", "{name} waits for an image."),
        ),
        evidence=(
            EvidenceText("Event", "Pod/{pod}", "FailedScheduling"),
            EvidenceText("Text", "Node/{node}", "[SchedulingDisabled|not accepting pods]"),
        ),
        user_impact="" if any(p.ready for p in system.pods) else "refused",
        repairs=repairs,
        useless_repairs=(RESTART, SCALE, ROLL_BACK),
        text_values={**values, "pod": system.pods[-1].name, "minutes": rng.integer(1, 50)},
    )


FAULTS: dict[str, FaultMaker] = {
    "node-selector": node_selector,
    "node-affinity": node_affinity,
    "cordoned-node": cordoned_node,
    "tainted-node": tainted_node,
}
