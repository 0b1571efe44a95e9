"""A right kind of action is recognised whatever its values, and a wrong one is not."""

import json
from typing import Any

import pytest

from reme_benchmark.reports.playbook_similarity import same_kind
from reme_benchmark.scenarios.cases import suites
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scenarios.faults.facts import case_values
from reme_benchmark.scenarios.faults.placeholders import fill
from reme_benchmark.scenarios.systems import catalog as systems
from reme_benchmark.scenarios.systems.render import manifests
from tests.doubles.results import case

SYSTEMS = {name: systems.load(name) for name in systems.names()}
OBJECTS = {name: manifests(system, "bench") for name, system in SYSTEMS.items()}
LIVE = {"pod": "a-pod-of-it", "node": "n1"}


@pytest.mark.parametrize("name", ["extended", "microremed-hard"])
def test_every_good_repair_is_alike_itself(name: str) -> None:
    for of in suites.draw(suites.load(name), None, SYSTEMS):
        if of.fault is None or of.control is not None:
            continue
        fault = catalog.fault(of.fault)
        values = case_values(of, SYSTEMS[of.system], OBJECTS[of.system], LIVE)
        for repair in fault.repairs:
            tasks = fill(list(repair.playbook), values, fault.id)
            assert same_kind([json.dumps(tasks)], fault, of), (fault.id, repair.title)
            plays = [{"hosts": "all", "tasks": tasks}]
            assert same_kind(["not a playbook", json.dumps(plays)], fault, of)


def task(name: str = "cart", **options: Any) -> str:
    common = {"api_version": "apps/v1", "kind": "Deployment", "name": name}
    return json.dumps([{"kubernetes.core.k8s": {**common, **options}}])


def resources(**limits: str) -> dict[str, Any]:
    container = {"name": "web", "resources": {"limits": limits}}
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


@pytest.mark.parametrize(
    ("playbook", "alike"),
    [
        (task(definition=resources(cpu="1m")), True),
        (task(definition=resources(memory="1Gi")), False),
        (task("web", definition=resources(cpu="1m")), False),
        (task(state="absent"), False),
        (task(state="absent", definition=resources(cpu="1m")), False),
        ('[{"kubernetes.core.k8s_rollback": {"kind": "Deployment", "name": "cart"}}]', True),
        ('[{"kubernetes.core.k8s_scale": {"kind": "Deployment", "name": "cart"}}]', False),
    ],
)
def test_what_counts_is_module_object_and_field(playbook: str, alike: bool) -> None:
    assert same_kind([playbook], catalog.fault("throttled"), case(1, "throttled")) is alike


def test_all_that_a_good_repair_does_is_needed() -> None:
    fault = catalog.fault("two-faults")
    rollback = '[{"kubernetes.core.k8s_rollback": {"kind": "Deployment", "name": "cart"}}]'
    assert not same_kind([rollback], fault, case(1, fault.id))
