"""Parses objects of the API server into the parts of a snapshot. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from reme_api.diagnosis_report import TargetKind
from reme_api.parsing import parse_int
from reme_kube.events import last_seen
from reme_kube.resources import Json
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.quantity import cpu_millicores, memory_bytes
from reme_playbook.snapshot.snapshot import EventLine, Revision, Usage

_REVISION = "deployment.kubernetes.io/revision"
_CONTAINER = re.compile(r"spec\.containers\{([-a-z0-9]{1,63})\}")
_DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"


def by_ref(
    kind: str, namespace: str, items: Iterable[Mapping[str, Any]]
) -> dict[ObjectRef, Mapping[str, Any]]:
    """Return the objects of one kind by their reference, without names that no action can use."""
    refs = ((_ref(kind, namespace, item), item) for item in items)
    return {ref: item for ref, item in refs if ref is not None}


def neighbour_labels(
    workloads: Iterable[Json], target: ObjectRef
) -> dict[ObjectRef, dict[str, str]]:
    """Return the pod labels of every other workload of the target's namespace."""
    refs = ((_ref(unstructured.text(w, "kind"), target.namespace, w), w) for w in workloads)
    return {
        ref: unstructured.strings(workload, "spec", "template", "metadata", "labels")
        for ref, workload in refs
        if ref is not None and ref != target
    }


def container_usage(pod_metrics: Iterable[Json]) -> dict[tuple[str, str], Usage]:
    """Return the usage of each container by pod and container name."""
    usage = {}
    for pod in pod_metrics:
        for container in unstructured.items(pod, "containers"):
            names = unstructured.text(pod, "metadata", "name"), unstructured.text(container, "name")
            try:
                usage[names] = Usage(
                    cpu_millicores(unstructured.text(container, "usage", "cpu")),
                    memory_bytes(unstructured.text(container, "usage", "memory")),
                )
            except ValueError:
                continue
    return usage


def parse_revisions(items: Iterable[Json], kind: TargetKind) -> Iterator[Revision]:
    """Yield the revisions that ReplicaSets (of a Deployment) or ControllerRevisions hold."""
    for item in items:
        if kind is TargetKind.DEPLOYMENT:
            annotations = unstructured.strings(item, "metadata", "annotations")
            number = parse_int(annotations.get(_REVISION, ""))
            template = unstructured.mapping(item, "spec", "template")
            replicas = parse_int(annotations.get(_DESIRED_REPLICAS, ""))
        else:
            number, replicas = unstructured.number(item, "revision"), None
            template = unstructured.mapping(item, "data", "spec", "template")
        if number is not None and template:
            yield Revision(
                number=number,
                template=template,
                created=unstructured.text(item, "metadata", "creationTimestamp"),
                replicas=replicas,
            )


def parse_event(event: Json, now: datetime) -> EventLine:
    """Return an event as a line; without an age when it has no readable time."""
    time = last_seen(event)
    return EventLine(
        kind=unstructured.text(event, "involvedObject", "kind"),
        name=unstructured.text(event, "involvedObject", "name"),
        reason=unstructured.text(event, "reason"),
        message=unstructured.text(event, "message"),
        count=unstructured.number(event, "count", default=1),
        warning=unstructured.text(event, "type") == "Warning",
        age_seconds=max(0, int((now - time).total_seconds())) if time else None,
        container=_container(unstructured.text(event, "involvedObject", "fieldPath")),
    )


def _container(field_path: str) -> str:
    """Return the container that an event is about: `spec.containers{server}` is server's."""
    match = _CONTAINER.fullmatch(field_path)
    return match[1] if match else ""


def _ref(kind: str, namespace: str, item: Mapping[str, Any]) -> ObjectRef | None:
    try:
        return ObjectRef(kind, namespace, unstructured.text(item, "metadata", "name"))  # type: ignore[arg-type]
    except ValidationError:
        return None  # a name that no action can use
