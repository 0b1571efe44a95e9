"""A Service that selects pods of several workloads: by design, or by mistake."""

from dataclasses import replace

import pytest

from reme_api.actions import ActionName
from reme_playbook.actions.service import PatchServicePort, PatchServiceSelector
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot import views
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.shared_services import narrowing_labels, unintended_workloads
from reme_playbook.snapshot.siblings import Sibling
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.unit.playbook.builders import (
    SERVICE,
    Json,
    Shop,
    container,
    everything,
    key,
    only,
)

CANARY = key("Deployment", "cart-canary")
WORKER = key("Deployment", "worker")
PART: Json = {"part-of": "shop"}


def shop(other: ObjectRef, labels: dict[str, str], **of_container: object) -> ClusterSnapshot:
    """Return a shop whose Service selects `part-of=shop`, which the other workload has too."""
    live = Shop(selector=PART, neighbours={other: {**PART, **labels}})
    live.template["metadata"]["labels"] = {**PART, "app": "cart", "version": "2"}
    containers = (views.container(container(**of_container)),)
    return replace(live.live(), siblings={other: Sibling(containers, healthy=True)})


def offered(live: ClusterSnapshot) -> list[dict[str, str | None]]:
    space = allowed_actions(live, only(ActionName.PATCH_SERVICE_SELECTOR))
    return [action.selector for action in space if isinstance(action, PatchServiceSelector)]


@pytest.mark.parametrize(
    "live",
    [
        shop(WORKER, {"app": "worker", "version": "2"}),
        # Its labels do not say that it is another component; its image or its ports do.
        shop(WORKER, {"version": "2"}, image="registry.example/worker:2"),
        shop(WORKER, {"version": "2"}, ports=None),
    ],
)
def test_a_service_that_selects_another_component_can_be_narrowed(live: ClusterSnapshot) -> None:
    (service,) = live.services
    assert unintended_workloads(service, live) == (WORKER,)
    assert offered(live) == [{"app": "cart"}]


def test_variants_of_one_program_share_a_service_by_design() -> None:
    live = shop(CANARY, {"app": "cart", "version": "3"}, image="registry.example/cart:3")
    assert offered(live) == []
    action = PatchServiceSelector(target=SERVICE, selector={"version": "2"})
    with pytest.raises(RejectedPlaybookError) as rejected:
        validate((action,), everything(), live)
    assert rejected.value.rule is RejectionRule.NOT_OF_TARGET


def test_of_an_unknown_workload_nothing_is_assumed() -> None:
    assert offered(replace(shop(WORKER, {"version": "2"}, ports=None), siblings={})) == []


@pytest.mark.parametrize(
    "spec", [{"clusterIP": "None"}, {"publishNotReadyAddresses": True}, {"type": "ExternalName"}]
)
def test_services_for_discovery_are_left_alone(spec: Json) -> None:
    live = shop(WORKER, {"app": "worker"})
    live.objects[SERVICE]["spec"].update(spec)
    assert offered(live) == []


def test_the_service_of_another_workload_is_left_alone() -> None:
    live = Shop(selector=PART, service="worker", neighbours={WORKER: {**PART, "app": "worker"}})
    live.template["metadata"]["labels"] = {**PART, "app": "cart"}
    assert offered(live.live()) == []


def test_where_no_label_tells_the_pods_apart_nothing_is_offered() -> None:
    live = shop(WORKER, {"app": "cart", "version": "2"}, ports=None)
    (service,) = live.services
    assert unintended_workloads(service, live) == (WORKER,)
    assert narrowing_labels(service, live) == {}
    assert offered(live) == []


def test_the_ports_of_a_shared_service_are_left_alone() -> None:
    live = shop(WORKER, {"app": "worker"})
    live.objects[SERVICE]["spec"]["ports"] = [{"port": 80, "targetPort": 9}]
    assert not allowed_actions(live, only(ActionName.PATCH_SERVICE_PORT))
    with pytest.raises(RejectedPlaybookError, match="other workloads"):
        validate((PatchServicePort(target=SERVICE, port=80, target_port=8080),), everything(), live)


def test_a_selector_that_is_repaired_reaches_no_other_workload() -> None:
    live = Shop(selector={**PART, "app": "card"}, neighbours={WORKER: {**PART, "app": "worker"}})
    live.template["metadata"]["labels"] = {**PART, "component": "cart"}
    # Without its wrong label alone, the selector would select the worker too.
    assert offered(live.live()) == [{"app": None, "component": "cart"}]


def test_narrowing_is_rolled_back_by_removing_the_label() -> None:
    live = shop(WORKER, {"app": "worker"})
    action = PatchServiceSelector(target=SERVICE, selector={"app": "cart"})
    before, _ = action.capture(live)
    (restored,) = action.inverted(dict(zip(action.paths(), before, strict=True)))
    assert restored == PatchServiceSelector(target=SERVICE, selector={"app": None})
    assert action.granted() == ["spec.selector[app]"]
