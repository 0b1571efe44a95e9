"""What is asked of the API server beforehand is what the run does, and all of it is shown."""

import copy
import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings

from reme_playbook.actions.api_request import ApiRequest
from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.node import RemoveTaint, UncordonNode
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.execution import plan_record
from reme_playbook.execution.dry_run import DryRunTask, dry_run_tasks, requests
from reme_playbook.snapshot import object_diff
from reme_playbook.snapshot.sensitive import HIDDEN
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.unit.playbook.builders import CART, CONFIG, Shop, container, key, template
from tests.unit.playbook.constrained import CORDONED, NODE, TAINTED
from tests.unit.playbook.merge import merge
from tests.unit.playbook.test_rollback import repairs, run, state

RUN = "reme-0a1b2c3d-1"


def history(live: ClusterSnapshot) -> list[dict[str, Any]]:
    """Return the revisions as the API server keeps them."""
    owner = {"uid": live.workload["metadata"].get("uid", "u"), "controller": True}
    return [
        {
            "metadata": {
                "ownerReferences": [owner],
                "annotations": {"deployment.kubernetes.io/revision": str(r.number)},
            },
            "spec": {"template": copy.deepcopy(dict(r.template))},
            "revision": r.number,
            "data": {"spec": {"template": copy.deepcopy(dict(r.template))}},
        }
        for r in live.revisions
    ]


def request_of(live: ClusterSnapshot, part: DryRunTask) -> ApiRequest:
    manifest = copy.deepcopy(dict(live.objects[part.target]))
    manifest["metadata"] = {"uid": "u", "resourceVersion": "7", **manifest.get("metadata", {})}
    (request,) = requests(part, RUN, manifest, history(live) if part.history else ())
    return request


def carried_out(manifest: Any, request: ApiRequest) -> Any:
    """Return the object after the request, on a model of the API server."""
    if request.path.endswith("/scale"):
        return merge(manifest, request.body)
    if request.content_type.startswith("application/json-patch"):
        operations = [op for op in request.body if op["path"] != "/metadata/resourceVersion"]
        return jsonpatch.apply_patch(manifest, operations)
    if request.content_type.startswith("application/merge-patch"):
        return {**manifest, "spec": {**manifest["spec"], **request.body["spec"]}}
    return merge(manifest, request.body)


@settings(max_examples=40, deadline=None)
@given(repairs())
def test_the_requests_do_what_the_run_does(repair: tuple[Shop, tuple[Action, ...]]) -> None:
    shop, actions = repair
    before = shop.live()
    objects: dict[Any, Any] = copy.deepcopy(dict(before.objects))
    now = ClusterSnapshot(
        target=before.target,
        objects=objects,
        neighbours=before.neighbours,
        revisions=before.revisions,
    )
    for part in dry_run_tasks(actions, RUN):
        request = request_of(now, part)
        if request.method == "DELETE":
            del objects[part.target]
        else:
            objects[part.target] = carried_out(objects[part.target], request)
    assert state(now) == state(run(before, actions))


def test_every_part_is_where_the_role_of_the_run_lets_it_be() -> None:
    actions: list[Action] = [
        Scale(target=CART, replicas=3),
        DeletePod(target=key("Pod", "cart-1")),
        SetConfigValue(target=CONFIG, key="color", value="blue"),
        UncordonNode(target=NODE),
    ]
    live = CORDONED.live()
    manifest = [
        request_of(live, part)
        for part in dry_run_tasks(actions, RUN)
        if part.target in live.objects
    ]
    assert [(one.method, one.path) for one in manifest if one.path.endswith("/scale")] == [
        ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/cart/scale")
    ]
    paths = [part.target.path for part in dry_run_tasks(actions, RUN)]
    assert "/api/v1/namespaces/shop/pods/cart-1" in paths
    assert "/api/v1/namespaces/shop/configmaps/cart-config" in paths
    assert f"/api/v1/nodes/{NODE.name}" in paths


def test_patches_of_one_object_are_one_request_as_in_the_run() -> None:
    actions_of_cart: list[Action] = [
        SetResources(target=CART, container="server", memory_limit="256Mi"),
        SetEnv(target=CART, container="server", variable="LEVEL", value="debug"),
        Restart(target=CART),
    ]
    (part,) = dry_run_tasks(actions_of_cart, RUN)
    body = request_of(Shop().live(), part).body
    annotations = body["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"reme.dev/restarted-at": RUN}
    (server,) = body["spec"]["template"]["spec"]["containers"]
    assert set(server) == {"name", "resources", "env"}


def test_a_taint_is_taken_off_and_the_others_stay() -> None:
    live = TAINTED.live()
    (taint, *_) = live.objects[NODE]["spec"]["taints"]
    action = RemoveTaint(target=NODE, key=taint["key"], effect=taint["effect"])
    (part,) = dry_run_tasks([action], RUN)
    remaining = request_of(live, part).body["spec"]["taints"]
    assert remaining == [t for t in live.objects[NODE]["spec"]["taints"] if t != taint]


def test_a_revision_that_is_gone_is_a_rejection() -> None:
    live = Shop().live()
    (part,) = dry_run_tasks([Rollback(target=CART, revision=99)], RUN)
    with pytest.raises(RejectedPlaybookError):
        request_of(live, part)


def test_the_diff_names_fields_as_grants_do() -> None:
    before: dict[str, Any] = {
        "metadata": {"name": "cart", "resourceVersion": "1", "generation": 1},
        "spec": {
            "replicas": 1,
            "selector": {"app": "cart"},
            "ports": [{"port": 80, "targetPort": 1}],
            "template": template(),
        },
        "data": {"a.b": "1"},
        "status": {"replicas": 1},
    }
    after = copy.deepcopy(before)
    after["metadata"] |= {"resourceVersion": "2", "generation": 2}
    after["status"] = {"replicas": 2}
    after["spec"]["replicas"] = 2
    after["spec"]["selector"]["tier"] = "web"
    after["spec"]["ports"][0]["targetPort"] = "http"
    after["data"]["a.b"] = "2"
    after["spec"]["template"] = template(container(image="cart:3", command=None))
    manifest = object_diff.differences(CART, before, after)
    assert [(d.field, d.before, d.after) for d in manifest] == [
        ("data[a.b]", "1", "2"),
        ("spec.ports[80].targetPort", "1", "http"),
        ("spec.replicas", "1", "2"),
        ("spec.selector[tier]", None, "web"),
        (
            "spec.template.spec.containers[server].command",
            json.dumps(["/cart", "{{serve}}"]),
            None,
        ),
        (
            "spec.template.spec.containers[server].image",
            "registry.example/cart:2",
            "cart:3",
        ),
    ]


def test_an_entry_that_comes_or_goes_is_seen_even_if_it_says_nothing_else() -> None:
    before = {"spec": {"env": [{"name": "A"}]}}
    after: dict[str, Any] = {"spec": {"env": []}}
    assert [(d.field, d.before, d.after) for d in object_diff.differences(CART, before, after)] == [
        ("spec.env", None, "[]"),
        ("spec.env[A]", "{}", None),
    ]


def test_what_may_be_a_secret_is_hidden_and_still_counts() -> None:
    def with_password(value: str) -> Any:
        return template(container(env=[{"name": "DB_PASSWORD", "value": value}]))

    before, after = {"spec": with_password("one")}, {"spec": with_password("two")}
    manifest = object_diff.differences(CART, before, after)
    (change,) = plan_record.changes(manifest)
    assert (change.before, change.after) == (HIDDEN, HIDDEN)
    other = object_diff.differences(CART, before, {"spec": with_password("three")})
    assert plan_record.digest("p", manifest) != plan_record.digest("p", other)
    assert plan_record.changes(manifest) == plan_record.changes(other)


def test_a_digest_is_of_the_playbook_too() -> None:
    assert plan_record.digest("one", []) != plan_record.digest("two", [])
    assert plan_record.digest("one", []) == plan_record.digest("one", [])


def test_what_does_not_fit_is_told_apart() -> None:
    short = [object_diff.Difference(CART, "spec.replicas", "1", "2")]
    assert plan_record.fits(short)
    assert not plan_record.fits(short * 33)
    long = [object_diff.Difference(CART, "data[x]", None, "y" * 300)]
    assert not plan_record.fits(long)
    (cut,) = plan_record.changes(long)
    assert len(cut.after) == plan_record.MAX_SHORT
    (whole,) = plan_record.changes(long, plan_record.MAX_LONG)
    assert whole.after == "y" * 300
