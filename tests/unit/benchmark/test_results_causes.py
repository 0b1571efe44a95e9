"""Each failure gets the cause that a person reading its record would give it."""

from typing import Any

import pytest

from reme_benchmark.reports.failure_causes import MEANING, Cause, acted, cause_of, effect_gone
from reme_benchmark.scenarios.faults.model import Check, Control, Fault
from reme_benchmark.scoring.fault_effect import check_name
from reme_benchmark.scoring.judge import compare_sli
from reme_benchmark.scoring.records import CaseResult, Measured, MethodReport, State, Verdict
from reme_benchmark.scoring.user_sli import UserSli
from tests.doubles.results import case, result, verdict

MORE_CPU = """
- hosts: all
  tasks:
    - kubernetes.core.k8s:
        definition:
          apiVersion: apps/v1
          kind: Deployment
          metadata: {name: cart, namespace: shop}
          spec: {template: {spec: {containers: [{name: web, resources: {limits: {cpu: 301m}}}]}}}
"""
RESTART = """
- kubernetes.core.k8s:
    definition:
      kind: Deployment
      metadata: {name: cart}
      spec: {template: {metadata: {annotations: {reme.dev/restarted-at: now}}}}
"""


def fault() -> Fault:
    limits = {"resources": {"limits": {"cpu": "${cpu_limit}"}}}
    return Fault.model_validate(
        {
            "id": "cpu-small",
            "group": "resources",
            "title": "t",
            "description": "d",
            "why_not_restart": "w",
            "inject": [{"pause": {"seconds": 0}}],
            "oracle": {"effect": [{"throttled": {"max_percent": 10}}]},
            "report": {
                "type": "cpu",
                "summary": "s",
                "terse": "t",
                "misleading": "m",
                "misleading_type": "x",
                "probes": [{"name": "r", "rollout": {}}],
            },
            "repairs": [
                {
                    "title": "more",
                    "playbook": [
                        {
                            "kubernetes.core.k8s": {
                                "definition": {
                                    "apiVersion": "apps/v1",
                                    "kind": "Deployment",
                                    "metadata": {"name": "${service}", "namespace": "${ns}"},
                                    "spec": {
                                        "template": {
                                            "spec": {
                                                "containers": [{"name": "${container}", **limits}]
                                            }
                                        }
                                    },
                                }
                            }
                        }
                    ],
                }
            ],
        }
    )


def failed(outcome: str = "Verified", *failing: str, **fields: Any) -> CaseResult:
    fields = {"acted": True} | fields
    return result(
        1, strict=verdict(False, *failing), method_report=MethodReport(outcome=outcome, **fields)
    )


@pytest.mark.parametrize(
    ("outcome", "fields", "cause"),
    [
        ("Abstained", {"acted": False}, Cause.ABSTAINED),
        ("NoActionNeeded", {"acted": False}, Cause.SAW_NOTHING_WRONG),
        ("Rejected", {"acted": False, "rejected": 2}, Cause.REJECTED),
        ("RolledBack", {}, Cause.ROLLED_BACK),
        ("RollbackFailed", {}, Cause.ROLLBACK_FAILED),
        ("TimedOut", {}, Cause.TIMED_OUT),
        ("NotAccepted", {"acted": False}, Cause.NOT_ACCEPTED),
        ("Failed", {"acted": False, "message": "the model did not answer"}, Cause.MODEL_ERROR),
        ("", {"error": "KeyError: 'x'"}, Cause.METHOD_ERROR),
        ("", {"error": "no outcome within 300 s"}, Cause.TIMED_OUT),
        ("NoAction", {"acted": False}, Cause.DID_NOTHING),
        ("", {"error": "the oracle's playbook did not compile"}, Cause.METHOD_ERROR),
        ("Gate", {"acted": False, "rejected": 1}, Cause.REJECTED),
        ("Restarted", {}, Cause.WRONG_ACTION),
    ],
)
def test_by_what_the_method_did(outcome: str, fields: dict[str, Any], cause: Cause) -> None:
    assert cause_of(failed(outcome, "usage cpu", **fields)) is cause


@pytest.mark.parametrize(
    ("failing", "cause"),
    [
        (("users",), Cause.USERS_NOT_SERVED),
        (("neighbours", "users"), Cause.NEIGHBOUR_HARMED),
        (("changes",), Cause.LEFT_CHANGED),
        (("no_restarts", "users", "neighbours"), Cause.WRONG_ACTION),
        (("injector", "users"), Cause.INJECTOR_TOUCHED),
    ],
)
def test_cause_by_failed_measurement(failing: tuple[str, ...], cause: Cause) -> None:
    assert cause_of(failed("Verified", *failing)) is cause


def test_a_fault_that_is_gone_with_a_change_that_remains() -> None:
    verdict = Verdict(
        passed=False,
        measured=[
            Measured(name="rollout cart", ok=True),
            Measured(name="rollout available", ok=True),
            Measured(name="changes", ok=False),
        ],
    )
    assert cause_of(failed().model_copy(update={"strict": verdict})) is Cause.LEFT_CHANGED
    assert effect_gone(verdict)


def test_what_could_not_be_measured_is_its_own_cause() -> None:
    unknown = Verdict(passed=False, measured=[Measured(name="throttled", ok=None)])
    case_result = failed().model_copy(update={"strict": unknown})
    assert cause_of(case_result) is Cause.NOT_MEASURED


def test_an_effect_that_returns() -> None:
    back = verdict(
        False,
        "serves",
        reasons=["serves cart: 503", "it held for 4 s and came back: serves cart: 503"],
    )
    assert cause_of(failed().model_copy(update={"strict": back})) is Cause.CAME_BACK


def test_the_right_kind_of_action_is_told_from_a_wrong_one() -> None:
    enough = failed("Unverified", "throttled", playbooks=[MORE_CPU])
    wrong = failed("Unverified", "throttled", playbooks=[RESTART])
    assert cause_of(enough, fault()) is Cause.NOT_SUFFICIENT
    assert cause_of(wrong, fault()) is Cause.WRONG_ACTION
    assert cause_of(enough) is Cause.WRONG_ACTION


@pytest.mark.parametrize("text", ["{", "- 3", "null", "a: !!python/object:os.system {}", "[[]]"])
def test_a_playbook_that_is_none_is_a_wrong_action(text: str) -> None:
    assert cause_of(failed("x", "throttled", playbooks=[text]), fault()) is Cause.WRONG_ACTION


@pytest.mark.parametrize(
    ("outcome", "did", "failing", "cause"),
    [
        ("RolledBack", True, "changes", Cause.ACTED_ON_CONTROL),
        ("Abstained", False, "changes", Cause.ACTED_ON_CONTROL),
        ("Abstained", False, "serves cart", Cause.NOT_HEALED),
        ("Verified", True, "injector", Cause.INJECTOR_TOUCHED),
    ],
)
def test_controls(outcome: str, did: bool, failing: str, cause: Cause) -> None:
    on = failed(outcome, failing, acted=did)
    assert cause_of(on.model_copy(update={"case": case(1, control=Control.HOSTILE)})) is cause


def test_what_is_seen_counts_only_where_nothing_may_be_done() -> None:
    quiet = failed("Abstained", "changes", acted=False)
    assert not acted(quiet)
    assert acted(quiet.model_copy(update={"case": case(1, control=Control.HEALTHY)}))


def test_what_was_not_judged() -> None:
    injection = result(1, passed=None, state=State.INJECTION_FAILED)
    harness = result(1, passed=None, state=State.HARNESS_ERROR)
    assert cause_of(injection) is Cause.INJECTION_FAILED
    assert cause_of(harness) is Cause.HARNESS_ERROR
    assert cause_of(result(1)) is Cause.NONE


def test_every_cause_is_explained() -> None:
    assert set(MEANING) == set(Cause) - {Cause.NONE}


@pytest.mark.parametrize(
    "check",
    [
        {"rollout": {}},
        {"serves": {}},
        {"no_restarts": {"service": "cart"}},
        {"field": {"kind": "Service", "name": "cart", "path": "spec.x", "absent": True}},
    ],
)
def test_the_oracle_calls_its_measurements_of_the_effect_so(check: dict[str, Any]) -> None:
    name = check_name(Check.model_validate(check))
    assert not effect_gone(verdict(False, name))
    assert cause_of(failed("Unverified", name, "users", "changes")) is Cause.WRONG_ACTION


def test_the_oracle_has_this_name_for_the_sli_of_users() -> None:
    sli_check = compare_sli(UserSli(ok=10, end=1), UserSli(ok=1, failed=9, end=1))
    assert sli_check.ok is False
    assert cause_of(failed("Verified", sli_check.name)) is Cause.USERS_NOT_SERVED
