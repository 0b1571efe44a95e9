"""Of which templates the pods of a live state are, and what their history is."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from reme_lab.simulator.api_defaults import with_defaults
from reme_lab.simulator.program import Stress
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
    kept = {key: value for key, value in labels.items() if key not in _HASHES}
    return with_defaults({**template, "metadata": {**metadata, "labels": kept}})


def revision_history(live: ClusterSnapshot) -> tuple[Json, tuple[Revision, ...]]:
    """Return the current template and the revisions, where equal templates are one object."""
    known: list[Json] = [_plain(live.template)]

    def one(template: Json) -> Json:
        bare = _plain(template)
        same = next((k for k in known if k == bare), None)
        if same is None:
            known.append(bare)
            return bare
        return same

    return known[0], tuple(replace(r, template=one(r.template)) for r in live.revisions)


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

    With `at_once`, those of which no container has started are still to start.
    """
    found = [(key.name, pod) for key, pod in live.objects.items() if key.kind == "Pod"]
    found.sort(
        key=lambda pair: (unstructured.text(pair[1], "metadata", "creationTimestamp"), pair[0])
    )
    for name, pod in found:
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
        unstructured.number(one, "restartCount") or not {"running", "terminated"}.isdisjoint(state)
        for one in statuses
        for state in [unstructured.mapping(one, "state")]
    )


def _template(pod: Json, templates: list[Json], live: ClusterSnapshot) -> Json:
    """Return the template that a pod was made of."""
    hashed = unstructured.strings(pod, "metadata", "labels").get("pod-template-hash")
    for place, revision in enumerate(live.revisions):
        labels = unstructured.strings(revision.template, "metadata", "labels")
        if hashed and labels.get("pod-template-hash") == hashed:
            return templates[place + 1]
    own = _told(pod)
    likeness = [_alike(own, _told(template)) for template in templates]
    return templates[likeness.index(max(likeness))]


def _told(found: Json) -> dict[str, Any]:
    """Return what tells the pods of two templates apart, by dotted path."""
    told: dict[str, Any] = {}
    for kind in ("containers", "initContainers"):
        for container in unstructured.items(found, "spec", kind):
            for field in ("image", "command", "args", "env", "resources", "ports"):
                told[f"{kind}.{container.get('name')}.{field}"] = container.get(field) or None
    for field in ("nodeSelector", "affinity", "dnsPolicy", "dnsConfig", "hostNetwork"):
        told[field] = unstructured.at(found, "spec", field) or None
    annotations = unstructured.strings(found, "metadata", "annotations")
    told["restarted"] = [annotations.get(name) for name in RESTART_ANNOTATIONS]
    # Without what admission adds to every pod.
    volumes = [v for v in unstructured.items(found, "spec", "volumes") if not _is_token(v)]
    told["volumes"] = volumes or None
    return told


def _is_token(volume: Json) -> bool:
    return unstructured.text(volume, "name").startswith("kube-api-access-")


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    same = sum(1 for k in one if one[k] == other.get(k))
    return same - len(one.keys() ^ other.keys())


def replica_sets_of(templates: list[Json], pods: Iterable[Pod]) -> tuple[ReplicaSet, ...]:
    """Return the ReplicaSets that have pods, oldest first."""
    counted: dict[int, ReplicaSet] = {}
    for pod in pods:
        known = counted.get(id(pod.template), ReplicaSet(pod.template, 0))
        counted[id(pod.template)] = known._replace(size=known.size + 1)
    # Oldest first; the current one is the first of the templates.
    order = {id(template): -place for place, template in enumerate(templates)}
    return tuple(sorted(counted.values(), key=lambda one: order[id(one.template)]))


def epoch_seconds(text: str) -> int:
    """Return a moment in seconds since 1970; 0 for what is none."""
    try:
        return int(datetime.fromisoformat(text).timestamp()) if text else 0
    except ValueError:
        return 0
