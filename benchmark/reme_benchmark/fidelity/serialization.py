"""Converts the inputs of a trial to JSON and back."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from reme_api.probes import Probe
from reme_benchmark.fidelity.records import Inputs
from reme_playbook.actions.registry import ACTIONS
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.siblings import Sibling
from reme_playbook.snapshot.snapshot import Callee, ClusterSnapshot, EventLine, Revision, Usage

Json = dict[str, Any]

_KEY = TypeAdapter(ObjectRef)
_SIBLINGS = TypeAdapter(tuple[tuple[ObjectRef, Sibling], ...])
_PROBES = TypeAdapter(tuple[Probe, ...])


def inputs_to_json(inputs: Inputs) -> Json:
    """Return the inputs as JSON."""
    return {
        "fault": inputs.fault,
        "service": inputs.service,
        "system": inputs.system,
        "values": inputs.values,
        "pod": inputs.pod,
        "healthy": snapshot_to_json(inputs.healthy),
        "live": snapshot_to_json(inputs.live),
        "others": [_without_managed_fields(other) for other in inputs.others],
        "probes": [probe.wire() for probe in inputs.probes],
        "actions": ACTIONS.dump_python(inputs.actions, mode="json"),
        "policies_enforced": inputs.policies_enforced,
        "metrics": inputs.metrics,
        "patience_seconds": inputs.patience_seconds,
        "after": snapshot_to_json(inputs.after) if inputs.after else None,
    }


def inputs_from_json(data: Json) -> Inputs:
    """Parse the result of `inputs_to_json`."""
    after = data["after"]
    return Inputs(
        **{
            **data,
            "healthy": snapshot_from_json(data["healthy"]),
            "live": snapshot_from_json(data["live"]),
            "others": tuple(data["others"]),
            "probes": _PROBES.validate_python(data["probes"]),
            "actions": ACTIONS.validate_python(data["actions"]),
            "after": snapshot_from_json(after) if after else None,
        }
    )


def snapshot_to_json(snapshot: ClusterSnapshot) -> Json:
    """Return a snapshot as JSON, without managed fields."""
    return {
        "target": _key(snapshot.target),
        "objects": [
            [_key(key), _without_managed_fields(item)] for key, item in snapshot.objects.items()
        ],
        "neighbours": [[_key(key), dict(labels)] for key, labels in snapshot.neighbours.items()],
        "revisions": [vars(one) for one in snapshot.revisions],
        "events": [vars(one) for one in snapshot.events],
        "usage": [[*place, *use] for place, use in snapshot.usage.items()],
        "service_names": list(snapshot.service_names),
        "callers": [_key(key) for key in snapshot.callers],
        "callees": [[one.service, dict(one.labels), list(one.ports)] for one in snapshot.callees],
        "node_labels": None
        if snapshot.node_labels is None
        else sorted(map(list, snapshot.node_labels)),
        "siblings": _SIBLINGS.dump_python(tuple(snapshot.siblings.items()), mode="json"),
    }


def snapshot_from_json(data: Json) -> ClusterSnapshot:
    """Parse the result of `snapshot_to_json`."""
    labels = data["node_labels"]
    return ClusterSnapshot(
        target=_KEY.validate_python(data["target"]),
        objects={_KEY.validate_python(key): one for key, one in data["objects"]},
        neighbours={_KEY.validate_python(key): one for key, one in data["neighbours"]},
        revisions=tuple(Revision(**one) for one in data["revisions"]),
        events=tuple(EventLine(**one) for one in data["events"]),
        usage={(pod, name): Usage(cpu, memory) for pod, name, cpu, memory in data["usage"]},
        service_names=tuple(data["service_names"]),
        callers=tuple(map(_KEY.validate_python, data["callers"])),
        callees=tuple(Callee(name, of, tuple(ports)) for name, of, ports in data["callees"]),
        node_labels=None if labels is None else frozenset((key, value) for key, value in labels),
        # Trials that were recorded earlier have none.
        siblings=dict(_SIBLINGS.validate_python(data.get("siblings", ()))),
    )


def _key(key: ObjectRef) -> Json:
    return {"kind": key.kind, "namespace": key.namespace, "name": key.name}


def _without_managed_fields(item: Mapping[str, Any]) -> Json:
    metadata = {k: v for k, v in item.get("metadata", {}).items() if k != "managedFields"}
    return {**item, "metadata": metadata}
