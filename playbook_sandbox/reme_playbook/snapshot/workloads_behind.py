"""The workloads behind a Service: those that it selects, else the one that it is named after."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.changes import last_change
from reme_playbook.snapshot.dependency import DependencyWorkload
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.service_hosts import similarity

Json = Mapping[str, Any]

_SIMILAR = 0.6
_MOST = 4


def workloads_behind(
    service: views.ServiceView, namespace: str, workloads: Sequence[Json], pods: Sequence[Json]
) -> tuple[DependencyWorkload, ...]:
    """Return the workloads whose pods a Service selects, the one with the fewest ready pods first.

    If it selects none, the one that it is evidently meant for: with most of its labels, or with a
    similar name.
    """
    selected = [item for item in workloads if _is_selected(item, service.selector)]
    if selected:
        behind = [dependency_workload(item, namespace, pods, selected=True) for item in selected]
        known = [workload for workload in behind if workload is not None]
        return tuple(sorted(known, key=lambda w: w.ready - w.desired))[:_MOST]
    likely = max(workloads, key=lambda item: _likeness(item, service), default=None)
    if likely is None or _likeness(likely, service) < _SIMILAR:
        return ()
    workload = dependency_workload(likely, namespace, (), selected=False)
    labels = _pod_labels(likely)
    lacks = tuple(f"{k}={v}" for k, v in sorted(service.selector.items()) if labels.get(k) != v)
    return (replace(workload, lacks=lacks),) if workload else ()


def dependency_workload(
    manifest: Json, namespace: str, pods: Sequence[Json], *, selected: bool
) -> DependencyWorkload | None:
    """Return the state of a workload; None if no action can name it."""
    try:
        ref = ObjectRef(
            unstructured.text(manifest, "kind"),  # type: ignore[arg-type]
            namespace,
            unstructured.text(manifest, "metadata", "name"),
        )
    except ValidationError:
        return None
    replicas, changed = views.replicas(manifest), last_change(ref, manifest)
    labels = unstructured.strings(manifest, "spec", "selector", "matchLabels")
    own = [
        pod
        for pod in pods
        if labels and views.selects(labels, unstructured.strings(pod, "metadata", "labels"))
    ]
    return DependencyWorkload(
        ref=ref,
        desired=replicas.desired,
        ready=replicas.ready,
        updated=replicas.updated,
        selected=selected,
        changed=changed.at if changed else None,
        trouble=next(_troubles(own), ""),
    )


def _is_selected(workload: Json, selector: Mapping[str, str]) -> bool:
    return views.selects(selector, _pod_labels(workload))


def _pod_labels(workload: Json) -> dict[str, str]:
    return unstructured.strings(workload, "spec", "template", "metadata", "labels")


def _likeness(workload: Json, service: views.ServiceView) -> float:
    name = unstructured.text(workload, "metadata", "name")
    labels = _pod_labels(workload)
    shared = sum(labels.get(key) == value for key, value in service.selector.items())
    return max(similarity(name, service.name), shared / max(len(service.selector), 1))


def _troubles(pods: Iterable[Json]) -> Iterator[str]:
    """Yield why pods are not ready, as the kubelet and the scheduler name it."""
    for pod in map(views.pod, pods):
        if pod.ready or pod.deleting:
            continue
        if pod.unscheduled:
            yield "no node takes a pod"
        for state in pod.containers:
            reason = state.waiting or ("" if state.ready else state.terminated)
            if reason and reason not in ("ContainerCreating", "PodInitializing", "Completed"):
                killed = state.terminated == "OOMKilled" and reason != "OOMKilled"
                yield f"{reason} after OOMKilled" if killed else reason
