"""Injects faults into a simulated world by the steps of their own files."""

from collections.abc import Mapping
from typing import Any

from reme_benchmark.fidelity.ground_truth import ground_truth, stresses
from reme_benchmark.fidelity.records import Inputs
from reme_benchmark.scenarios.faults.model import Fault, NodeFault, Patch
from reme_benchmark.scenarios.faults.placeholders import fill
from reme_benchmark.scenarios.systems.catalog import load
from reme_lab.simulator import (
    World,
    with_field,
    with_ground_truth,
    with_object,
    with_pods_replaced,
    with_stress,
)
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.unit.benchmark.trials import SYSTEM

_BY = {"containers": "name", "initContainers": "name", "env": "name", "volumes": "name"}
_BY |= {"ports": "containerPort"}


def with_fault(fault: Fault, world: World, trial_inputs: Inputs) -> World:
    """Return the world with the fault in it."""
    known = ground_truth(load(SYSTEM), fault, trial_inputs)
    # The programs of the other workloads are unchanged.
    programs = {key: world.program(key) for key in world.workloads}
    programs[world.target] = known.programs[world.target]
    # The image that the fault names is not in the registry; a cluster shows it by its pods.
    missing = frozenset({f"{trial_inputs.values['image']}{trial_inputs.values.get('tag_end')}"})
    world = with_ground_truth(
        world, programs=programs, missing_images=missing, policies_enforced=True
    )
    for step in fault.inject:
        if step.patch is not None:
            world = _patched(world, step.patch, trial_inputs.values)
        elif step.create is not None:
            world = _created(world, fill(step.create.object, trial_inputs.values))
        elif step.node is not None:
            world = _refused(world, step.node, trial_inputs.values)
        elif step.delete_pods is not None:
            world = with_ground_truth(world, missing_secret_keys=known.missing_secret_keys)
            world = with_pods_replaced(world, world.target)
    for pod, stress in stresses(fault, trial_inputs).items():
        world = with_stress(world, pod, stress)
    return world


def _patched(world: World, step: Patch, values: Mapping[str, Any]) -> World:
    kind: Any = fill(step.kind, values)
    kind, name = values["kind"] if kind == "Workload" else kind, fill(step.name, values)
    if kind == "Secret":
        return world  # the ground truth has the keys that it lost
    key = ObjectRef(kind, world.namespace, name)
    body = fill(step.body, values)
    patched = world.objects[key]
    if step.how == "json":
        for change in body:
            patched = _json_patched(patched, change)
    else:
        patched = _merged(patched, body)
    return with_object(world, key, patched)


def _json_patched(value: Any, change: Mapping[str, Any]) -> Any:
    first, *rest = change["path"].strip("/").split("/")
    step: Any = int(first) if first.isdigit() and isinstance(value, list) else first
    copy = list(value) if isinstance(value, list) else dict(value)
    if rest:
        copy[step] = _json_patched(copy[step], {**change, "path": "/".join(rest)})
    elif change["op"] == "remove":
        del copy[step]
    else:
        copy[step] = change["value"]
    return copy


def _merged(current: Any, body: Any, name: str = "") -> Any:
    """Return the object with a strategic merge patch in it."""
    if isinstance(body, Mapping):
        result = dict(current or {})
        for key, value in body.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = _merged(result.get(key), value, key)
        return result
    by = _BY.get(name)
    if not isinstance(body, list) or by is None:
        return body
    entries = list(current or [])
    for entry in body:
        place = next((n for n, e in enumerate(entries) if e.get(by) == entry.get(by)), None)
        if entry.get("$patch") == "delete":
            entries = [e for e in entries if e.get(by) != entry.get(by)]
        elif place is None:
            entries.append(_merged({}, entry))
        else:
            entries[place] = _merged(entries[place], entry)
    return entries


def _created(world: World, body: dict[str, Any]) -> World:
    kind = body["kind"]
    if kind == "Secret":
        return world
    key = ObjectRef(kind, world.namespace, body["metadata"]["name"])
    return with_object(world, key, body)


def _refused(world: World, step: NodeFault, values: Mapping[str, Any]) -> World:
    for key, node in world.of_kind("Node"):
        spec = dict(node.get("spec") or {})
        if step.cordon:
            spec["unschedulable"] = True
        if step.taint:
            spec["taints"] = [fill(step.taint, values)]
        world = with_field(world, key, spec, "spec")
    return with_pods_replaced(world, world.target)
