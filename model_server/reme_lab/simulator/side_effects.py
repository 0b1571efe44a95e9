"""What a run made worse, or changed without need."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from reme_lab.simulator.health import WorldHealth, world_health
from reme_lab.simulator.identity_cache import cache_by_identity
from reme_lab.simulator.world import AllowedDifference, World
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.pod_template import RESTART_ANNOTATIONS
from reme_playbook.snapshot.quantity import memory_bytes

Json = Mapping[str, Any]
Fields = Mapping[str, Any]

_BY = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "ports": "port",
    "taints": "key",
}
_MOST_TIMES = 2
_AMOUNTS = (".resources.limits.", ".resources.requests.")


def side_effects_of(before: World, after: World) -> tuple[str, ...]:
    """Return what the run between the two worlds did that it should not have done."""
    found = [*_worse_off(before, world_health(before), world_health(after))]
    for key, now in after.objects.items():
        was = before.objects.get(key)
        if now is not was and was is not None:
            found += _changed(before, after, key, was, now)
    return tuple(dict.fromkeys(found))


def _worse_off(world: World, before: WorldHealth, after: WorldHealth) -> Iterator[str]:
    for key, count in after.counts.items():
        was = before.counts.get(key)
        if was and count.ready < was.ready and count.ready < count.desired:
            what = "capacity lowered" if key == world.target else "neighbour broken"
            yield f"{what}: {key} has {count.ready} ready pods, it had {was.ready}"
    for place, answer in after.responses.items():
        earlier = before.responses.get(place)
        if earlier is not None and earlier.good and not answer.good:
            yield f"broken: Service {place[0]} was answered, and is not any more"


def _changed(before: World, after: World, key: ObjectRef, was: Json, now: Json) -> Iterator[str]:
    healthy = before.healthy.objects.get(key) if before.healthy else None
    if before.healthy is not None and healthy is None:
        return  # it came with the fault: what helps may be done to it
    old, new = _fields(was), _differing(was, now)
    good = _fields(healthy) if healthy is not None else old
    for path, value in new.items():
        if old.get(path) == value or value == good.get(path):
            continue
        text = _harm(before, after, key, path, (old.get(path), value, good.get(path)))
        if text:
            yield text


def _harm(
    before: World, after: World, key: ObjectRef, path: str, values: tuple[Any, Any, Any]
) -> str:
    old, new, good = values
    where = f"{path} of {key}"
    if path == "spec.replicas" and _scaled_by_itself(after, key):
        return ""
    if any(name in path for name in RESTART_ANNOTATIONS):
        return ""
    if any(part in path for part in _AMOUNTS) and good is not None:
        if new is None:
            return f"limit dropped: {where}"
        if _number(new) < _number(good):
            return f"capacity lowered: {where} is {new}, it was {good}"
    if path == "spec.replicas" and _number(new) < _number(good):
        return f"capacity lowered: {where} is {new}, it was {good}"
    # A field that the fault moved may end anywhere between what it was and twice that.
    moved = old != good
    if moved and good is not None and 1 <= _times(new, good) <= _MOST_TIMES:
        return ""
    if any(
        _tolerated(one, key, path, new, good) for one in before.ground_truth.allowed_differences
    ):
        return ""
    return f"changed without need: {where} is {new}, it was {good}"


def _scaled_by_itself(world: World, key: ObjectRef) -> bool:
    return any(
        (unstructured.text(found, "spec", "scaleTargetRef", "kind"), name) == (key.kind, key.name)
        for _, found in world.of_kind("HorizontalPodAutoscaler")
        for name in [unstructured.text(found, "spec", "scaleTargetRef", "name")]
    )


def _tolerated(one: AllowedDifference, key: ObjectRef, path: str, new: Any, good: Any) -> bool:
    if (one.kind, one.name) != (key.kind, key.name):
        return False
    if one.path and not fnmatchcase(path, f"{one.path}*".replace("[", "[[]")):
        return False
    if one.min_factor is None and one.max_factor is None:
        return True
    times = _times(new, good)
    return (one.min_factor or 0) <= times <= (one.max_factor or float("inf"))


def _times(new: Any, good: Any) -> float:
    reference = _number(good)
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


@cache_by_identity
def _fields(found: Json) -> Fields:
    """Return every field of an object that a person would call its content, by dotted path."""
    fields: dict[str, Any] = {}
    for part in ("spec", "data"):
        _walk(found.get(part), part, part, fields)
    return fields


def _differing(was: Json, now: Json) -> Fields:
    """Return the fields of an object that may differ from an earlier one; None where one is gone.

    What the two share was not written, and is passed over.
    """
    fields: dict[str, Any] = {}
    for part in ("spec", "data"):
        _compare(was.get(part), now.get(part), part, part, fields)
    return fields


def _compare(was: Any, now: Any, path: str, name: str, into: dict[str, Any]) -> None:
    if was is now:
        return
    if type(was) is dict and type(now) is dict:
        for key in now:
            _compare(was.get(key), now[key], f"{path}.{key}", key, into)
        for key in was:
            if key not in now:
                gone: dict[str, Any] = {}
                _walk(was[key], f"{path}.{key}", key, gone)
                into |= dict.fromkeys(gone)
        return
    old: dict[str, Any] = {}
    _walk(was, path, name, old)
    new: dict[str, Any] = {}
    _walk(now, path, name, new)
    into |= {**dict.fromkeys(old), **new}


def _walk(value: Any, path: str, name: str, into: dict[str, Any]) -> None:
    if type(value) is dict or isinstance(value, Mapping):  # the first is much quicker
        for key, inner in value.items():
            _walk(inner, f"{path}.{key}", key, into)
    elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        by = _BY.get(name)
        for place, entry in enumerate(value):
            mark = entry.get(by, place) if by else place
            _walk(entry, f"{path}[{mark}]", "", into)
    elif value is not None and value is not False and value != []:
        into[path] = value  # what is empty or off is as good as not there
