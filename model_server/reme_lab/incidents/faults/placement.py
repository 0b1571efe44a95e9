"""Pods that no node takes."""

from collections.abc import Sequence

from reme_lab.incidents.broken_system import Clue, Incident, Maker, Repair, wish
from reme_lab.incidents.faults.common import BACK, RESTART, SCALE, pending, unplaced
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import Json, System
from reme_playbook.actions.registry import PatchNodeSelector, RemoveTaint, UncordonNode


def _matched_by_none(draw: Draw, system: System) -> None:
    nodes = draw.number(1, 6)
    pending(
        system,
        f"0/{nodes} nodes are available: {nodes} node(s) didn't match Pod's node "
        f"affinity/selector.",
    )


def node_selector(draw: Draw, system: System) -> Incident:
    """A node selector that no node matches."""
    key = draw.one(("pool", "storage", "hardware", "rack", "tier", "cpu-family"))
    value = draw.parameter(("flash", "bigmem", "r12", "turbo", "gold", "arm", "edge", "dense"))

    def change(template: Json, _: Json) -> None:
        template["spec"]["nodeSelector"] = {key: value}

    system.roll(change)
    _matched_by_none(draw, system)
    return unplaced(
        draw,
        system,
        ("node-selector", "unschedulable", "pending-pod", "no-matching-node", "failed-scheduling"),
        (
            "{name} [insists on|wants|asks for] nodes with {key}={value}; [there are "
            "none|none has it]."
        ),
        (BACK, (wish(PatchNodeSelector),)),
        {"key": key, "value": value},
    )


def node_affinity(draw: Draw, system: System) -> Incident:
    """A node affinity that no node matches."""
    key = draw.one(
        ("topology.kubernetes.io/zone", "topology.kubernetes.io/region", "node.example/class")
    )
    value = draw.parameter(
        ("north-1", "west-4", "dc-3", "lab", "zone-q", "antarctica-1", "z9", "mars-2")
    )
    term = {"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]}

    def change(template: Json, _: Json) -> None:
        required = {"nodeSelectorTerms": [term]}
        template["spec"]["affinity"] = {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}
        }

    system.roll(change)
    _matched_by_none(draw, system)
    return unplaced(
        draw,
        system,
        ("node-affinity", "unschedulable", "pending-pod", "affinity-mismatch", "failed-scheduling"),
        "{name} [must|wants to] [run|live] in {value}, [where no node is|which has no nodes].",
        (BACK,),
        {"key": key, "value": value},
    )


def cordoned_node(draw: Draw, system: System) -> Incident:
    """A node is cordoned, and no other takes the pods."""
    node, total = _node(draw, system), draw.number(1, 4)
    system.around[system.other("Node", node)]["spec"] = {"unschedulable": True}
    _displace(draw, system, f"0/{total} nodes are available: {total} node(s) were unschedulable.")
    return _no_place(
        draw,
        system,
        ("cordoned-node", "unschedulable", "node-cordoned", "pending-pod", "scheduling-disabled"),
        (
            "[Node|Machine] {node} [is cordoned|has scheduling disabled|takes nobody], [its "
            "maintenance is over|nobody uncordoned it]."
        ),
        ((wish(UncordonNode, node),),),
        {"node": node},
    )


def tainted_node(draw: Draw, system: System) -> Incident:
    """A node has a taint that the pods do not tolerate."""
    node, total = _node(draw, system), draw.number(1, 4)
    key = draw.parameter(
        ("drain", "reserved", "burn-in", "patching", "quarantine", "team", "spot", "legacy")
    )
    effect = draw.one(("NoSchedule", "NoSchedule", "NoExecute"))
    taint = {"key": key, "value": draw.one(("true", "yes", "1")), "effect": effect}
    system.around[system.other("Node", node)]["spec"] = {"taints": [taint]}
    _displace(
        draw,
        system,
        (
            f"0/{total} nodes are available: {total} node(s) had untolerated taint {{{key}: "
            f"{taint['value']}}}."
        ),
    )
    return _no_place(
        draw,
        system,
        ("tainted-node", "unschedulable", "node-taint", "pending-pod", "untolerated-taint"),
        "[Taint|The taint] {key} on {node} [keeps {name} away|is left over|was forgotten].",
        ((wish(RemoveTaint, node),),),
        {"node": node, "key": key},
    )


def _node(draw: Draw, system: System) -> str:
    node = f"{draw.one(('worker', 'node', 'ip-10-1', 'k8s', 'vm'))}-{draw.number(1, 40)}"
    labels = {"kubernetes.io/hostname": node, "kubernetes.io/os": "linux"}
    system.around[system.other("Node", node)] = {
        "metadata": {"name": node, "labels": labels},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    system.node_labels = frozenset(labels.items())
    return node


def _displace(draw: Draw, system: System, why: str) -> None:
    """Have some pods, or all, wait for a node."""
    waiting = draw.number(1, system.replicas)
    kept = system.pods[: system.replicas - waiting]
    system.pods = kept
    for _ in range(waiting):
        system.pods.append(system.pod(ready=False, phase="Pending", state={}, unscheduled=why))
    system.event("FailedScheduling", why, draw.number(1, 10))


def _no_place(
    draw: Draw,
    system: System,
    types: Sequence[str],
    summary: str,
    repairs: Sequence[Repair],
    values: dict[str, object],
) -> Incident:
    return Incident(
        system,
        types=types,
        summaries=(summary, f"{{pod}} [is pending|waits|finds no place]. {summary}"),
        terse=("{name} [pending|homeless|not placed]",),
        astray=(
            ("oversized-request", "{name} [asks for|wants] [too much|more than a node has]."),
            ("node-pressure", "{name} is pending, [no memory is left|the cluster is full]."),
            ("image-pull-error", "{name} waits for an image."),
        ),
        clues=(
            Clue("Event", "Pod/{pod}", "FailedScheduling"),
            Clue("Text", "Node/{node}", "[SchedulingDisabled|not accepting pods]"),
        ),
        felt="" if any(p.ready for p in system.pods) else "refused",
        repairs=repairs,
        useless=(RESTART, SCALE, BACK),
        values={**values, "pod": system.pods[-1].name, "minutes": draw.number(1, 50)},
    )


FAULTS: dict[str, Maker] = {
    "node-selector": node_selector,
    "node-affinity": node_affinity,
    "cordoned-node": cordoned_node,
    "tainted-node": tainted_node,
}
