"""`reme policy explain` against a live cluster: it says what is, and changes nothing."""

import json

import pytest

from reme_api.policy import RemediationPolicy
from reme_kube.cluster import ApiCluster
from reme_kube.credentials import Credentials
from reme_kube.http_client import ApiClient
from reme_operator.admission.explain import Explanation
from reme_operator.cli.explanation_text import text
from reme_operator.cli.policy_explain import ExplainError, explained
from tests.doubles.shop import NAMESPACE, RELEASE, file_report, open_shop
from tests.integration.operator.conftest import World


async def said(world: World, name: str = "cart-down", *given: RemediationPolicy) -> Explanation:
    async with ApiClient(Credentials(world.api.url, None), attempts=1) as server:
        return await explained(
            ApiCluster(server), NAMESPACE, name, given=given, release_namespace=RELEASE
        )


async def test_it_says_what_would_be_allowed_and_writes_nothing(world: World) -> None:
    open_shop(world.api)
    file_report(world.api)
    found = await said(world)
    assert found.accepted, found.message
    assert found.policy == f"{NAMESPACE}/usual"
    allowed = {one.summary for line in found.actions for one in line.allowed}
    assert "Restart Deployment cart" in allowed
    assert "Scale Deployment cart to 2" in allowed
    assert world.api.calls == []
    assert json.loads(found.model_dump_json())["policy"] == found.policy


async def test_a_policy_of_a_file_stands_in_for_that_of_its_name(world: World) -> None:
    open_shop(world.api)
    file_report(world.api)
    body = {
        "metadata": {"name": "usual", "namespace": NAMESPACE, "uid": "file"},
        "spec": {"mode": "Auto", "actions": [{"name": "Scale", "maxReplicas": 1}]},
    }
    found = await said(world, "cart-down", RemediationPolicy.model_validate(body))
    (scale,) = [line for line in found.actions if line.name == "Scale"]
    assert scale.allowed == []
    assert {one.rule for one in scale.refused} == {"Bounds"}
    assert world.api.calls == []


async def test_it_sees_the_kill_switch_and_what_is_under_way(world: World) -> None:
    open_shop(world.api)
    file_report(world.api)
    world.api.put("configmaps", {"metadata": {"name": "reme-stop", "namespace": RELEASE}})
    found = await said(world)
    assert (found.accepted, found.reason) == (False, "KillSwitch")


async def test_a_report_that_is_not_there_is_said_plainly(world: World) -> None:
    open_shop(world.api)
    with pytest.raises(ExplainError, match="no DiagnosisReport nothing"):
        await said(world, "nothing")


async def test_a_target_that_is_gone_leaves_nothing_to_allow(world: World) -> None:
    open_shop(world.api)
    file_report(world.api, target={"kind": "Deployment", "name": "ghost"})
    found = await said(world)
    assert (found.accepted, found.reason, found.actions) == (False, "TargetNotFound", [])
    assert "Deployment shop/ghost" in text(found)
