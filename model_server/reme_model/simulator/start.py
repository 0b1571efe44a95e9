"""What a container is told when it starts, and what it makes of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from reme_model.simulator.facts import facts
from reme_model.simulator.memo import of_several
from reme_model.simulator.program import Behaviour, Program, Stress
from reme_model.simulator.world import Truths
from reme_sandbox import raw

Json = Mapping[str, Any]


class Start(NamedTuple):
    """How a pod starts."""

    behaviour: Behaviour
    told: Mapping[str, str]
    waiting: str = ""
    """Why its container cannot be made."""
    message: str = ""
    returning: Stress | None = None
    """What it gets, however new it is."""


@of_several
def start(
    truths: Truths, program: Program, template: Json, configs: tuple[Json | None, ...]
) -> Start:
    """Return how a pod of this template starts with these ConfigMaps."""
    known = dict(zip(facts(template).config_maps, configs, strict=False))
    told, lacking = _told(program, template, known)
    behaviour = program.behaviour(told)
    returning = next(
        (r.stress for r in program.returning if all(w.holds(told) for w in r.when)), None
    )
    for container in facts(template).containers:
        if container.image in truths.missing_images:
            message = f'Back-off pulling image "{container.image}"'
            return Start(behaviour, told, "ImagePullBackOff", message, returning)
    for name, key in facts(template).secrets:
        if (name, key) in truths.lost_secrets:
            lacking = f"couldn't find key {key} in Secret {name}"
    if lacking:
        return Start(behaviour, told, "CreateContainerConfigError", lacking, returning)
    return Start(behaviour, told, returning=returning)


def _told(
    program: Program, template: Json, configs: Mapping[str, Json | None]
) -> tuple[dict[str, str], str]:
    """Return every setting of the container that serves, and what cannot be found."""
    found = raw.items(template, "spec", "containers")
    container = next((c for c in found if c.get("name") == program.container), None)
    container = container or (found[0] if found else {})
    told: dict[str, str] = {}
    lacking = ""
    for volume in raw.items(template, "spec", "volumes"):
        name = raw.text(volume, "configMap", "name")
        if name:
            told |= raw.strings(configs.get(name), "data")
    for source in raw.items(container, "envFrom"):
        name = raw.text(source, "configMapRef", "name")
        config = configs.get(name)
        if name and config is None and not raw.at(source, "configMapRef", "optional"):
            lacking = lacking or f'configmap "{name}" not found'
        prefix = raw.text(source, "prefix")
        told |= {f"{prefix}{key}": value for key, value in raw.strings(config, "data").items()}
    for entry in raw.items(container, "env"):
        name = raw.text(entry, "name")
        if "valueFrom" not in entry:
            told[name] = raw.text(entry, "value")
            continue
        value, problem = _referred(raw.mapping(entry, "valueFrom"), configs)
        lacking = lacking or problem
        if value is not None:
            told[name] = value
    told["image"] = raw.text(container, "image")
    told["surroundings"] = facts(template).surroundings
    for words in ("command", "args"):
        value = container.get(words)
        if isinstance(value, list | tuple) and value:
            told[words] = " ".join(map(str, value))
    return told, lacking


def _referred(source: Json, configs: Mapping[str, Json | None]) -> tuple[str | None, str]:
    reference = raw.mapping(source, "configMapKeyRef")
    name, key = raw.text(reference, "name"), raw.text(reference, "key")
    if not name:
        return None, ""
    config = configs.get(name)
    value = raw.strings(config, "data").get(key)
    if value is not None or reference.get("optional") is True:
        return value, ""
    if config is None:
        return None, f'configmap "{name}" not found'
    return None, f"couldn't find key {key} in ConfigMap {name}"
