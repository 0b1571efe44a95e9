from typing import Any

import pytest

from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.facts import TargetError, case_values
from reme_benchmark.scenarios.faults.facts import values as facts
from reme_benchmark.scenarios.faults.model import Repair
from reme_benchmark.scenarios.faults.placeholders import FillError, fill, filled, placeholders
from tests.unit.benchmark.situations import objects, systems
from tests.unit.benchmark.situations import values as values_of

VALUES = {"service": "cart", "port": 80, "none": None}


def case(system: str, service: str, **parameters: Any) -> Case:
    return Case(
        id="test-001",
        system=system,
        fault="bad-image",
        service=service,
        reported_service=service,
        parameters=parameters,
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("${port}", 80),
        ("port ${port} of ${service}", "port 80 of cart"),
        ("${none}", None),
        ("$${service} costs 3 $$", "${service} costs 3 $"),
        ({"a": ["${service}", 3, None, True]}, {"a": ["cart", 3, None, True]}),
        ({"${service}": {"$$patch": "delete"}}, {"cart": {"$patch": "delete"}}),
        (("${service}",), ["cart"]),
    ],
)
def test_placeholders_become_values_with_their_types(data: Any, expected: Any) -> None:
    assert fill(data, VALUES) == expected


def test_a_value_is_not_filled_again() -> None:
    assert fill("${a}", {"a": "${b}", "b": 1}) == "${b}"


@pytest.mark.parametrize("data", ["${who}", {"${who}": 1}, ["x ${who}"]])
def test_an_unknown_name_is_reported_with_its_fault(data: Any) -> None:
    with pytest.raises(FillError, match=r"fault bad-image: \$\{who\} has no value"):
        fill(data, VALUES, "bad-image")


@pytest.mark.parametrize("text", ["3 $", "$service", "${service"])
def test_a_single_dollar_is_refused(text: str) -> None:
    with pytest.raises(FillError, match="single \\$"):
        fill(text, VALUES)


def test_the_names_of_all_placeholders_are_found() -> None:
    assert placeholders({"${a}": ["${b} ${c}", "$${d}", 1]}) == {"a", "b", "c"}


def test_a_model_is_filled_and_checked_again() -> None:
    repair = Repair(title="Mend ${service}", playbook=({"k8s": {"port": "${port}"}},))

    assert filled(repair, VALUES) == Repair(title="Mend cart", playbook=({"k8s": {"port": 80}},))


def test_facts_of_the_target_are_those_before_the_fault() -> None:
    values = values_of(case("online-boutique", "cartservice", service_tier="gold"))

    assert values["namespace"] == "bench-online-boutique"
    assert (values["container"], values["kind"]) == ("server", "Deployment")
    assert (values["port"], values["target_port"]) == (7070, 7070)
    assert (values["cpu_limit"], values["half_cpu_limit"], values["cpu_limit_x2"]) == (
        "300m",
        "150m",
        "600m",
    )
    assert (values["original_memory_limit"], values["half_memory_limit"]) == ("128Mi", "64Mi")
    assert values["service_tier"] == "gold"
    assert values["node"] == "node-0"


def test_facts_of_related_objects() -> None:
    values = values_of(case("online-boutique", "cartservice"))

    assert (values["front"], values["front_port"], values["front_target_port"]) == (
        "frontend",
        80,
        8080,
    )
    assert (values["callee"], values["callee_container"]) == ("redis-cart", "redis")
    assert values["caller"] == "frontend"
    assert values["pods_total"] == 12
    assert values["config_map"] == "cartservice-config"
    assert (values["config_key"], values["config_value"]) == ("CALLS", "http://redis-cart:6379/")
    assert values["config_mode"] == "normal"


def test_a_config_map_is_found_by_reference_too() -> None:
    values = values_of(case("simple-micro", "time-service"))

    assert values["config_map"] == "time-service-config"
    assert values["config_time_zone"] == "UTC"


def test_a_dependency_is_misspelt_once() -> None:
    values = values_of(case("online-boutique", "recommendationservice"))

    assert values["calls_mistaken"] == "http://productcatalogservice-svc:3550/"


def test_what_a_service_does_not_have_has_no_value() -> None:
    values = values_of(case("online-boutique", "paymentservice"))

    assert not {"callee", "config_map", "calls_mistaken", "overload_milliseconds"} & set(values)


def test_a_workload_that_is_not_there_is_named() -> None:
    system = systems()["simple-micro"]
    with pytest.raises(TargetError, match="no service nobody"):
        case_values(case("simple-micro", "nobody"), system, objects("simple-micro"))
    with pytest.raises(TargetError, match="no workload"):
        case_values(case("simple-micro", "time-service"), system, [])


def test_facts_need_no_limits_and_no_service() -> None:
    workload = {
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "ns"},
        "spec": {"template": {"spec": {"containers": [{"name": "agent", "image": "a:1"}]}}},
    }
    values = facts(workload, extra={"pod": "agent-1"})

    assert values["pod"] == "agent-1"
    assert not {"cpu_limit", "port", "half_memory_limit"} & set(values)
