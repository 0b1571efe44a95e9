"""What the coordinator is told of a snapshot: symptoms, own faults, possible causes."""

from datetime import timedelta

import pytest

from reme_api.probes import Probe, ProbeResult, ProbeVerdict
from reme_operator.investigation.coordinator import PossibleCause, Symptom
from reme_operator.investigation.view import is_part_of, own_faults, possible_causes, symptoms_of
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.unit.model.shops import Shop
from tests.unit.snapshot.namespace import NOW, Namespace, ago, deployment, pods_of, service

STOCK = ObjectRef("Deployment", "shop", "stock")


def calls_stock(**fields: object) -> Namespace:
    cart = deployment("cart", env={"STOCK_URL": "http://stock/"})
    stock = deployment("stock", **fields)  # type: ignore[arg-type]
    return Namespace([cart, stock], [service("cart"), service("stock")], fault_start=ago(minutes=3))


def test_a_healthy_target_has_no_symptom() -> None:
    assert symptoms_of(Shop().live(), []) == frozenset()


@pytest.mark.parametrize(
    ("shop", "symptom"),
    [
        (Shop(ready=1, phase="Running"), Symptom.NOT_READY),
        (Shop(ready=1, restarts=2), Symptom.CRASHING),
        (Shop(ready=1), Symptom.INIT_FAILING),
        (
            Shop(ready=1, state={"lastState": {"terminated": {"reason": "OOMKilled"}}}),
            Symptom.OUT_OF_MEMORY,
        ),
    ],
)
def test_symptoms_are_seen(shop: Shop, symptom: Symptom) -> None:
    assert symptom in symptoms_of(shop.live(), [])


def test_a_failing_probe_is_a_symptom_and_no_own_fault() -> None:
    failed = ProbeResult(name="up", verdict=ProbeVerdict.FAILED, failed=1)
    assert symptoms_of(Shop().live(), [failed]) == {Symptom.PROBES_FAILING}
    assert own_faults(Shop().live()) == ()


def test_pods_that_are_not_ready_are_no_own_fault() -> None:
    assert own_faults(Shop(ready=0, phase="Running").live()) == ()


@pytest.mark.parametrize(
    "shop",
    [
        Shop(selector={"app": "cartt"}),
        Shop(target_port=9090),
        Shop(replicas=0, ready=0),
        Shop(
            ready=1,
            restarts=2,
            state={"lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}},
        ),
    ],
)
def test_what_a_repair_of_the_target_can_change_is_an_own_fault(shop: Shop) -> None:
    assert own_faults(shop.live())


def test_a_release_is_recent_by_the_start_of_the_fault() -> None:
    earlier = [(deployment("cart")["spec"]["template"], ago(days=2))]
    cart = deployment("cart", env={"VERSION": "2"})
    for before_fault, recent in ((timedelta(minutes=1), True), (timedelta(hours=2), False)):
        namespace = Namespace([cart], [service("cart")], earlier=earlier)
        namespace.fault_start = NOW - timedelta(minutes=3)
        namespace.released = namespace.fault_start - before_fault
        symptoms = symptoms_of(namespace.live(), [])
        assert (Symptom.RECENT_CHANGE in symptoms) is recent


def test_a_called_workload_that_is_well_is_a_possible_cause_without_a_fault() -> None:
    (cause,) = possible_causes(calls_stock().live())
    assert (cause.workload, cause.services, cause.faults) == (STOCK, ("stock",), ())


def test_a_called_workload_that_is_down_has_a_fault() -> None:
    (cause,) = possible_causes(calls_stock(replicas=2, ready=0).live())
    assert cause.faults
    assert cause.faults[0].startswith("stock ")


def test_a_called_workload_of_which_some_pods_serve_is_not_down() -> None:
    namespace = calls_stock(replicas=2, ready=1)
    namespace.pods["stock"] = pods_of(namespace.workloads[1], waiting="CrashLoopBackOff")
    (cause,) = possible_causes(namespace.live())
    assert cause.faults == ()
    assert "1 of 2" in cause.partly_ready


def test_a_workload_that_was_followed_is_no_possible_cause_again() -> None:
    assert possible_causes(calls_stock().live(), followed=[STOCK]) == ()


def test_a_probe_that_asks_a_dependency_and_fails_is_held_against_it() -> None:
    http = {"service": "stock", "port": 80}
    probe = Probe.model_validate({"name": "stock-answers", "http": http})
    own = Probe.model_validate({"name": "answers", "http": http | {"service": "cart"}})
    failed = [
        ProbeResult(name=name, verdict=ProbeVerdict.FAILED, failed=1, message="stock answered 500")
        for name in ("stock-answers", "answers")
    ]
    (cause,) = possible_causes(calls_stock().live(), [probe, own], failed)
    assert cause.failed_requests == ("probe stock-answers: stock answered 500",)


def test_a_change_of_a_dependency_shortly_before_the_fault_is_held_against_it() -> None:
    (cause,) = possible_causes(calls_stock(created=ago(minutes=4)).live())
    assert "Deployment stock was changed" in cause.recent_change
    assert possible_causes(calls_stock().live())[0].recent_change == ""


def test_what_belongs_to_a_cause() -> None:
    cause = PossibleCause(workload=STOCK, services=("stock",))
    assert is_part_of(STOCK, cause)
    assert is_part_of(ObjectRef("Service", "shop", "stock"), cause)
    assert is_part_of(ObjectRef("Pod", "shop", "stock-6d5f7-0abc"), cause)
    assert not is_part_of(ObjectRef("Service", "shop", "search"), cause)
    assert not is_part_of(ObjectRef("Deployment", "shop", "stock-db"), cause)
