"""The simulator's verdict on a trial, and how it is compared with the real one."""

import json
from dataclasses import replace

import pytest

from reme_benchmark.fidelity.comparison import (
    AgreementKind,
    agrees_on_cure,
    compare,
    simulated,
    world,
)
from reme_benchmark.fidelity.ground_truth import ground_truth, stresses
from reme_benchmark.fidelity.records import Inputs, Real, Simulated
from reme_benchmark.fidelity.serialization import inputs_from_json, inputs_to_json
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scenarios.systems.catalog import load
from reme_lab.simulator import Stress, is_one_of, problems_of, with_pods_replaced
from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.unit.benchmark.trials import NAMESPACE, SYSTEM, healthy, inputs, key, with_variable

TIME, HELLO = "time-service", "hello-service"


def errors() -> Inputs:
    before = healthy(TIME)
    return inputs("bad-version", before, with_variable(before, "FAIL_PERCENT", "80"))


@pytest.mark.parametrize("service", [TIME, HELLO])
def test_a_system_without_a_fault_is_well(service: str) -> None:
    before = healthy(service)
    trial = inputs("bad-image", before, before)
    assert problems_of(world(trial), trial.probes) == ()


def test_a_good_repair_is_verified_and_a_restart_is_not() -> None:
    trial = errors()
    good = simulated(replace(trial, actions=(Rollback(target=key(TIME)),)))
    assert (good.verified, good.cured, good.harmed) == (True, True, ())
    useless = simulated(replace(trial, actions=(Restart(target=key(TIME)),)))
    assert (useless.verified, useless.cured) == (False, False)
    assert useless.failing == ("answers",)


def test_settings_do_what_the_workload_makes_of_them() -> None:
    before = healthy(TIME)
    for variable, value, works in (
        ("PORT", "9191", False),
        ("MEMORY_MEBIBYTES", "much", False),
        ("MEMORY_MEBIBYTES", "9", True),
        ("LATENCY_MILLISECONDS", "20", True),
        ("CPU_MILLISECONDS", "900", False),
    ):
        trial = inputs("bad-version", before, with_variable(before, variable, value))
        assert (problems_of(world(trial), trial.probes) == ()) is works, variable


def test_a_mode_that_is_set_back_needs_new_pods() -> None:
    before = healthy(TIME)
    config = ObjectRef("ConfigMap", NAMESPACE, f"{TIME}-config")
    broken = {**before.objects[config], "data": {"TIME_ZONE": "UTC", "MODE": "maintenance"}}
    now = replace(before, objects={**before.objects, config: broken})
    # The pods read it at their start.
    trial = inputs("maintenance-mode", before, with_pods_replaced(now, key(TIME)))
    back = SetConfigValue(target=config, key="MODE", value="normal")
    assert not simulated(replace(trial, actions=(back,))).verified
    assert simulated(replace(trial, actions=(back, Restart(target=key(TIME))))).verified


def test_what_is_wrong_with_a_neighbour_is_known_by_its_settings() -> None:
    before = healthy(HELLO)
    env = [{"name": "FAIL_PERCENT", "value": "100"}, {"name": "PORT", "value": "5001"}]
    trial = inputs("upstream-cause", before, before)
    spec = {"template": {"spec": {"containers": [{"name": TIME, "env": env}]}}}
    broken = {"kind": "Deployment", "metadata": {"name": TIME}, "spec": spec}
    simulation = simulated(replace(trial, others=(broken,), actions=(Restart(target=key(HELLO)),)))
    assert simulation.failing == ("answers", "dependency-answers")
    assert not simulation.verified


def test_what_the_fault_put_in_is_known_by_its_data() -> None:
    before = healthy(TIME)
    pod = before.pods[key(TIME)][0].name
    trial = inputs("network-delay", before, before, pod=pod)
    pod_stress = stresses(catalog.fault("network-delay"), trial)
    assert pod_stress == {pod: Stress(delay_milliseconds=trial.values["delay_milliseconds"])}
    assert stresses(catalog.fault("bad-image"), trial) == {}

    trial = inputs("returning-stress", before, before, pod=pod)
    system, fault = load(SYSTEM), catalog.fault("returning-stress")
    (recurring_stress,) = ground_truth(system, fault, trial).programs[key(TIME)].recurring_stress
    assert recurring_stress.when == (is_one_of("BATCH_MODE", trial.values["batch_mode"]),)
    assert (
        ground_truth(system, fault, trial, broken=False).programs[key(TIME)].recurring_stress == ()
    )
    assert stresses(fault, trial) == {}

    trial = inputs("lost-credential", before, before)
    lost = ground_truth(system, catalog.fault("lost-credential"), trial).missing_secret_keys
    assert lost == {(f"{TIME}-token", "token")}


def test_inputs_are_the_same_when_they_are_read_again() -> None:
    trial = errors()
    again = inputs_from_json(json.loads(json.dumps(inputs_to_json(trial))))
    assert again.live == trial.live
    assert again.healthy == trial.healthy
    assert again == replace(trial, values=again.values)
    assert simulated(again) == simulated(trial)


@pytest.mark.parametrize(
    ("real_verified", "simulated_verified", "harmed", "kind"),
    [
        (True, True, ((), ()), AgreementKind.BOTH),
        (False, False, ((), ()), AgreementKind.NEITHER),
        (False, True, ((), ()), AgreementKind.ONLY_SIMULATED),
        (True, False, ((), ()), AgreementKind.ONLY_REAL),
        (False, False, (("Deployment/a",), ()), AgreementKind.HARM),
        (False, False, (("Deployment/a",), ("Deployment/b",)), AgreementKind.NEITHER),
    ],
)
def test_two_verdicts_are_compared(
    real_verified: bool,
    simulated_verified: bool,
    harmed: tuple[tuple[str, ...], tuple[str, ...]],
    kind: AgreementKind,
) -> None:
    real = Real(verified=real_verified, harmed=harmed[0])
    simulation = Simulated(verified=simulated_verified, cured=simulated_verified, harmed=harmed[1])
    assert compare(real, simulation) is kind


def test_a_cure_needs_the_probes_and_the_oracle() -> None:
    cured = Simulated(verified=True, cured=True)
    assert agrees_on_cure(Real(verified=True, cured=True), cured)
    assert not agrees_on_cure(Real(verified=True, cured=False), cured)
    assert agrees_on_cure(Real(verified=False), Simulated(verified=True, cured=False))
