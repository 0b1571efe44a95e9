"""What a container is told when it starts, and what it makes of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from reme_lab.simulator.identity_cache import cache_by_identities
from reme_lab.simulator.program import Behaviour, Program, Stress
from reme_lab.simulator.template_facts import template_facts
from reme_lab.simulator.world import GroundTruth
from reme_playbook.snapshot import unstructured

Json = Mapping[str, Any]


class ContainerStart(NamedTuple):
    """How a pod starts."""

    behaviour: Behaviour
    settings: Mapping[str, str]
    waiting: str = ""
    """Why its container cannot be made."""
    message: str = ""
    recurring_stress: Stress | None = None
    """What it gets, however new it is."""


@cache_by_identities
def start_container(
    ground_truth: GroundTruth, program: Program, template: Json, configs: tuple[Json | None, ...]
) -> ContainerStart:
    """Return how a pod of this template starts with these ConfigMaps."""
    known = dict(zip(template_facts(template).config_maps, configs, strict=False))
    told, lacking = _told(program, template, known)
    behaviour = program.behaviour(told)
    recurring_stress = next(
        (r.stress for r in program.recurring_stress if all(w.holds(told) for w in r.when)), None
    )
    for container in template_facts(template).containers:
        if container.image in ground_truth.missing_images:
            message = f'Back-off pulling image "{container.image}"'
            return ContainerStart(behaviour, told, "ImagePullBackOff", message, recurring_stress)
    for name, key in template_facts(template).secret_keys:
        if (name, key) in ground_truth.missing_secret_keys:
            lacking = f"couldn't find key {key} in Secret {name}"
    if lacking:
        return ContainerStart(
            behaviour, told, "CreateContainerConfigError", lacking, recurring_stress
        )
    return ContainerStart(behaviour, told, recurring_stress=recurring_stress)


def _told(
    program: Program, template: Json, configs: Mapping[str, Json | None]
) -> tuple[dict[str, str], str]:
    """Return every setting of the container that serves, and what cannot be found."""
    found = unstructured.items(template, "spec", "containers")
    container = next((c for c in found if c.get("name") == program.container), None)
    container = container or (found[0] if found else {})
    told: dict[str, str] = {}
    lacking = ""
    for volume in unstructured.items(template, "spec", "volumes"):
        name = unstructured.text(volume, "configMap", "name")
        if name:
            told |= unstructured.strings(configs.get(name), "data")
    for source in unstructured.items(container, "envFrom"):
        name = unstructured.text(source, "configMapRef", "name")
        config = configs.get(name)
        if name and config is None and not unstructured.at(source, "configMapRef", "optional"):
            lacking = lacking or f'configmap "{name}" not found'
        prefix = unstructured.text(source, "prefix")
        told |= {
            f"{prefix}{key}": value for key, value in unstructured.strings(config, "data").items()
        }
    for entry in unstructured.items(container, "env"):
        name = unstructured.text(entry, "name")
        if "valueFrom" not in entry:
            told[name] = unstructured.text(entry, "value")
            continue
        value, problem = _referred(unstructured.mapping(entry, "valueFrom"), configs)
        lacking = lacking or problem
        if value is not None:
            told[name] = value
    told["image"] = unstructured.text(container, "image")
    told["surroundings"] = template_facts(template).runtime_settings
    for words in ("command", "args"):
        value = container.get(words)
        if isinstance(value, list | tuple) and value:
            told[words] = " ".join(map(str, value))
    return told, lacking


def _referred(source: Json, configs: Mapping[str, Json | None]) -> tuple[str | None, str]:
    reference = unstructured.mapping(source, "configMapKeyRef")
    name, key = unstructured.text(reference, "name"), unstructured.text(reference, "key")
    if not name:
        return None, ""
    config = configs.get(name)
    value = unstructured.strings(config, "data").get(key)
    if value is not None or reference.get("optional") is True:
        return value, ""
    if config is None:
        return None, f'configmap "{name}" not found'
    return None, f"couldn't find key {key} in ConfigMap {name}"
