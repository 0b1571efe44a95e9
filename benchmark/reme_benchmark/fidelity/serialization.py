"""Writes the inputs of a trial as JSON, and reads them again."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from reme_api.probes import Probe
from reme_benchmark.fidelity.records import Inputs
from reme_playbook.actions.registry import ACTIONS
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import Callee, ClusterSnapshot, EventLine, Revision, Usage

Json = dict[str, Any]

_KEY = TypeAdapter(ObjectRef)
_PROBES = TypeAdapter(tuple[Probe, ...])


def inputs_to_json(inputs: Inputs) -> Json:
    """Return the inputs as plain JSON."""
    return {
        "fault": inputs.fault,
        "service": inputs.service,
        "system": inputs.system,
        "values": inputs.values,
        "pod": inputs.pod,
        "healthy": live_to_json(inputs.healthy),
        "live": live_to_json(inputs.live),
        "others": [_bare(found) for found in inputs.others],
        "probes": [probe.wire() for probe in inputs.probes],
        "actions": ACTIONS.dump_python(inputs.actions, mode="json"),
        "policies_enforced": inputs.policies_enforced,
        "metrics": inputs.metrics,
        "patience_seconds": inputs.patience_seconds,
        "after": live_to_json(inputs.after) if inputs.after else None,
    }


def inputs_from_json(found: Json) -> Inputs:
    """Read what `inputs_to_json` wrote."""
    after = found["after"]
    return Inputs(
        **{
            **found,
            "healthy": live_from_json(found["healthy"]),
            "live": live_from_json(found["live"]),
            "others": tuple(found["others"]),
            "probes": _PROBES.validate_python(found["probes"]),
            "actions": ACTIONS.validate_python(found["actions"]),
            "after": live_from_json(after) if after else None,
        }
    )


def live_to_json(live: ClusterSnapshot) -> Json:
    """Return a live state as plain JSON, without who wrote which field."""
    return {
        "target": _key(live.target),
        "objects": [[_key(key), _bare(found)] for key, found in live.objects.items()],
        "neighbours": [[_key(key), dict(labels)] for key, labels in live.neighbours.items()],
        "revisions": [vars(one) for one in live.revisions],
        "events": [vars(one) for one in live.events],
        "usage": [[*place, *use] for place, use in live.usage.items()],
        "service_names": list(live.service_names),
        "callers": [_key(key) for key in live.callers],
        "callees": [[one.service, dict(one.labels), list(one.ports)] for one in live.callees],
        "node_labels": None if live.node_labels is None else sorted(map(list, live.node_labels)),
    }


def live_from_json(found: Json) -> ClusterSnapshot:
    """Read what `live_to_json` wrote."""
    labels = found["node_labels"]
    return ClusterSnapshot(
        target=_KEY.validate_python(found["target"]),
        objects={_KEY.validate_python(key): one for key, one in found["objects"]},
        neighbours={_KEY.validate_python(key): one for key, one in found["neighbours"]},
        revisions=tuple(Revision(**one) for one in found["revisions"]),
        events=tuple(EventLine(**one) for one in found["events"]),
        usage={(pod, name): Usage(cpu, memory) for pod, name, cpu, memory in found["usage"]},
        service_names=tuple(found["service_names"]),
        callers=tuple(map(_KEY.validate_python, found["callers"])),
        callees=tuple(Callee(name, of, tuple(ports)) for name, of, ports in found["callees"]),
        node_labels=None if labels is None else frozenset((key, value) for key, value in labels),
    )


def _key(key: ObjectRef) -> Json:
    return {"kind": key.kind, "namespace": key.namespace, "name": key.name}


def _bare(found: Mapping[str, Any]) -> Json:
    metadata = {k: v for k, v in found.get("metadata", {}).items() if k != "managedFields"}
    return {**found, "metadata": metadata}
