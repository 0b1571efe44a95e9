"""Objects of Chaos Mesh have the fields that its own types have."""

from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from reme_benchmark.injection import chaos_mesh
from reme_benchmark.injection.specs import (
    CpuStress,
    DiskLimit,
    Fault,
    InvalidFaultError,
    MemoryStress,
    PacketDelay,
    PacketLoss,
    Spec,
    Target,
)

FAULT = Fault("0a1b2c3d4e", "bench", Target("shop", "cart-1", "0123456789ab"), CpuStress(), 90.5)


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
DURATION = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$"}
PERCENT = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}
MODE = {"enum": ["one", "all", "fixed", "fixed-percent", "random-max-percent"]}
SELECTOR = closed([], namespaces=TEXTS, pods={"type": "object", "additionalProperties": TEXTS})
PODS = {"mode": MODE, "selector": SELECTOR, "duration": DURATION}
CONTAINERS = {**PODS, "containerNames": TEXTS}
SCHEMAS: dict[str, Any] = {
    "StressChaos": closed(
        ["mode", "selector", "stressors"],
        **CONTAINERS,
        stressors=closed(
            [],
            cpu=closed(["workers"], workers={"type": "integer"}, load={"type": "integer"}),
            memory=closed(
                ["workers"],
                workers={"type": "integer"},
                size={"type": "string", "pattern": r"^[0-9.]+MiB$"},
                oomScoreAdj={"type": "integer", "minimum": -1000, "maximum": 1000},
            ),
        ),
    ),
    "NetworkChaos": closed(
        ["action", "mode", "selector"],
        **PODS,
        action={"enum": ["delay", "loss"]},
        direction={"enum": ["to", "from", "both"]},
        target=closed(["mode", "selector"], mode=MODE, selector=SELECTOR),
        loss=closed(["loss"], loss=PERCENT, correlation=PERCENT),
        delay=closed(["latency"], latency=DURATION, correlation=PERCENT, jitter=DURATION),
    ),
    "IOChaos": closed(
        ["action", "mode", "selector", "volumePath"],
        **CONTAINERS,
        action={"enum": ["latency", "fault", "attrOverride", "mistake"]},
        volumePath=TEXT,
        delay=DURATION,
        methods={"type": "array", "items": {"enum": ["read", "write", "fsync", "flush"]}},
        percent={"type": "integer", "minimum": 0, "maximum": 100},
    ),
    "PodChaos": closed(
        ["action", "mode", "selector"],
        **CONTAINERS,
        action={"enum": ["pod-kill", "pod-failure", "container-kill"]},
    ),
}


def rendered(spec: Spec) -> dict[str, Any]:
    body = chaos_mesh.render(replace(FAULT, spec=spec), "cart")
    assert body["apiVersion"] == "chaos-mesh.org/v1alpha1"
    assert body["metadata"]["namespace"] == "shop"
    jsonschema.validate(body["spec"], SCHEMAS[body["kind"]])
    assert body["spec"]["selector"]["pods"] == {"shop": ["cart-1"]}
    assert body["spec"]["duration"] == "91s"
    chaos_spec: dict[str, Any] = body["spec"]
    return chaos_spec


def test_stress_is_in_the_named_container() -> None:
    cpu = rendered(CpuStress(workers=2, load_percent=80))
    assert cpu["stressors"] == {"cpu": {"workers": 2, "load": 80}}
    assert cpu["containerNames"] == ["cart"]
    memory = rendered(MemoryStress(mebibytes=64))
    assert memory["stressors"] == {"memory": {"workers": 1, "size": "64MiB"}}
    first = rendered(MemoryStress(mebibytes=64, oom_score_adj=0))
    assert first["stressors"]["memory"]["oomScoreAdj"] == 0


def test_sparing_probes_means_hitting_pods_alone() -> None:
    spared = rendered(PacketLoss(percent=12.5))
    assert spared["loss"]["loss"] == "12.5"
    assert spared["target"] == {"mode": "all", "selector": {"namespaces": ["shop"]}}
    assert "target" not in rendered(PacketDelay(milliseconds=250, spare_probes=False))
    assert rendered(PacketDelay(milliseconds=250))["delay"]["latency"] == "250ms"


def test_a_rate_becomes_a_delay_of_each_write() -> None:
    slow = rendered(DiskLimit(bytes_per_second=1024 * 1024, path="/scratch"))
    assert (slow["volumePath"], slow["delay"]) == ("/scratch", "62ms")
    both = DiskLimit(bytes_per_second=2**30, operations_per_second=20, path="/scratch")
    assert rendered(both)["delay"] == "50ms"


@pytest.mark.parametrize("spec", [MemoryStress(percent_of_limit=90), DiskLimit(bytes_per_second=1)])
def test_what_chaos_mesh_does_not_have_is_refused(spec: Spec) -> None:
    with pytest.raises(InvalidFaultError):
        chaos_mesh.render(replace(FAULT, spec=spec), "cart")


def test_a_pod_failure_names_its_pod() -> None:
    body = chaos_mesh.render_pod_failure("shop", "cart-1", id_="x1y2", owner="bench", seconds=30)
    jsonschema.validate(body["spec"], SCHEMAS["PodChaos"])
    assert body["metadata"]["labels"] == {"reme.dev/fault-owner": "bench"}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"Selected": "True", "AllInjected": "True"}, True),
        ({"Selected": "False", "AllInjected": "True"}, False),
        ({"Selected": "True", "AllInjected": "False"}, False),
        ({}, False),
    ],
)
def test_injected_is_what_both_conditions_say(conditions: dict[str, str], expected: bool) -> None:
    listed = [{"type": name, "status": status} for name, status in conditions.items()]
    assert chaos_mesh.is_injected({"status": {"conditions": listed}}) is expected
