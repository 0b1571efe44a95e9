"""The history of a workload: which templates it had, under which numbers."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from reme_lab.simulator.api_defaults import with_defaults
from reme_lab.simulator.identity_cache import cache_by_identity
from reme_lab.simulator.world import World
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import Revision

Json = Mapping[str, Any]

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_HISTORY = 10


def api_time(clock: int) -> str:
    """Return a moment as the API writes it."""
    return datetime.fromtimestamp(clock, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def name_suffix(number: int, most: int) -> str:
    """Return a number in the letters that Kubernetes makes names of."""
    found = ""
    for _ in range(most):
        number, rest = divmod(number, len(_LETTERS))
        found += _LETTERS[rest]
    return found


@cache_by_identity
def template_hash(template: Json) -> str:
    """Return the hash by which a template's pods are called."""
    text = json.dumps(template, sort_keys=True, default=str)
    return name_suffix(zlib.crc32(text.encode()), 6) + name_suffix(zlib.adler32(text.encode()), 3)


@cache_by_identity
def template_of(found: Json) -> Json:
    """Return the pod template of a workload."""
    return unstructured.mapping(found, "spec", "template")


def _known(template: Json, known: list[Json]) -> Json:
    """Return the known template that equals this one, or this one."""
    if any(one is template for one in known):
        return template
    return next((one for one in known if one == template), template)


def _in_use(world: World, key: ObjectRef) -> list[Json]:
    return [pod.template for pod in world.pods.get(key, ())]


def record_revision(world: World, key: ObjectRef) -> World:
    """Return the world with the workload's current template as its newest revision.

    A template that was there before keeps its age and gets the highest number, as the controllers
    do it: a rollback is no new revision.
    """
    found = world.objects[key]
    template, known = template_of(found), world.revisions.get(key, ())
    wanted = (
        unstructured.number(found, "spec", "replicas", default=1)
        if key.kind == "Deployment"
        else None
    )
    if known and known[0].template is template and known[0].replicas == wanted:
        return world
    one = _known(with_defaults(template), [*(r.template for r in known), *_in_use(world, key)])
    if one is not template:
        world = world.with_objects((key, {**found, "spec": {**found["spec"], "template": one}}))
        template = one
    same = next((r for r in known if r.template is template), None)
    highest = max((r.number for r in known), default=0)
    if same is None:
        newest = Revision(highest + 1, template, api_time(world.clock), wanted)
    else:
        number = same.number if same.number == highest else highest + 1
        newest = replace(same, number=number, replicas=wanted)
    older = [r for r in known if r is not same]
    most = unstructured.number(found, "spec", "revisionHistoryLimit", default=_HISTORY)
    live = {id(pod.template) for pod in world.pods.get(key, ())}
    # Those that still have pods are not counted, and not removed.
    idle = [r for r in older if id(r.template) not in live]
    gone = set(map(id, idle[most:]))
    kept = tuple(r for r in older if id(r) not in gone)
    return replace(world, revisions={**world.revisions, key: (newest, *kept)})
