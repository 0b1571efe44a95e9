"""Recovers templates, revisions, pods and ReplicaSets of the target from a snapshot."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from reme_lab.simulator.program import Stress
from reme_lab.simulator.revisions import with_defaults
from reme_lab.simulator.template_facts import template_facts
from reme_lab.simulator.world import Pod, ReplicaSet
from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.pod_template import RESTART_ANNOTATIONS
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Revision

Json = Mapping[str, Any]

_HASHES = ("pod-template-hash", "controller-revision-hash", "pod-template-generation")


def _plain(template: Json) -> Json:
    labels = unstructured.strings(template, "metadata", "labels")
    metadata = {
        key: value
        for key, value in unstructured.mapping(template, "metadata").items()
        if key != "creationTimestamp"
    }
    own_labels = {key: value for key, value in labels.items() if key not in _HASHES}
    return with_defaults({**template, "metadata": {**metadata, "labels": own_labels}})


def revision_history(live: ClusterSnapshot) -> tuple[Json, tuple[Revision, ...]]:
    """Return the current template and the revisions; equal templates become one object."""
    templates: list[Json] = [_plain(live.template)]

    def canonical(template: Json) -> Json:
        plain = _plain(template)
        existing = next((k for k in templates if k == plain), None)
        if existing is None:
            templates.append(plain)
            return plain
        return existing

    return templates[0], tuple(replace(r, template=canonical(r.template)) for r in live.revisions)


def pods_of(
    live: ClusterSnapshot,
    templates: list[Json],
    configs: Mapping[str, Json],
    stresses: Mapping[str, Stress],
    clock: int,
    *,
    at_once: bool,
) -> Iterator[Pod]:
    """Yield the pods of the target, oldest first.

    With `at_once`, pods of which no container has started are still starting.
    """
    pod_objects = [(key.name, pod) for key, pod in live.objects.items() if key.kind == "Pod"]
    pod_objects.sort(
        key=lambda pair: (unstructured.text(pair[1], "metadata", "creationTimestamp"), pair[0])
    )
    for name, pod in pod_objects:
        if unstructured.text(pod, "metadata", "deletionTimestamp"):
            continue
        template = _template(pod, templates, live)
        view = views.pod(pod)
        placed = "" if view.unscheduled else unstructured.text(pod, "spec", "nodeName") or "node-1"
        born = epoch_seconds(unstructured.text(pod, "metadata", "creationTimestamp"))
        yield Pod(
            name=name,
            owner=live.target,
            template=template,
            created=born or clock - 600,
            config_maps=tuple(configs.get(n) for n in template_facts(template).config_maps),
            node=placed,
            unschedulable=view.unscheduled,
            stress=stresses.get(name),
            initialized=view.ready,
            starting=at_once and not _has_started(pod),
        )


def _has_started(pod: Json) -> bool:
    statuses = unstructured.items(pod, "status", "containerStatuses")
    return any(
        unstructured.number(container_status, "restartCount")
        or not {"running", "terminated"}.isdisjoint(state)
        for container_status in statuses
        for state in [unstructured.mapping(container_status, "state")]
    )


def _template(pod: Json, templates: list[Json], live: ClusterSnapshot) -> Json:
    """Return the template from which a pod was created."""
    hashed = unstructured.strings(pod, "metadata", "labels").get("pod-template-hash")
    for place, revision in enumerate(live.revisions):
        labels = unstructured.strings(revision.template, "metadata", "labels")
        if hashed and labels.get("pod-template-hash") == hashed:
            return templates[place + 1]
    own = _distinguishing_fields(pod)
    likeness = [_similarity(own, _distinguishing_fields(template)) for template in templates]
    return templates[likeness.index(max(likeness))]


def _distinguishing_fields(template: Json) -> dict[str, Any]:
    """Return the fields that distinguish the pods of two templates, by dotted path."""
    fields: dict[str, Any] = {}
    for kind in ("containers", "initContainers"):
        for container in unstructured.items(template, "spec", kind):
            for field in ("image", "command", "args", "env", "resources", "ports"):
                fields[f"{kind}.{container.get('name')}.{field}"] = container.get(field) or None
    for field in ("nodeSelector", "affinity", "dnsPolicy", "dnsConfig", "hostNetwork"):
        fields[field] = unstructured.at(template, "spec", field) or None
    annotations = unstructured.strings(template, "metadata", "annotations")
    fields["restarted"] = [annotations.get(name) for name in RESTART_ANNOTATIONS]
    # Without the volumes that admission adds to every pod.
    volumes = [v for v in unstructured.items(template, "spec", "volumes") if not _is_token(v)]
    fields["volumes"] = volumes or None
    return fields


def _is_token(volume: Json) -> bool:
    return unstructured.text(volume, "name").startswith("kube-api-access-")


def _similarity(first: Mapping[str, Any], second: Mapping[str, Any]) -> int:
    same = sum(1 for k in first if first[k] == second.get(k))
    return same - len(first.keys() ^ second.keys())


def replica_sets_of(templates: list[Json], pods: Iterable[Pod]) -> tuple[ReplicaSet, ...]:
    """Return the ReplicaSets that have pods, oldest first."""
    counted: dict[int, ReplicaSet] = {}
    for pod in pods:
        counted_set = counted.get(id(pod.template), ReplicaSet(pod.template, 0))
        counted[id(pod.template)] = counted_set._replace(size=counted_set.size + 1)
    # Templates are ordered from the current one to the oldest.
    order = {id(template): -place for place, template in enumerate(templates)}
    return tuple(sorted(counted.values(), key=lambda one: order[id(one.template)]))


def epoch_seconds(text: str) -> int:
    """Return a time in seconds since 1970; 0 for an invalid one."""
    try:
        return int(datetime.fromisoformat(text).timestamp()) if text else 0
    except ValueError:
        return 0
