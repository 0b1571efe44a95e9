"""What a scrape shows after something has happened."""

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from reme_api.reasons import Outcome, Reason, Step
from reme_operator.telemetry.metrics import OTHER, Metrics

Labels = dict[str, str]


def scraped(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.page().body.decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return scraped(metrics).get((name, frozenset(labels.items())))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3", CollectorRegistry())


def test_an_ended_remediation_is_counted_with_its_duration(metrics: Metrics) -> None:
    metrics.remediation_ended(Outcome.VERIFIED, Reason.PROBES_PASSED, 42.0)
    counted = {"outcome": "Verified", "reason": "ProbesPassed"}
    assert value(metrics, "reme_remediations_total", **counted) == 1
    assert value(metrics, "reme_remediation_duration_seconds_sum", outcome="Verified") == 42
    within = {"outcome": "Verified", "le": "45.0"}
    assert value(metrics, "reme_remediation_duration_seconds_bucket", **within) == 1


def test_what_alerts_ask_for_exists_before_it_happens(metrics: Metrics) -> None:
    bad = {"outcome": "RollbackFailed", "reason": "RollbackFailed"}
    assert value(metrics, "reme_remediations_total", **bad) == 0
    assert value(metrics, "reme_model_request_duration_seconds_count", result="timeout") == 0
    assert value(metrics, "reme_step_duration_seconds_count", step="Generate") == 0


def test_verification_is_a_step_and_a_metric_of_its_own(metrics: Metrics) -> None:
    metrics.step_ended(Step.VERIFY, 11)
    metrics.step_ended(Step.GENERATE, 7)
    assert value(metrics, "reme_step_duration_seconds_sum", step="Verify") == 11
    assert value(metrics, "reme_verification_duration_seconds_count") == 1


def test_tokens_are_counted_by_kind_and_failures_bring_none(metrics: Metrics) -> None:
    metrics.model_replied(3.0, prompt_tokens=900, completion_tokens=80)
    metrics.model_failed(120.0, timed_out=True)
    metrics.model_failed(1.0)
    assert value(metrics, "reme_model_tokens_total", kind="prompt") == 900
    assert value(metrics, "reme_model_tokens_total", kind="completion") == 80
    counts = {
        result: value(metrics, "reme_model_request_duration_seconds_count", result=result)
        for result in ("ok", "timeout", "error")
    }
    assert counts == {"ok": 1, "timeout": 1, "error": 1}


def test_an_unknown_rule_does_not_become_a_series(metrics: Metrics) -> None:
    metrics.register_rules(["Bounds", "NotAllowed"])
    metrics.playbook_rejected("Bounds")
    metrics.playbook_rejected("a text of the model")
    names = {
        dict(labels)["rule"]: number
        for (name, labels), number in scraped(metrics).items()
        if name == "reme_playbook_rejections_total"
    }
    assert names == {"Bounds": 1, "NotAllowed": 0, OTHER: 1}


def test_a_pass_that_raises_is_counted_as_an_error(metrics: Metrics) -> None:
    with metrics.reconcile():
        pass
    with pytest.raises(RuntimeError), metrics.reconcile():
        raise RuntimeError
    assert value(metrics, "reme_reconcile_duration_seconds_count", result="ok") == 1
    assert value(metrics, "reme_reconcile_duration_seconds_count", result="error") == 1


def test_gauges_follow_the_truth(metrics: Metrics) -> None:
    metrics.leading(True)
    metrics.jobs_active(2)
    metrics.remediations_open(3)
    assert value(metrics, "reme_leader") == 1
    assert value(metrics, "reme_sandbox_jobs_active") == 2
    assert value(metrics, "reme_remediations_open") == 3
    metrics.leading(False)
    assert value(metrics, "reme_leader") == 0


def test_labels_come_from_bounded_sets_and_names_follow_the_style(metrics: Metrics) -> None:
    metrics.report_decided(Reason.NO_POLICY_MATCHES)
    metrics.object_unreadable("Remediation")
    allowed = {"outcome", "reason", "step", "result", "kind", "rule", "version", "in_flight", "le"}
    allowed |= {"choice", "inspection"}
    for name, labels in scraped(metrics):
        assert name.startswith("reme_"), name
        assert {key for key, _ in labels} <= allowed, name


def test_the_process_itself_is_measured_in_a_registry_of_its_own() -> None:
    first, second = Metrics("1"), Metrics("2")
    assert value(first, "process_resident_memory_bytes")
    first.leading(True)
    assert value(second, "reme_leader") == 0
    assert value(second, "reme_build_info", version="2") == 1
