"""Workloads next to the target that share an image or a label with it: how they are set up.

What a sibling has is evidence: a probe that works for the same program, or a port that the pods of
another workload do not have although a Service leads there.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.object_ref import ObjectRef

MOST = 16

Json = Mapping[str, Any]


class Sibling(NamedTuple):
    """The containers of another workload, and whether all of its pods are ready."""

    containers: tuple[views.ContainerView, ...]
    healthy: bool


def siblings(
    workloads: Iterable[Json], target: ObjectRef, template: Json
) -> dict[ObjectRef, Sibling]:
    """Return the siblings of the target by reference, at most 16; those of its image first."""
    images = {repository(view.image) for view in views.template_containers(template)}
    labels = set(unstructured.strings(template, "metadata", "labels").items())
    related: list[tuple[bool, ObjectRef, Sibling]] = []
    for item in workloads:
        for ref in _ref(item, target.namespace):
            if ref == target:
                continue
            other = unstructured.mapping(item, "spec", "template")
            containers = views.template_containers(other)
            has_image = any(repository(view.image) in images for view in containers)
            shared = unstructured.strings(other, "metadata", "labels").items() & labels
            if has_image or shared:
                related.append((not has_image, ref, Sibling(containers, _is_healthy(item))))
    return {ref: sibling for _, ref, sibling in sorted(related, key=lambda r: r[:2])[:MOST]}


def repository(image: str) -> str:
    """Return the last part of an image's name, without registry, tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _is_healthy(workload: Json) -> bool:
    count = views.replicas(workload)
    return count.desired > 0 and min(count.ready, count.updated) >= count.desired


def _ref(item: Json, namespace: str) -> Iterator[ObjectRef]:
    kind, name = unstructured.text(item, "kind"), unstructured.text(item, "metadata", "name")
    try:
        yield ObjectRef(kind, namespace, name)  # type: ignore[arg-type]
    except ValidationError:
        return  # no action can name it
