"""The start of a container: its settings, and the behaviour that follows from them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from reme_lab.simulator.identity_cache import cache_by_identities
from reme_lab.simulator.program import Behaviour, Program, Stress
from reme_lab.simulator.template_facts import template_facts
from reme_lab.simulator.world import GroundTruth
from reme_playbook.snapshot import unstructured

Json = Mapping[str, Any]


class ContainerStart(NamedTuple):
    """How a container starts."""

    behaviour: Behaviour
    settings: Mapping[str, str]
    waiting: str = ""
    """Reason why the container cannot be created."""
    message: str = ""
    recurring_stress: Stress | None = None
    """The stress that every new pod gets."""


@cache_by_identities
def start_container(
    ground_truth: GroundTruth, program: Program, template: Json, configs: tuple[Json | None, ...]
) -> ContainerStart:
    """Return how a container of this template starts with these ConfigMaps."""
    config_maps_by_name = dict(zip(template_facts(template).config_maps, configs, strict=False))
    settings, missing = _settings(program, template, config_maps_by_name)
    behaviour = program.behaviour(settings)
    recurring_stress = next(
        (r.stress for r in program.recurring_stress if all(w.holds(settings) for w in r.when)), None
    )
    for container in template_facts(template).containers:
        if container.image in ground_truth.missing_images:
            message = f'Back-off pulling image "{container.image}"'
            return ContainerStart(
                behaviour, settings, "ImagePullBackOff", message, recurring_stress
            )
    for name, key in template_facts(template).secret_keys:
        if (name, key) in ground_truth.missing_secret_keys:
            missing = f"couldn't find key {key} in Secret {name}"
    if missing:
        return ContainerStart(
            behaviour, settings, "CreateContainerConfigError", missing, recurring_stress
        )
    return ContainerStart(behaviour, settings, recurring_stress=recurring_stress)


def _settings(
    program: Program, template: Json, configs: Mapping[str, Json | None]
) -> tuple[dict[str, str], str]:
    """Return the settings of the serving container, and what is missing."""
    containers = unstructured.items(template, "spec", "containers")
    container = next((c for c in containers if c.get("name") == program.container), None)
    container = container or (containers[0] if containers else {})
    settings: dict[str, str] = {}
    missing = ""
    for volume in unstructured.items(template, "spec", "volumes"):
        name = unstructured.text(volume, "configMap", "name")
        if name:
            settings |= unstructured.strings(configs.get(name), "data")
    for source in unstructured.items(container, "envFrom"):
        name = unstructured.text(source, "configMapRef", "name")
        config = configs.get(name)
        if name and config is None and not unstructured.at(source, "configMapRef", "optional"):
            missing = missing or f'configmap "{name}" not found'
        prefix = unstructured.text(source, "prefix")
        settings |= {
            f"{prefix}{key}": value for key, value in unstructured.strings(config, "data").items()
        }
    for entry in unstructured.items(container, "env"):
        name = unstructured.text(entry, "name")
        if "valueFrom" not in entry:
            settings[name] = unstructured.text(entry, "value")
            continue
        value, problem = _referenced_value(unstructured.mapping(entry, "valueFrom"), configs)
        missing = missing or problem
        if value is not None:
            settings[name] = value
    settings["image"] = unstructured.text(container, "image")
    settings["runtime_settings"] = template_facts(template).runtime_settings
    for words in ("command", "args"):
        value = container.get(words)
        if isinstance(value, list | tuple) and value:
            settings[words] = " ".join(map(str, value))
    return settings, missing


def _referenced_value(source: Json, configs: Mapping[str, Json | None]) -> tuple[str | None, str]:
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
