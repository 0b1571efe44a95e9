"""The types refuse what the API server refuses, and read what a newer operator wrote."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from reme_api.conditions import Condition, Status, find_condition, set_condition
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import EvidenceRequirements, RemediationPolicy, Verification
from reme_api.probes import Probe
from reme_api.reasons import ConditionType, Reason

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HTTP = {"service": "a", "port": 1}


def report(**spec: Any) -> dict[str, Any]:
    base = {"target": {"kind": "Deployment", "name": "cart"}, "fault": {"type": "oom"}}
    return {"metadata": {"name": "r", "namespace": "shop"}, "spec": base | spec}


@pytest.mark.parametrize(
    "probe",
    [
        {"name": "none"},
        {"name": "two", "rollout": {}, "tcp": {"service": "a", "port": 1}},
        {"name": "Upper", "rollout": {}},
        {"name": "path", "http": {"service": "a", "port": 1, "path": "no-slash"}},
        {"name": "host", "http": {"service": "http://evil/", "port": 1}},
        {"name": "port", "tcp": {"service": "a", "port": 0}},
        {"name": "port-text", "tcp": {"service": "a", "port": "70000"}},
        {"name": "port-name", "tcp": {"service": "a", "port": "My Port"}},
        {"name": "port-bool", "tcp": {"service": "a", "port": True}},
        {"name": "method", "http": {"service": "a", "port": 1, "method": "DELETE"}},
        {"name": "body-of-get", "http": {"service": "a", "port": 1, "body": "x"}},
        {"name": "body", "http": {"service": "a", "port": 1, "method": "POST", "body": "x" * 8193}},
        {"name": "secret", "http": HTTP | {"headers": [{"name": "Authorization", "value": "x"}]}},
        {"name": "host-header", "http": HTTP | {"headers": [{"name": "host", "value": "x"}]}},
        {"name": "split", "http": HTTP | {"headers": [{"name": "a", "value": "b\r\nc: d"}]}},
        {"name": "grpc-name", "grpc": {"service": "a", "port": 1, "healthService": "a b"}},
        {"name": "grpc-and-tcp", "grpc": HTTP, "tcp": HTTP},
    ],
    ids=lambda probe: probe["name"],
)
def test_a_probe_that_cannot_be_measured_is_refused(probe: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Probe.model_validate(probe)


@pytest.mark.parametrize(
    ("written", "port"), [(80, 80), ("80", 80), ("http", "http"), ("8080-tcp", "8080-tcp")]
)
def test_a_port_is_a_number_or_a_name(written: Any, port: int | str) -> None:
    for kind in ("http", "tcp", "grpc"):
        probe = Probe.model_validate({"name": "p", kind: {"service": "a", "port": written}})
        assert probe.request is not None
        assert probe.request.port == port
        assert Probe.model_validate(probe.wire()) == probe
    assert Probe.model_validate({"name": "p", "rollout": {}}).request is None


def test_a_window_longer_than_its_timeout_is_refused() -> None:
    with pytest.raises(ValidationError, match="timeoutSeconds"):
        Verification(window_seconds=60, timeout_seconds=30)


@pytest.mark.parametrize("seconds", [-1, 3601])
def test_how_long_a_fault_must_last_is_bounded(seconds: int) -> None:
    with pytest.raises(ValidationError, match="minPersistenceSeconds"):
        EvidenceRequirements.model_validate({"minPersistenceSeconds": seconds})


def test_an_unknown_field_in_a_spec_is_refused_and_in_a_status_ignored() -> None:
    with pytest.raises(ValidationError, match="shell"):
        DiagnosisReport.model_validate(report(shell="rm"))
    with_newer_status = report() | {"status": {"newField": 1, "message": "hello"}}
    assert DiagnosisReport.model_validate(with_newer_status).status.message == "hello"


def test_a_policy_without_a_spec_is_the_safest_one() -> None:
    policy = RemediationPolicy.model_validate({"metadata": {"name": "p"}})
    assert policy.spec.mode == "Observe"
    assert policy.spec.actions == []


def test_a_manifest_goes_back_and_forth_unchanged() -> None:
    first = DiagnosisReport.model_validate(
        report(probes=[{"name": "up", "http": {"service": "cart", "port": 80}}])
    )
    manifest = first.manifest()
    assert manifest["apiVersion"] == "reme.dev/v1alpha1"
    assert manifest["kind"] == "DiagnosisReport"
    assert manifest["spec"]["probes"][0]["http"]["maxStatus"] == 399
    assert DiagnosisReport.model_validate(manifest) == first


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    def set_to(before: list[Condition], status: Status, minutes: int) -> list[Condition]:
        return set_condition(
            before,
            ConditionType.SUCCEEDED,
            status,
            Reason.IN_PROGRESS,
            "m" * 2000,
            generation=minutes,
            now=NOW + timedelta(minutes=minutes),
        )

    first = set_to([], Status.UNKNOWN, 0)
    second = set_to(first, Status.UNKNOWN, 1)
    third = set_to(second, Status.TRUE, 2)
    times = [find_condition(c, ConditionType.SUCCEEDED) for c in (first, second, third)]
    assert [c.last_transition_time for c in times if c] == [NOW, NOW, NOW + timedelta(minutes=2)]
    assert [c.observed_generation for c in times if c] == [0, 1, 2]
    assert len(third) == 1
    assert len(third[0].message) == 1024
