"""`kubectl reme policy explain`: it decides as the operator would, and changes nothing."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reme_api.policy import RemediationPolicy
from reme_kube.cluster import ApiCluster
from reme_kube.credentials import Credentials
from reme_kube.http_client import ApiClient
from reme_operator.admission.explain import Explanation
from reme_operator.cli.errors import CliError
from reme_operator.cli.explanation_text import explanation_lines
from reme_operator.cli.policy_explain import explain_report
from tests.doubles.api_rules import Json
from tests.doubles.builders import remediation
from tests.doubles.fake_api import FakeApi, refusal
from tests.doubles.shop import NAMESPACE, RELEASE, file_report, open_shop
from tests.integration.cli.conftest import Cluster


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi().running() as fake_api:
        open_shop(fake_api)
        file_report(fake_api)
        yield fake_api


async def explained(api: FakeApi, name: str = "cart-down", **options: Any) -> Explanation:
    async with ApiClient(Credentials(api.url, None), attempts=1) as client:
        explanation = await explain_report(
            ApiCluster(client), NAMESPACE, name, release_namespace=RELEASE, **options
        )
    assert api.calls == [], "nothing is written"
    return explanation


def install_operator(api: FakeApi, **environment: str) -> None:
    """Put the operator's Deployment there, as the chart makes it."""
    labels = {"app.kubernetes.io/part-of": "reme", "app.kubernetes.io/component": "operator"}
    variables = [{"name": name, "value": value} for name, value in environment.items()]
    named: Json = {"name": "REME_NAMESPACE", "valueFrom": {"fieldRef": {}}}
    containers = [{"name": "sidecar"}, {"name": "operator", "env": [named, *variables]}]
    api.put(
        "deployments",
        {
            "metadata": {"name": "reme-operator", "namespace": RELEASE, "labels": labels},
            "spec": {"template": {"spec": {"containers": containers}}},
        },
    )


def put_switch(api: FakeApi, name: str) -> None:
    api.put("configmaps", {"metadata": {"name": name, "namespace": RELEASE}})


def printed(explanation: Explanation) -> str:
    return "\n".join(line.plain for line in explanation_lines(explanation))


async def test_it_says_what_would_be_allowed_and_writes_nothing(api: FakeApi) -> None:
    explanation = await explained(api)
    assert explanation.accepted, explanation.message
    assert explanation.policy == f"{NAMESPACE}/usual"
    allowed = {one.summary for line in explanation.actions for one in line.allowed}
    assert "Restart Deployment cart" in allowed
    assert "Scale Deployment cart to 2" in allowed
    assert json.loads(explanation.model_dump_json())["policy"] == explanation.policy


async def test_a_policy_of_a_file_stands_in_for_that_of_its_name(api: FakeApi) -> None:
    body = {
        "metadata": {"name": "usual", "namespace": NAMESPACE, "uid": "file"},
        "spec": {"mode": "Auto", "actions": [{"name": "Scale", "maxReplicas": 1}]},
    }
    explanation = await explained(api, file_policies=[RemediationPolicy.model_validate(body)])
    (scale,) = [line for line in explanation.actions if line.name == "Scale"]
    assert scale.allowed == []
    assert {one.rule for one in scale.refused} == {"Bounds"}


async def test_it_sees_the_kill_switch(api: FakeApi) -> None:
    put_switch(api, "reme-stop")
    explanation = await explained(api)
    assert (explanation.accepted, explanation.reason) == (False, "KillSwitch")
    assert any("no operator found in namespace reme-system" in note for note in explanation.notes)


async def test_the_kill_switch_has_the_name_that_the_operator_was_given(api: FakeApi) -> None:
    install_operator(api, REME_KILL_SWITCH_NAME="halt")
    put_switch(api, "reme-stop")
    assert (await explained(api)).accepted, "that of another name stops nothing"
    put_switch(api, "halt")
    explanation = await explained(api)
    assert (explanation.accepted, explanation.reason) == (False, "KillSwitch")
    assert (await explained(api, kill_switch="other")).accepted


async def test_who_may_not_read_the_operator_is_told_what_was_assumed(api: FakeApi) -> None:
    install_operator(api, REME_KILL_SWITCH_NAME="halt")
    path = f"/namespaces/{RELEASE}/deployments"
    api.faults.append(refusal(403, "Forbidden", times=9, path=path))
    api.faults.append(refusal(403, "Forbidden", times=9, path="/configmaps/reme-stop"))
    async with ApiClient(Credentials(api.url, None), attempts=1) as client:
        explanation = await explain_report(
            ApiCluster(client), NAMESPACE, "cart-down", release_namespace=RELEASE
        )
    assert explanation.accepted
    notes = "\n".join(explanation.notes)
    assert "looked for in ConfigMap reme-stop (--release-namespace, --kill-switch)" in notes
    assert "whether the kill switch is on is unknown" in notes


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"REME_PAUSED": "true"}, "Suspended"),
        ({"REME_WATCH_NAMESPACES": "one, two"}, "NamespaceNotWatched"),
        ({"REME_MAX_CONCURRENT": "1"}, "BudgetExhausted"),
        ({"REME_WATCH_NAMESPACES": f"one,{NAMESPACE}", "REME_MAX_CONCURRENT": ""}, None),
    ],
)
async def test_the_settings_of_the_operator_count(
    api: FakeApi, environment: dict[str, str], reason: str | None
) -> None:
    install_operator(api, **environment)
    other = remediation(name="stock-down-1").manifest()
    other["spec"]["target"]["name"] = "stock"
    other["spec"]["policy"]["name"] = "another"
    api.put("remediations", other)
    explanation = await explained(api)
    assert (explanation.reason if not explanation.accepted else None) == reason


async def test_a_report_that_is_not_there(api: FakeApi) -> None:
    with pytest.raises(CliError, match="DiagnosisReport nothing not found in namespace shop"):
        await explained(api, "nothing")


async def test_a_target_that_is_gone_leaves_nothing_to_allow(api: FakeApi) -> None:
    file_report(api, target={"kind": "Deployment", "name": "ghost"})
    explanation = await explained(api)
    assert (explanation.accepted, explanation.reason, explanation.actions) == (
        False,
        "TargetNotFound",
        [],
    )
    assert "Deployment shop/ghost" in printed(explanation)


def test_the_command(cluster: Cluster, tmp_path: Path) -> None:
    open_shop(cluster.api)
    file_report(cluster.api)
    explain = ("policy", "explain", "cart-down")
    assert "  accepted (RemediationCreated)" in cluster.run(*explain)
    assert json.loads(cluster.run(*explain, "--json"))["accepted"] is True
    put_switch(cluster.api, "halt")
    out, _ = cluster.outputs(*explain, "--kill-switch", "halt", code=3)
    assert "not accepted (KillSwitch)" in out
    file = tmp_path / "policies.yaml"
    spec = {"mode": "Auto", "suspend": True}
    file.write_text(
        yaml.safe_dump_all(
            [
                {"kind": "ConfigMap"},
                {"kind": "RemediationPolicy", "metadata": {"name": "usual"}, "spec": spec},
            ]
        )
    )
    out, _ = cluster.outputs(*explain, "--policy", str(file), code=3)
    assert "not accepted (PolicySuspended)" in out


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "policies.yaml: while parsing"),
        ("a: b", "no RemediationPolicy in this file"),
        ("a: 2026-02-30", "day is out of range for month"),
        ("[" * 3000, "recursion"),
        ("kind: RemediationPolicy\nmetadata: {name: x}\nspec: {mode: Never}", "x: spec.mode"),
    ],
)
def test_a_file_that_cannot_be_used(
    cluster: Cluster, tmp_path: Path, content: str, problem: str
) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(content)
    assert problem in cluster.run("policy", "explain", "x", "--policy", str(file), fails=1)
    assert "cannot" in cluster.run("policy", "explain", "x", "--policy", str(tmp_path), fails=1)
