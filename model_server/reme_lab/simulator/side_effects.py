"""Side effects of a run: what it made worse, or changed without need."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from reme_lab.simulator.health import WorldHealth, world_health
from reme_lab.simulator.identity_cache import cache_by_identity
from reme_lab.simulator.world import AllowedDifference, World
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.field_path import dotted
from reme_playbook.snapshot.object_diff import leaves
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.pod_template import RESTART_ANNOTATIONS
from reme_playbook.snapshot.quantity import memory_bytes

Json = Mapping[str, Any]
Fields = Mapping[str, Any]

_MAX_FACTOR = 2
_AMOUNTS = (".resources.limits.", ".resources.requests.")


def side_effects_of(before: World, after: World) -> tuple[str, ...]:
    """Return the side effects of the run that led from one world to the other."""
    texts = [*_degraded(before, world_health(before), world_health(after))]
    for key, stored in after.objects.items():
        before_run = before.objects.get(key)
        if stored is not before_run and before_run is not None:
            texts += _changed(before, after, key, before_run, stored)
    return tuple(dict.fromkeys(texts))


def _degraded(world: World, before: WorldHealth, after: WorldHealth) -> Iterator[str]:
    for key, count in after.counts.items():
        counts_before = before.counts.get(key)
        if counts_before and count.ready < counts_before.ready and count.ready < count.desired:
            what = "capacity lowered" if key == world.target else "neighbour broken"
            yield f"{what}: {key} has {count.ready} ready pods, it had {counts_before.ready}"
    for place, answer in after.responses.items():
        earlier = before.responses.get(place)
        if earlier is not None and earlier.good and not answer.good:
            yield f"broken: Service {place[0]} was answered, and is not any more"


def _changed(
    before: World, after: World, key: ObjectRef, old_object: Json, new_object: Json
) -> Iterator[str]:
    healthy = before.healthy.objects.get(key) if before.healthy else None
    if before.healthy is not None and healthy is None:
        return  # the fault added this object; any change of it is acceptable
    old = _fields(_unshared(old_object, new_object))
    new = _fields(_unshared(new_object, old_object))
    healthy_fields = _all_fields(healthy) if healthy is not None else old
    for path in dict.fromkeys([*new, *old]):
        values = old.get(path), new.get(path), healthy_fields.get(path)
        if values[1] in (values[0], values[2]):
            continue
        text = _side_effect(before, after, key, path, values)
        if text:
            yield text


def _side_effect(
    before: World,
    after: World,
    key: ObjectRef,
    path: str,
    values: tuple[Any, Any, Any],
) -> str:
    old, new, healthy_value = values
    where = f"{path} of {key}"
    if path == "spec.replicas" and _is_autoscaled(after, key):
        return ""
    if any(name in path for name in RESTART_ANNOTATIONS):
        return ""
    if any(part in path for part in _AMOUNTS) and healthy_value is not None:
        if new is None:
            return f"limit dropped: {where}"
        if _number(new) < _number(healthy_value):
            return f"capacity lowered: {where} is {new}, it was {healthy_value}"
    if path == "spec.replicas" and _number(new) < _number(healthy_value):
        return f"capacity lowered: {where} is {new}, it was {healthy_value}"
    # A field that the fault changed may end between its healthy value and twice that.
    moved = old != healthy_value
    if moved and healthy_value is not None and 1 <= _factor(new, healthy_value) <= _MAX_FACTOR:
        return ""
    if any(
        _tolerated(one, key, path, new, healthy_value)
        for one in before.ground_truth.allowed_differences
    ):
        return ""
    return f"changed without need: {where} is {new}, it was {healthy_value}"


def _is_autoscaled(world: World, key: ObjectRef) -> bool:
    return any(
        (unstructured.text(autoscaler, "spec", "scaleTargetRef", "kind"), name)
        == (key.kind, key.name)
        for _, autoscaler in world.of_kind("HorizontalPodAutoscaler")
        for name in [unstructured.text(autoscaler, "spec", "scaleTargetRef", "name")]
    )


def _tolerated(
    tolerance: AllowedDifference,
    key: ObjectRef,
    path: str,
    new: Any,
    healthy_value: Any,
) -> bool:
    if (tolerance.kind, tolerance.name) != (key.kind, key.name):
        return False
    if tolerance.path and not fnmatchcase(path, f"{tolerance.path}*".replace("[", "[[]")):
        return False
    if tolerance.min_factor is None and tolerance.max_factor is None:
        return True
    factor = _factor(new, healthy_value)
    return (tolerance.min_factor or 0) <= factor <= (tolerance.max_factor or float("inf"))


def _factor(new: Any, reference_value: Any) -> float:
    reference = _number(reference_value)
    return _number(new) / reference if reference else 0.0


def _number(value: Any) -> float:
    return _parsed(str(value))


@lru_cache(maxsize=4096)
def _parsed(text: str) -> float:
    if text.endswith("m"):
        return _parsed(text[:-1]) / 1000
    try:
        return float(memory_bytes(text))
    except ValueError:
        return 0.0


def _fields(stored: Json) -> Fields:
    """Return every field of spec and data by dotted path; empty ones are left out."""
    return {
        dotted(path): value
        for part in ("spec", "data")
        for path, value in leaves(stored.get(part), (part,))
        if value is not None and value is not False and value not in ([], {})
    }


@cache_by_identity
def _all_fields(stored: Json) -> Fields:
    return _fields(stored)


def _unshared(value: Any, other: Any) -> Any:
    """Return the value without the parts that are the same objects in the other value."""
    if isinstance(value, dict) and isinstance(other, dict):
        return {
            key: _unshared(inner, other.get(key))
            for key, inner in value.items()
            if inner is not other.get(key)
        }
    return value
