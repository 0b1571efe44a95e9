"""What a target depends on, and what is wrong with it: one namespace for each rule."""

from dataclasses import replace

import pytest

from reme_playbook.snapshot.dependencies import dependencies, with_findings
from reme_playbook.snapshot.dependency import Dependency, Place
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.unit.snapshot.namespace import Namespace, ago, deployment, pods_of, service, stamp

CALLS = {"CALLS": "http://stock/"}


def dependency(namespace: Namespace) -> Dependency:
    (only,) = namespace.live().dependencies
    return only


def shop(**stock: object) -> Namespace:
    return Namespace(
        workloads=[deployment("cart", env=CALLS), deployment("stock", **stock)],  # type: ignore[arg-type]
        services=[service("cart"), service("stock")],
    )


def test_a_dependency_that_works_has_no_problem() -> None:
    stock = dependency(shop())
    assert (stock.name, stock.place, stock.exists) == ("stock", Place.NAMESPACE, True)
    assert (stock.pods, stock.ready_endpoints, stock.port, stock.scheme) == (1, 1, 80, "http")
    assert [str(mention) for mention in stock.mentions] == ["CALLS of cart"]
    (behind,) = stock.workloads
    assert behind.ref == ObjectRef("Deployment", "shop", "stock")
    assert (behind.desired, behind.ready, behind.selected) == (1, 1, True)
    assert (stock.problem, stock.problem_kind, stock.cause) == ("", None, None)
    assert stock.last_change == ago(days=1)


def test_its_own_services_are_no_dependencies() -> None:
    target = deployment("cart", env={"SELF_URL": "http://cart/", "PUBLIC_URL": "http://cart:80"})
    assert Namespace([target], [service("cart")]).live().dependencies == ()


def test_each_dependency_is_listed_once_with_all_places() -> None:
    target = deployment("cart", env=CALLS, args=["--stock-url", "http://stock/x"])
    target["spec"]["template"]["spec"]["initContainers"] = [
        {"name": "wait", "command": ["wait", "stock:80"]}
    ]
    target["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [
        {"configMapRef": {"name": "settings"}}
    ]
    namespace = Namespace(
        [target, deployment("stock")],
        [service("stock")],
        config_maps={"settings": {"stock_host": "stock.shop.svc:80", "note": "stock"}},
    )
    assert [str(mention) for mention in dependency(namespace).mentions] == [
        "CALLS of cart",
        "args of cart",
        "command of wait",
        "stock_host of config settings",
    ]


@pytest.mark.parametrize(
    ("host", "place", "service_name"),
    [
        ("stock", Place.NAMESPACE, "stock"),
        ("stock.shop", Place.NAMESPACE, "stock"),
        ("stock.shop.svc.cluster.local", Place.NAMESPACE, "stock"),
        ("stock-0.stock", Place.NAMESPACE, "stock"),
        ("stock-0.stock.shop.svc", Place.NAMESPACE, "stock"),
        ("10.0.0.7", Place.NAMESPACE, "stock"),
        ("stock.other.svc", Place.OTHER_NAMESPACE, "stock"),
        ("api.example.com", Place.OUTSIDE, ""),
        ("192.0.2.1", Place.OUTSIDE, ""),
    ],
)
def test_where_a_host_is_is_told_by_its_form(host: str, place: Place, service_name: str) -> None:
    target = deployment("cart", env={"CALLS": f"http://{host}:80/"})
    namespace = Namespace(
        [target, deployment("stock")], [service("stock", clusterIP="10.0.0.7")], name="shop"
    )
    named = dependency(namespace)
    assert (named.place, named.service) == (place, service_name)
    assert named.problem == ""


def test_pods_that_crash_are_said_with_their_reason() -> None:
    namespace = shop(replicas=2, ready=0)
    stock = namespace.workloads[1]
    namespace.pods["stock"] = pods_of(stock, waiting="CrashLoopBackOff", terminated="OOMKilled")
    named = dependency(namespace)
    assert named.problem == "has no ready pod of 2: CrashLoopBackOff after OOMKilled"
    assert named.problem_kind is FindingKind.NO_ENDPOINTS
    assert named.cause == ObjectRef("Deployment", "shop", "stock")


def test_some_pods_that_are_not_ready_are_said_if_it_is_known_why() -> None:
    namespace = shop(replicas=3, ready=2)
    assert dependency(namespace).problem == ""  # they may be starting
    namespace.pods["stock"] = pods_of(namespace.workloads[1], waiting="ImagePullBackOff")
    named = dependency(namespace)
    assert named.problem == "has 2 of 3 pods ready: ImagePullBackOff"
    assert named.problem_kind is FindingKind.WORKLOAD_NOT_READY


def test_a_dependency_without_pods_is_said() -> None:
    scaled = dependency(shop(replicas=0, ready=0))
    assert scaled.problem == "has no pods: Deployment stock is scaled to 0"
    assert scaled.problem_kind is FindingKind.NO_ENDPOINTS
    renamed = shop(labels={"app": "stock-v2"})
    named = dependency(renamed)
    assert named.problem == "has no pods: those of Deployment stock lack app=stock"
    assert named.cause == ObjectRef("Deployment", "shop", "stock")
    gone = dependency(replace(renamed, workloads=renamed.workloads[:1]))
    assert gone.problem == "has no pods: none has app=stock"
    assert gone.cause is None


def test_a_service_that_had_no_pods_long_before_the_fault_is_not_needed() -> None:
    namespace = shop(replicas=0, ready=0)
    assert dependency(replace(namespace, fault_start=ago(minutes=5))).problem == ""
    namespace.workloads[1]["metadata"]["managedFields"] = [
        {
            "manager": "kubectl",
            "subresource": "scale",
            "time": stamp(ago(minutes=6)),
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }
    ]
    assert dependency(replace(namespace, fault_start=ago(minutes=5))).problem
    renamed = replace(shop(labels={"app": "stock-v2"}), fault_start=ago(minutes=5))
    assert dependency(renamed).problem == ""
    assert dependency(replace(renamed, texts=["stock is down"])).problem
    assert dependency(replace(renamed, observed=False)).problem


def test_pods_that_were_not_read_are_not_said_to_be_missing() -> None:
    namespace = shop()
    live = namespace.live()
    (named,) = dependencies(live, namespace.services, namespace.workloads, {})
    assert (named.pods, named.ready_endpoints, named.problem) == (None, None, "")


def test_named_target_ports_are_resolved() -> None:
    namespace = shop()
    for target, problem in (("http", ""), ("web", "leads port 80 to web, and its pods have 8080")):
        namespace.services[1] = service("stock", target=target)
        assert dependency(namespace).problem == problem


def test_pods_that_declare_no_port_may_have_every_port() -> None:
    assert dependency(shop(port=None)).problem == ""


def test_a_port_that_has_been_so_for_long_is_no_problem() -> None:
    namespace = shop(port=9090)
    assert dependency(namespace).problem
    assert dependency(replace(namespace, fault_start=ago(minutes=5))).problem == ""
    namespace.services[1] = service("stock", changed=ago(minutes=10))
    assert dependency(replace(namespace, fault_start=ago(minutes=5))).problem


def test_a_port_that_the_service_does_not_have_is_said() -> None:
    namespace = shop()
    namespace.workloads[0] = deployment("cart", env={"CALLS": "http://stock:8080/"})
    named = dependency(namespace)
    assert named.problem == "has no port 8080, only 80"
    assert named.problem_kind is FindingKind.PORT_MISMATCH


def test_a_network_policy_of_the_dependency_is_said() -> None:
    policy = {
        "metadata": {"name": "stock-only"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "stock"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "front"}}}]}],
        },
    }
    key = ObjectRef("NetworkPolicy", "shop", "stock-only")
    named = dependency(replace(shop(), related={key: policy}))
    assert named.problem == "does not let it in: network policy stock-only"
    policy["spec"]["ingress"][0]["from"][0]["podSelector"] = {}  # type: ignore[index]
    assert dependency(replace(shop(), related={key: policy})).problem == ""


def test_a_service_without_a_selector_and_an_external_name_are_not_judged() -> None:
    namespace = shop()
    namespace.services[1] = service("stock", {})
    assert dependency(namespace).problem == ""
    namespace.services[1] = service("stock", type="ExternalName", externalName="x.example")
    assert dependency(namespace).problem == ""


# Incidents that people reported ------------------------------------------------------------------


def test_the_called_service_leads_to_a_port_that_its_pods_left() -> None:
    """Incident 33: the storefront is blamed, and had a harmless release."""
    app = {"app.kubernetes.io/instance": "shop"}
    reviews = {"app.kubernetes.io/name": "reviews", **app}
    storefront = {"app.kubernetes.io/name": "storefront", **app}
    namespace = Namespace(
        [
            deployment("shop-storefront", storefront, env={"CALLS": "http://shop-reviews/"}),
            deployment("shop-reviews", reviews, port=9090),
        ],
        [service("shop-storefront", storefront), service("shop-reviews", reviews)],
        texts=["ERROR dependency failed: http://shop-reviews/: timed out"],
    )
    named = dependency(namespace)
    assert named.name == "shop-reviews"
    assert named.problem == "leads port 80 to 8080, and its pods have 9090"
    assert named.problem_kind is FindingKind.PORT_MISMATCH
    assert named.cause == ObjectRef("Deployment", "shop", "shop-reviews")
    assert named.reported


def test_of_a_provider_elsewhere_only_the_report_is_known() -> None:
    """Incident 27: the provider in another namespace is down."""
    host = "provider.inc-27-ext.svc.cluster.local"
    target = deployment("checkout", env={"CALLS": f"http://{host}/v1/charge"})
    namespace = Namespace([target], [service("checkout")])
    assert dependency(namespace).problem == ""
    evidence = f"ERROR dependency failed: http://{host}/v1/charge: [Errno 111] Connection refused"
    named = dependency(replace(namespace, texts=["checkout returns 502", evidence]))
    assert (named.place, named.namespace) == (Place.OTHER_NAMESPACE, "inc-27-ext")
    assert named.problem == "refuses connections, as the report says"
    assert named.problem_kind is FindingKind.DEPENDENCY_OUTSIDE
    assert named.cause is None


def test_a_log_of_the_target_tells_of_a_provider_elsewhere() -> None:
    host = "provider.inc-27-ext.svc.cluster.local"
    target = deployment("checkout", env={"CALLS": f"http://{host}/v1/charge"})
    live = Namespace([target, deployment("stock")], [service("checkout")]).live()
    text = f"ERROR dependency failed: http://{host}/v1/charge: timed out"
    for kind, problem in (
        (FindingKind.LOG_ERROR, "does not answer in time, as a log says"),
        (FindingKind.NORMAL, ""),
    ):
        (named,) = with_findings(live.dependencies, [Finding(kind, live.target, text)])
        assert named.problem == problem


def inventory(released: float, **more: object) -> Namespace:
    """Incident 32b: the host lacks the name of the release, since the first revision."""
    target = deployment("checkout", env={"CALLS": "http://inventory:8080/stock"})
    labels = {"app.kubernetes.io/name": "inventory", "app.kubernetes.io/instance": "plausible"}
    return Namespace(
        [target, deployment("plausible-inventory", labels)],
        [service("checkout"), service("plausible-inventory", labels, port=8080)],
        released=ago(seconds=released),
        fault_start=ago(seconds=0),
        **more,  # type: ignore[arg-type]
    )


def test_a_missing_service_is_said() -> None:
    named = dependency(inventory(24, observed=False))
    assert (named.problem, named.exists) == ("is no Service here", False)
    assert named.problem_kind is FindingKind.DEPENDENCY_MISSING


@pytest.mark.parametrize("observed", [True, False])
def test_a_service_that_was_missing_while_all_was_well_is_not_said(observed: bool) -> None:
    namespace = inventory(600, observed=observed)
    assert dependency(namespace).problem == ""
    texts = ["dial tcp: lookup inventory: no such host"]
    assert dependency(replace(namespace, texts=texts)).problem == "is no Service here"
    namespace.workloads[0]["status"]["conditions"] = []  # it was never complete
    assert dependency(namespace).problem == "is no Service here"


def test_a_host_that_an_earlier_revision_did_not_have_is_said() -> None:
    before = deployment("checkout", env={"CALLS": "http://plausible-inventory:8080/stock"})
    history = [(before["spec"]["template"], ago(days=1))]
    assert dependency(inventory(600, observed=False, earlier=history)).problem
    # It broke two minutes after this release, or long after it.
    namespace = inventory(60, earlier=history)
    assert dependency(namespace).problem
    assert dependency(replace(namespace, released=ago(hours=1))).problem == ""


def test_a_host_of_a_healthy_earlier_revision_is_not_said() -> None:
    before = deployment("checkout", env={"CALLS": "http://inventory:8080/stock", "VERSION": "1"})
    history = [(before["spec"]["template"], ago(days=1))]
    assert dependency(inventory(10, earlier=history)).problem == ""


def test_words_of_an_instrumented_service_are_no_dependencies() -> None:
    """Incident 37, where Services have the names of such words."""
    env = {
        "NAME": "payment",
        "OTEL_SERVICE_NAME": "paymentservice",
        "APP_NAME": "otel-demo-paymentservice",
        "TARGET_ENV": "production",
        "SERVER_MODE": "cluster",
        "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=opentelemetry-demo",
    }
    services = [service(name) for name in ("paymentservice", "payment", "production", "cluster")]
    target = deployment("my-otel-demo-paymentservice", env=env)
    assert Namespace([target], services).live().dependencies == ()


def test_a_dependency_whose_selector_lost_its_pods_leads_to_its_workload() -> None:
    """Incident 07, from the side of the caller."""
    prefix = "kagent-prod-eu-central-1"
    labels = {
        "app.kubernetes.io/name": "kagent-tools",
        "app.kubernetes.io/instance": prefix,
        "app.kubernetes.io/component": "tool-server",
    }
    tools = f"{prefix}-kagent-tools"
    namespace = Namespace(
        [
            deployment(f"{prefix}-controller", env={"CALLS": f"http://{tools}:8084/"}),
            deployment(tools, labels, port=8084),
        ],
        [
            service(
                tools,
                labels | {"app.kubernetes.io/name": "kagent-tool-server"},
                port=8084,
                target="mcp",
            )
        ],
    )
    named = dependency(namespace)
    assert named.problem == (
        f"has no pods: those of Deployment {tools} lack app.kubernetes.io/name=kagent-tool-server"
    )
    assert named.cause == ObjectRef("Deployment", "shop", tools)
