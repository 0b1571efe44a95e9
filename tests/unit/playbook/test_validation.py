from collections.abc import Sequence
from typing import Any

import pytest

from reme_api.actions import ActionName
from reme_api.policy import RemediationPolicySpec
from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.env import SetEnv, UnsetEnv
from reme_playbook.actions.image import SetImage
from reme_playbook.actions.probe import PatchProbe
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.rollout import PauseRollout, ResumeRollout
from reme_playbook.actions.scale import Scale
from reme_playbook.actions.service import PatchServicePort, PatchServiceSelector
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.unit.playbook.builders import (
    CART,
    CONFIG,
    SERVICE,
    STOCK,
    Shop,
    container,
    everything,
    key,
    only,
    template,
)


def rejection(
    actions: Action | Sequence[Action],
    live: ClusterSnapshot,
    policy: RemediationPolicySpec | None = None,
    **options: Any,
) -> RejectionRule | None:
    """Return the rule that is broken; nothing if all is well."""
    listed = [actions] if not isinstance(actions, Sequence) else actions
    try:
        validate(listed, policy or everything(), live, **options)
    except RejectedPlaybookError as error:
        return error.rule
    return None


RESTART = Restart(target=CART)


def test_a_policy_without_actions_allows_nothing() -> None:
    assert rejection(RESTART, Shop().live(), RemediationPolicySpec()) is RejectionRule.NOT_ALLOWED


def test_a_rule_is_for_its_action_kind_and_name() -> None:
    live, name = Shop().live(), ActionName.RESTART
    assert rejection(RESTART, live, only(name)) is None
    assert rejection(RESTART, live, only(name, kinds=["Deployment"], names=["cart"])) is None
    assert rejection(RESTART, live, only(ActionName.SCALE)) is RejectionRule.NOT_ALLOWED
    assert rejection(RESTART, live, only(name, kinds=["DaemonSet"])) is RejectionRule.NOT_ALLOWED
    assert rejection(RESTART, live, only(name, names=["stock"])) is RejectionRule.NOT_ALLOWED


def test_a_rule_about_a_workload_covers_its_pods() -> None:
    pod, live = DeletePod(target=key("Pod", "cart-6d-0")), Shop().live()
    assert rejection(pod, live, only(ActionName.DELETE_POD, names=["cart"])) is None
    assert rejection(pod, live, only(ActionName.DELETE_POD, kinds=["Deployment"])) is None
    assert (
        rejection(pod, live, only(ActionName.DELETE_POD, names=["x"])) is RejectionRule.NOT_ALLOWED
    )


@pytest.mark.parametrize(
    ("shop", "rule"),
    [
        (Shop(metadata={"labels": {"reme.dev/protected": "true"}}), RejectionRule.PROTECTED),
        (Shop(metadata={"labels": {"app.kubernetes.io/part-of": "reme"}}), RejectionRule.PROTECTED),
        (Shop(metadata={"labels": {"reme.dev/protected": "false"}}), None),
        (Shop(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), RejectionRule.NOT_FOUND),
    ],
)
def test_protected_objects_are_left_alone(shop: Shop, rule: RejectionRule | None) -> None:
    assert rejection(RESTART, shop.live()) is rule


def test_a_protected_workload_protects_what_is_related_to_it() -> None:
    shop = Shop(metadata={"labels": {"reme.dev/protected": "true"}})
    assert (
        rejection(DeletePod(target=key("Pod", "cart-6d-0")), shop.live()) is RejectionRule.PROTECTED
    )


def test_a_protected_config_map_is_left_alone() -> None:
    shop = Shop(
        config={"metadata": {"labels": {"reme.dev/protected": "true"}}}, data={"s": "stok:1"}
    )
    action = SetConfigValue(target=CONFIG, key="s", value="stock:1")
    assert rejection(action, shop.live()) is RejectionRule.PROTECTED


def test_the_release_namespace_and_the_systems_are_never_touched() -> None:
    assert rejection(RESTART, Shop().live(), release_namespace="shop") is RejectionRule.PROTECTED
    assert rejection(RESTART, Shop().live(), release_namespace="reme-system") is None
    system = key("Deployment", "coredns", "kube-system")
    live = ClusterSnapshot(target=system, objects={system: {"metadata": {}}}, neighbours={})
    assert rejection(Restart(target=system), live) is RejectionRule.PROTECTED


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (Restart(target=STOCK), RejectionRule.NOT_OF_TARGET),
        (Restart(target=key("Deployment", "cart", "other")), RejectionRule.NOT_OF_TARGET),
        (Restart(target=key("StatefulSet", "cart")), RejectionRule.NOT_FOUND),
        (DeletePod(target=key("Pod", "cart-6d-9")), RejectionRule.NOT_FOUND),
        (
            SetConfigValue(target=key("ConfigMap", "other"), key="a", value="b"),
            RejectionRule.NOT_FOUND,
        ),
        (PauseRollout(target=CART), RejectionRule.INTERNAL),
        (UnsetEnv(target=CART, container="server", variable="LEVEL"), RejectionRule.INTERNAL),
        (SetImage(target=CART, container="nobody", image="a:1"), RejectionRule.NOT_FOUND),
    ],
)
def test_only_what_is_there_and_belongs_to_the_target(action: Action, rule: RejectionRule) -> None:
    assert rejection(action, Shop().live()) is rule


OF_WORKLOADS = "of workloads, only the target itself may be changed"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            STOCK,
            f"Deployment stock exists, but does not belong to Deployment cart: {OF_WORKLOADS}",
        ),
        (
            key("Deployment", "cart", "other"),
            "Deployment cart is in namespace other, the target is in shop",
        ),
        (
            key("Deployment", "no"),
            f"Deployment no does not exist, or does not belong to Deployment cart: {OF_WORKLOADS}",
        ),
    ],
)
def test_a_refused_object_is_said_to_exist_where_it_does(target: ObjectRef, message: str) -> None:
    with pytest.raises(RejectedPlaybookError) as refused:
        validate([Restart(target=target)], everything(), Shop().live())
    assert refused.value.message == message


def test_an_object_that_is_known_but_not_the_targets_is_left_alone() -> None:
    live = Shop(template=template(volumes=[])).live()
    action = SetConfigValue(target=CONFIG, key="color", value="blue")
    assert rejection(action, live) is RejectionRule.NOT_OF_TARGET


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {"app": "cart", "tier": "web"}},
        {"labels": {"app": "stock", "pod-template-hash": "6d"}},
        {"ownerReferences": []},
        {"ownerReferences": [{"kind": "Node", "name": "n", "controller": True}]},
        {"ownerReferences": [{"kind": "ReplicaSet", "name": "stock-6d", "controller": True}]},
        {"ownerReferences": [{"kind": "ReplicaSet", "name": "cart-6d", "controller": False}]},
        {"ownerReferences": "odd"},
    ],
)
def test_a_pod_that_is_not_the_targets_is_not_deleted(change: dict[str, Any]) -> None:
    live, pod = Shop().live(), key("Pod", "cart-6d-0")
    assert rejection(DeletePod(target=pod), live) is None
    live.objects[pod]["metadata"].update(change)
    assert rejection(DeletePod(target=pod), live) is RejectionRule.NOT_OF_TARGET


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_pods_of_other_workloads_are_found_by_their_owner(kind: str) -> None:
    assert rejection(DeletePod(target=key("Pod", "cart-6d-0")), Shop(kind=kind).live()) is None


def test_at_most_one_ready_pod_is_deleted() -> None:
    both = [DeletePod(target=key("Pod", f"cart-6d-{n}")) for n in range(2)]
    assert rejection(both, Shop().live()) is RejectionRule.BOUNDS
    assert rejection(both, Shop(ready=False).live()) is None


@pytest.mark.parametrize(
    ("now", "expected", "bounds", "rule"),
    [
        (2, 4, {}, None),
        (2, 5, {}, RejectionRule.BOUNDS),
        (2, 3, {"max_increase_percent": 49}, RejectionRule.BOUNDS),
        (2, 3, {"max_increase_percent": 50}, None),
        (8, 11, {"max_increase_percent": 900, "max_replicas": 10}, RejectionRule.BOUNDS),
        (2, 1, {}, RejectionRule.BOUNDS),
        (2, 1, {"max_decrease_percent": 50}, None),
        (1, 0, {"max_decrease_percent": 90}, RejectionRule.HIDES_SYMPTOM),
        (0, 1, {}, None),
        (0, 2, {}, RejectionRule.BOUNDS),
        (2, 2, {}, RejectionRule.NO_CHANGE),
    ],
)
def test_replicas_stay_within_bounds(
    now: int, expected: int, bounds: dict[str, int], rule: RejectionRule | None
) -> None:
    live = Shop(replicas=now).live()
    assert rejection(Scale(target=CART, replicas=expected), live, everything(**bounds)) is rule


def test_replicas_of_before_are_within_bounds_up_to_the_most() -> None:
    shop = Shop(replicas=0, earlier=[template(container(image="cart:1"))], earlier_replicas=6)
    scale = Scale(target=CART, replicas=6)
    assert rejection(scale, shop.live()) is None
    assert rejection(scale, shop.live(), everything(max_replicas=5)) is RejectionRule.BOUNDS
    applied = Shop(replicas=0, applied={CART: {"spec": {"replicas": 6}}})
    assert rejection(scale, applied.live()) is None


@pytest.mark.parametrize(
    ("values", "bounds", "rule"),
    [
        ({"memory_limit": "256Mi"}, {}, None),
        ({"memory_limit": "257Mi"}, {}, RejectionRule.BOUNDS),
        ({"memory_limit": "268435457"}, {}, RejectionRule.BOUNDS),
        ({"memory_limit": "127Mi"}, {}, RejectionRule.BOUNDS),
        ({"memory_limit": "64Mi"}, {"max_decrease_percent": 50}, None),
        ({"memory_limit": "63Mi"}, {"max_decrease_percent": 90}, RejectionRule.VALUE),
        ({"cpu_limit": "600m"}, {}, None),
        ({"cpu_limit": "601m"}, {}, RejectionRule.BOUNDS),
        ({"cpu_request": "100m"}, {}, None),
        ({"cpu_request": "400m"}, {"max_increase_percent": 900}, RejectionRule.VALUE),
        ({"cpu_request": "400m", "cpu_limit": "400m"}, {"max_increase_percent": 900}, None),
        ({"memory_limit": "128Mi"}, {}, RejectionRule.NO_CHANGE),
        ({"memory_limit": "0.125Gi"}, {}, RejectionRule.NO_CHANGE),
        ({"memory_limit": "128Mi", "cpu_limit": "600m"}, {}, None),
    ],
)
def test_amounts_stay_within_bounds(
    values: dict[str, str], bounds: dict[str, int], rule: RejectionRule | None
) -> None:
    action = SetResources(target=CART, container="server", **values)
    assert rejection(action, Shop().live(), everything(**bounds)) is rule


def test_amounts_of_before_are_within_bounds() -> None:
    tiny = container(resources={"limits": {"cpu": "2m", "memory": "128Mi"}})
    action = SetResources(target=CART, container="server", cpu_limit="300m")
    assert rejection(action, Shop(template=template(tiny)).live()) is RejectionRule.BOUNDS
    assert rejection(action, Shop(template=template(tiny), earlier=[template()]).live()) is None


def test_what_has_no_limit_gets_one_only_from_before() -> None:
    free = template(container(resources=None))
    action = SetResources(target=CART, container="server", memory_limit="128Mi")
    assert rejection(action, Shop(template=free).live()) is RejectionRule.BOUNDS
    assert rejection(action, Shop(template=free, earlier=[template()]).live()) is None


OLD = template(container(image="registry.example/cart:1", env=[{"name": "LEVEL", "value": "warn"}]))


def test_an_image_must_have_run_here_before() -> None:
    def image(name: str, where: str = "server") -> SetImage:
        return SetImage(target=CART, container=where, image=name)

    live = Shop(earlier=[OLD]).live()
    assert rejection(image("registry.example/cart:1"), live) is None
    assert rejection(image("registry.example/cart:1", "proxy"), live) is RejectionRule.UNKNOWN_VALUE
    assert rejection(image("registry.example/cart:3"), live) is RejectionRule.UNKNOWN_VALUE
    assert rejection(image("registry.example/cart:2"), live) is RejectionRule.NO_CHANGE
    assert rejection(image("registry.example/cart:1"), Shop().live()) is RejectionRule.UNKNOWN_VALUE


def env(name: str, value: str) -> SetEnv:
    return SetEnv(target=CART, container="server", variable=name, value=value)


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (env("LEVEL", "warn"), None),
        (env("LEVEL", "debug"), RejectionRule.UNKNOWN_VALUE),
        (env("LEVEL", "info"), RejectionRule.NO_CHANGE),
        (env("NEW", "x"), RejectionRule.UNKNOWN_VALUE),
        (env("LD_PRELOAD", "/tmp/x.so"), RejectionRule.UNKNOWN_VALUE),
        (env("KEY", "x"), RejectionRule.VALUE),
        (env("DB_PASSWORD", "x"), RejectionRule.SENSITIVE),
        (env("LEVEL", "http://a:b@stock:8080"), RejectionRule.SENSITIVE),
        (env("STOCK_URL", "http://cart:8080/items"), RejectionRule.UNKNOWN_VALUE),
        (env("STOCK_URL", "http://evil:8080/items"), RejectionRule.UNKNOWN_VALUE),
    ],
)
def test_a_variable_takes_what_it_had_before(action: SetEnv, rule: RejectionRule | None) -> None:
    assert rejection(action, Shop(earlier=[OLD]).live()) is rule


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("http://stock:8080/items", None),
        ("http://front:8080/items", None),
        ("http://stock:9090/items", RejectionRule.UNKNOWN_VALUE),
        ("http://stock:8080/admin", RejectionRule.UNKNOWN_VALUE),
        ("https://stock:8080/items", RejectionRule.UNKNOWN_VALUE),
        ("http://stock.other:8080/items", RejectionRule.UNKNOWN_VALUE),
        ("http://nowhere:8080/items", RejectionRule.UNKNOWN_VALUE),
    ],
)
def test_a_host_that_leads_nowhere_may_become_one_that_exists(
    value: str, rule: RejectionRule | None
) -> None:
    wrong = container(env=[{"name": "STOCK_URL", "value": "http://stok:8080/items"}])
    live = Shop(template=template(wrong)).live()
    assert rejection(env("STOCK_URL", value), live) is rule


def test_what_could_not_be_rolled_back_is_not_done() -> None:
    odd = container(env=[{"name": "LEVEL", "value": "{{ odd }}"}])
    live = Shop(template=template(odd), earlier=[OLD]).live()
    assert rejection(env("LEVEL", "warn"), live) is RejectionRule.CANNOT_ROLL_BACK


def config(name: str, value: str) -> SetConfigValue:
    return SetConfigValue(target=CONFIG, key=name, value=value)


@pytest.mark.parametrize(
    ("shop", "action", "rule"),
    [
        (Shop(), config("color", "blue"), RejectionRule.UNKNOWN_VALUE),
        (Shop(applied={CONFIG: {"data": {"color": "blue"}}}), config("color", "blue"), None),
        (
            Shop(applied={CONFIG: {"data": {"color": 5}}}),
            config("color", "5"),
            RejectionRule.UNKNOWN_VALUE,
        ),
        (Shop(data={"stock": "stok:80"}), config("stock", "stock:80"), None),
        (Shop(), config("color", "red"), RejectionRule.NO_CHANGE),
        (Shop(data={"app.token": "a"}), config("app.token", "b"), RejectionRule.SENSITIVE),
        (Shop(data={"f": "password: x"}), config("f", "y"), RejectionRule.SENSITIVE),
        (Shop(config={"immutable": True}), config("color", "blue"), RejectionRule.VALUE),
        (
            Shop(config={"binaryData": {"color": "YQ=="}}),
            config("color", "blue"),
            RejectionRule.VALUE,
        ),
    ],
)
def test_a_config_value_takes_what_was_applied(
    shop: Shop, action: SetConfigValue, rule: RejectionRule | None
) -> None:
    assert rejection(action, shop.live()) is rule


def probe(**fields: Any) -> PatchProbe:
    return PatchProbe(target=CART, container="server", **{"probe": "readiness", **fields})


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (probe(period_seconds=8), None),
        (probe(period_seconds=9), RejectionRule.HIDES_SYMPTOM),
        (probe(period_seconds=2), None),
        (probe(period_seconds=1), RejectionRule.HIDES_SYMPTOM),
        (probe(failure_threshold=6), None),
        (probe(failure_threshold=7), RejectionRule.HIDES_SYMPTOM),
        (probe(initial_delay_seconds=1), RejectionRule.HIDES_SYMPTOM),
        (probe(initial_delay_seconds=30), None),
        (probe(timeout_seconds=1), RejectionRule.NO_CHANGE),
        (probe(handler="httpGet", path="/healthz"), None),
        (probe(handler="httpGet", path="/"), RejectionRule.UNKNOWN_VALUE),
        (probe(handler="httpGet", path="/ready", port=8080), RejectionRule.NO_CHANGE),
        (probe(handler="httpGet", port=8080, path="/healthz"), None),
        (probe(handler="httpGet", port=9999), RejectionRule.UNKNOWN_VALUE),
        (probe(handler="tcpSocket", port=8080), RejectionRule.VALUE),
        (probe(probe="liveness", period_seconds=8), RejectionRule.NOT_FOUND),
    ],
)
def test_a_probe_stays_what_it_is(action: PatchProbe, rule: RejectionRule | None) -> None:
    before = container(
        readinessProbe={"httpGet": {"path": "/healthz", "port": 8080}, "initialDelaySeconds": 30}
    )
    assert rejection(action, Shop(earlier=[template(before)]).live()) is rule


def selector(**labels: str | None) -> PatchServiceSelector:
    return PatchServiceSelector(target=SERVICE, selector=labels)


@pytest.mark.parametrize(
    ("now", "action", "rule"),
    [
        ({"app": "card"}, selector(app="cart"), None),
        ({"app": "card"}, selector(app="stock"), RejectionRule.UNKNOWN_VALUE),
        ({"app": "card"}, selector(app=None), RejectionRule.UNKNOWN_VALUE),
        ({"app": "card"}, selector(app=None, tier="web"), RejectionRule.NOT_OF_TARGET),
        ({"app": "cart", "v": "9"}, selector(v=None), None),
        ({"app": "cart", "v": "9"}, selector(app="cart"), RejectionRule.NO_CHANGE),
        ({"app": "cart"}, selector(tier="web"), RejectionRule.NO_CHANGE),
        ({"app": "stock"}, selector(app="cart"), RejectionRule.NOT_OF_TARGET),
        # Stock is another component: its pods are kept away again.
        ({"tier": "web"}, selector(app="cart"), None),
        ({"tier": "web"}, selector(app=None), RejectionRule.NO_CHANGE),
        ({"tier": "web"}, selector(tier=None, app="cart"), RejectionRule.BOUNDS),
        ({"tier": "web"}, selector(tier="web", app="cart"), RejectionRule.BOUNDS),
        ({"tier": "web"}, selector(app="stock"), RejectionRule.UNKNOWN_VALUE),
        ({}, selector(app="cart"), RejectionRule.NOT_OF_TARGET),
    ],
)
def test_a_selector_leads_to_the_target_alone(
    now: dict[str, str], action: PatchServiceSelector, rule: RejectionRule | None
) -> None:
    assert rejection(action, Shop(selector=now).live()) is rule


@pytest.mark.parametrize(
    ("name", "now", "rule"),
    [
        ("cart-svc", "unrelated", None),
        ("cart-headless", "unrelated", None),
        ("payment", "unrelated", RejectionRule.NOT_OF_TARGET),
        ("payment", "carts", None),
        ("stock", "unrelated", RejectionRule.NOT_OF_TARGET),
        ("cart-db", "unrelated", RejectionRule.NOT_OF_TARGET),
    ],
)
def test_a_service_without_pods_is_the_targets_if_it_evidently_should_be(
    name: str, now: str, rule: RejectionRule | None
) -> None:
    neighbours = {
        STOCK: {"app": "stock", "tier": "web"},
        key("StatefulSet", "cart-db"): {"app": "cart-db"},
    }
    live = Shop(service=name, selector={"app": now}, neighbours=neighbours).live()
    action = PatchServiceSelector(target=key("Service", name), selector={"app": "cart"})
    assert rejection(action, live) is rule


def test_a_service_that_leads_outside_is_left_alone() -> None:
    live = Shop(selector={"app": "card"}).live()
    live.objects[SERVICE]["spec"]["type"] = "ExternalName"
    assert rejection(selector(app="cart"), live) is RejectionRule.NOT_OF_TARGET


def port(number: int, leads_to: int | str) -> PatchServicePort:
    return PatchServicePort(target=SERVICE, port=number, target_port=leads_to)


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (port(80, 8080), None),
        (port(80, "http"), None),
        (port(80, 8081), RejectionRule.NO_CHANGE),
        (port(80, 22), RejectionRule.UNKNOWN_VALUE),
        (port(80, "admin"), RejectionRule.UNKNOWN_VALUE),
        (port(81, 8080), RejectionRule.NOT_FOUND),
        (port(53, 8080), RejectionRule.NOT_FOUND),
    ],
)
def test_a_port_leads_to_one_that_is_declared(
    action: PatchServicePort, rule: RejectionRule | None
) -> None:
    ports = [
        {"name": "http", "port": 80, "targetPort": 8081},
        {"name": "udp", "port": 53, "targetPort": 53, "protocol": "UDP"},
        {"name": "tcp", "port": 53, "targetPort": 53},
    ]
    assert rejection(action, Shop(ports=ports).live()) is rule


def test_a_rollback_needs_something_to_go_back_to() -> None:
    back = Rollback(target=CART)
    assert rejection(back, Shop(earlier=[OLD]).live()) is None
    assert rejection(back, Shop().live()) is RejectionRule.NOT_FOUND
    assert rejection(back.model_copy(update={"revision": 1}), Shop(earlier=[OLD]).live()) is None
    now = back.model_copy(update={"revision": 2})
    assert rejection(now, Shop(earlier=[OLD]).live()) is RejectionRule.NO_CHANGE
    gone = back.model_copy(update={"revision": 7})
    assert rejection(gone, Shop(earlier=[OLD]).live()) is RejectionRule.NOT_FOUND


@pytest.mark.parametrize(
    "earlier",
    [
        template(serviceAccountName="admin"),
        template(hostNetwork=True),
        template(volumes=[{"name": "x", "hostPath": {"path": "/"}}]),
        template(container(securityContext={"privileged": True})),
        template(container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}})),
        template(initContainers=[{"name": "x", "securityContext": {"procMount": "Unmasked"}}]),
    ],
)
def test_a_rollback_brings_no_privilege_back(earlier: dict[str, Any]) -> None:
    assert (
        rejection(Rollback(target=CART), Shop(earlier=[earlier]).live()) is RejectionRule.PRIVILEGE
    )


def test_privilege_that_is_there_now_may_stay() -> None:
    mighty = {"securityContext": {"privileged": True}}
    shop = Shop(
        template=template(container(**mighty)), earlier=[template(container(image="a", **mighty))]
    )
    assert rejection(Rollback(target=CART), shop.live()) is None


def test_a_rollout_is_resumed_only_if_it_is_paused() -> None:
    resume = ResumeRollout(target=CART)
    assert rejection(resume, Shop().live()) is RejectionRule.NO_CHANGE
    assert rejection(resume, Shop(spec={"paused": True}).live()) is None


def test_actions_must_not_overlap() -> None:
    live = Shop(earlier=[OLD]).live()
    assert rejection([RESTART, Rollback(target=CART)], live) is RejectionRule.TWICE
    assert rejection([RESTART] * 2, live) is RejectionRule.TWICE
    assert rejection([], live) is RejectionRule.SHAPE
    assert rejection([RESTART, Scale(target=CART, replicas=3)], live) is None
