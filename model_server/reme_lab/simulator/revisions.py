"""Pod templates of a workload: API defaults, and the history of revisions."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from reme_lab.simulator.identity_cache import cache_by_identity
from reme_lab.simulator.world import World
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import Revision
from reme_playbook.snapshot.views import PROBE_KEYS

Json = Mapping[str, Any]

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_HISTORY = 10


def api_time(clock: int) -> str:
    """Return a time in the format of the API."""
    return datetime.fromtimestamp(clock, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def name_suffix(number: int, length: int) -> str:
    """Return a number in the alphabet of generated names."""
    suffix = ""
    for _ in range(length):
        number, rest = divmod(number, len(_LETTERS))
        suffix += _LETTERS[rest]
    return suffix


@cache_by_identity
def template_hash(template: Json) -> str:
    """Return the pod-template-hash of a template."""
    text = json.dumps(template, sort_keys=True, default=str)
    return name_suffix(zlib.crc32(text.encode()), 6) + name_suffix(zlib.adler32(text.encode()), 3)


@cache_by_identity
def template_of(workload: Json) -> Json:
    """Return the pod template of a workload."""
    return unstructured.mapping(workload, "spec", "template")


def _canonical(template: Json, templates: list[Json]) -> Json:
    """Return the known template that equals this one, or this one."""
    if any(other is template for other in templates):
        return template
    return next((other for other in templates if other == template), template)


def _in_use(world: World, key: ObjectRef) -> list[Json]:
    return [pod.template for pod in world.pods.get(key, ())]


def record_revision(world: World, key: ObjectRef) -> World:
    """Return the world with the workload's current template as its newest revision.

    A known template keeps its creation time and gets the highest number, as the real controllers do
    it: a rollback creates no revision.
    """
    workload = world.objects[key]
    template, revisions = template_of(workload), world.revisions.get(key, ())
    replicas = (
        unstructured.number(workload, "spec", "replicas", default=1)
        if key.kind == "Deployment"
        else None
    )
    if revisions and revisions[0].template is template and revisions[0].replicas == replicas:
        return world
    canonical = _canonical(
        with_defaults(template), [*(r.template for r in revisions), *_in_use(world, key)]
    )
    if canonical is not template:
        world = world.with_objects(
            (key, {**workload, "spec": {**workload["spec"], "template": canonical}})
        )
        template = canonical
    existing = next((r for r in revisions if r.template is template), None)
    highest = max((r.number for r in revisions), default=0)
    if existing is None:
        newest = Revision(highest + 1, template, api_time(world.clock), replicas)
    else:
        number = existing.number if existing.number == highest else highest + 1
        newest = replace(existing, number=number, replicas=replicas)
    older = [r for r in revisions if r is not existing]
    limit = unstructured.number(workload, "spec", "revisionHistoryLimit", default=_HISTORY)
    in_use = {id(pod.template) for pod in world.pods.get(key, ())}
    # Revisions that still have pods do not count towards the limit, and are not removed.
    unused = [r for r in older if id(r.template) not in in_use]
    removed = set(map(id, unused[limit:]))
    remaining = tuple(r for r in older if id(r) not in removed)
    return replace(world, revisions={**world.revisions, key: (newest, *remaining)})


_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}


@cache_by_identity
def with_defaults(template: Json) -> Json:
    """Return a pod template with the API server's defaults; the same object if complete."""
    containers = unstructured.items(template, "spec", "containers")
    filled = [_container(container) for container in containers]
    if all(new is old for new, old in zip(filled, containers, strict=True)):
        return template
    return {**template, "spec": {**unstructured.mapping(template, "spec"), "containers": filled}}


def _container(container: Json) -> Json:
    changes: dict[str, Any] = {}
    ports = unstructured.items(container, "ports")
    if any("protocol" not in port for port in ports):
        changes["ports"] = [{"protocol": "TCP", **port} for port in ports]
    for key in PROBE_KEYS.values():
        probe = unstructured.mapping(container, key)
        if probe and not _PROBE.keys() <= probe.keys():
            changes[key] = {**_PROBE, **probe}
    return {**container, **changes} if changes else container


def workload_with_defaults(kind: str, workload: Json) -> Json:
    """Return a workload with the API server's defaults in its spec and template."""
    spec = dict(unstructured.mapping(workload, "spec"))
    if kind == "Deployment":
        spec.setdefault("strategy", _ROLLING)
    if kind != "DaemonSet":
        spec.setdefault("replicas", 1)
    spec["template"] = with_defaults(unstructured.mapping(spec, "template"))
    return {**workload, "spec": spec}
