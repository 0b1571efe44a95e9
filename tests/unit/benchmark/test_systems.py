"""The systems are consistent: calls, paths of users that a fault affects, and requests."""

import kubernetes_validate
import pytest

from reme_benchmark.scenarios.systems import catalog, pods, render
from reme_benchmark.scenarios.systems.model import Service, System
from reme_benchmark.workload.plain_http import place
from reme_benchmark.workload.settings import WorkloadSettings
from reme_cluster.kubectl import Object

SYSTEMS = catalog.names()


def environment(container: Object, objects: list[Object]) -> dict[str, str]:
    """Return what the container sees, with its ConfigMaps resolved as kubelet does."""
    maps = {o["metadata"]["name"]: o["data"] for o in objects if o["kind"] == "ConfigMap"}
    variables: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        variables |= maps[source["configMapRef"]["name"]]
    for variable in container["env"]:
        if "valueFrom" in variable:
            key = variable["valueFrom"]["configMapKeyRef"]
            variables[variable["name"]] = maps[key["name"]][key["key"]]
        else:
            variables[variable["name"]] = variable["value"]
    return variables


def workloads(objects: list[Object]) -> list[Object]:
    return [o for o in objects if o["kind"] in ("Deployment", "StatefulSet")]


def containers(objects: list[Object]) -> list[Object]:
    return [c for w in workloads(objects) for c in w["spec"]["template"]["spec"]["containers"]]


def millicores(quantity: str) -> int:
    assert quantity.endswith("m")
    return int(quantity.removesuffix("m"))


def test_the_three_systems_have_the_services_they_are_known_for() -> None:
    simple, boutique, ticket = (catalog.load(name) for name in SYSTEMS)
    assert [s.name for s in simple.services] == ["hello-service", "time-service"]
    assert len(boutique.services) == 12
    assert sum(s.name.startswith("ts-") for s in ticket.services) == 46
    replicated = {s.name: s.replicas for s in ticket.services if s.replicas > 1}
    assert replicated == {"nacos": 3, "nacosdb-mysql": 3, "tsdb-mysql": 3}


def test_an_unknown_system_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="there are simple-micro, online-boutique, train-ticket"):
        catalog.load("sock-shop")


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_fault_in_any_service_affects_some_user(name: str) -> None:
    system = catalog.load(name)
    unaffected = [
        s.name for s in system.services if not system.felt_on(s.name) and s.role != "load"
    ]
    assert unaffected == []


def test_affected_paths_follow_the_calls() -> None:
    ticket = catalog.load("train-ticket")
    assert ticket.felt_on("ts-news-service") == ("/index.html",)
    assert ticket.felt_on("nacosdb-mysql") == ticket.paths
    assert ticket.callers("ts-seat-service") == (
        "ts-rebook-service",
        "ts-travel-plan-service",
        "ts-travel-service",
    )


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_service_calls_what_the_system_model_has(name: str) -> None:
    system = catalog.load(name)
    objects = render.manifests(system, "lab")
    ports = {
        o["metadata"]["name"]: o["spec"]["ports"][0]["port"]
        for o in objects
        if o["kind"] == "Service"
    }
    for workload in workloads(objects):
        service = system.service(workload["metadata"]["name"])
        if service.role == "load":
            continue
        main = workload["spec"]["template"]["spec"]["containers"][0]
        settings = WorkloadSettings.from_environment(environment(main, objects))
        calls_by_path = {}
        for path in ("/", *service.routes):
            places = [place(url) for url in settings.calls_for(path)]
            assert all(where.port == ports[where.host] for where in places), service.name
            calls_by_path[path] = tuple(where.host for where in places)
        assert calls_by_path == {path: service.asks_for(path) for path in calls_by_path}
        assert settings.port == main["ports"][0]["containerPort"]


@pytest.mark.parametrize("flavour", ["workload", "upstream"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_every_object_is_valid_and_shares_nothing(name: str, flavour: render.Flavour) -> None:
    system = catalog.load(name)
    objects = render.manifests(system, "lab", flavour=flavour)
    objects += render.users(system, "lab", flavour=flavour)
    for item in objects:
        kubernetes_validate.validate(item, "1.34", strict=True)
    named = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects]
    assert len(set(named)) == len(named)
    for workload in workloads(objects):
        labels = workload["metadata"]["labels"]
        assert labels["app"] == workload["metadata"]["name"]
        assert workload["spec"]["selector"]["matchLabels"] == {"app": labels["app"]}
        assert workload["spec"]["template"]["metadata"]["labels"] is not labels


@pytest.mark.parametrize("name", SYSTEMS)
def test_pods_hold_no_privilege_and_no_credentials(name: str) -> None:
    system = catalog.load(name)
    objects = render.manifests(system, "lab") + render.users(system, "lab")
    for workload in workloads(objects):
        pod = workload["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert all("sizeLimit" in volume["emptyDir"] for volume in pod.get("volumes", ()))
    for container in containers(objects):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}


def test_all_three_leave_one_of_two_cores_for_everything_else() -> None:
    objects = [o for name in SYSTEMS for o in render.manifests(catalog.load(name), name)]
    requested = sum(
        workload["spec"]["replicas"] * millicores(container["resources"]["requests"]["cpu"])
        for workload in workloads(objects)
        for container in workload["spec"]["template"]["spec"]["containers"]
    )
    assert requested < 1000


def test_limits_are_the_published_ones_and_requests_a_stated_share() -> None:
    boutique = catalog.load("online-boutique")
    objects = {w["metadata"]["name"]: w for w in workloads(render.manifests(boutique, "lab"))}
    published = {
        w["metadata"]["name"]: w
        for w in workloads(render.manifests(boutique, "lab", flavour="upstream"))
    }
    here, there = (
        by_name["adservice"]["spec"]["template"]["spec"]["containers"][0]["resources"]
        for by_name in (objects, published)
    )
    assert there["requests"] == {"cpu": "200m", "memory": "180Mi"}
    assert here["requests"] == {"cpu": "20m", "memory": "18Mi"}
    assert here["limits"] == there["limits"] == {"cpu": "300m", "memory": "300Mi"}


@pytest.mark.parametrize(
    ("quantity", "share", "scaled"),
    [("100m", 0.05, "5m"), ("1Gi", 0.5, "512Mi"), ("1m", 0.1, "1m"), ("7x", 1.0, "7x")],
)
def test_a_share_of_a_quantity_keeps_its_unit(quantity: str, share: float, scaled: str) -> None:
    assert pods.scaled(quantity, share) == scaled


def test_users_ask_from_a_namespace_of_their_own() -> None:
    ticket = catalog.load("train-ticket")
    objects = render.users(ticket, "lab", image="tools:1", pull_policy="Never")
    assert {o["metadata"].get("namespace", o["metadata"]["name"]) for o in objects} == {"lab-users"}
    (container,) = containers(objects)
    variables = environment(container, objects)
    assert variables["URL"] == "http://ts-ui-dashboard.lab:8080/index.html"
    assert tuple(variables["PATHS"].split(",")) == ticket.paths
    assert (container["image"], container["imagePullPolicy"]) == ("tools:1", "Never")


def test_the_published_images_come_with_what_they_read() -> None:
    objects = render.manifests(catalog.load("train-ticket"), "lab", flavour="upstream")
    named = {(o["kind"], o["metadata"]["name"]) for o in objects}
    for container in containers(objects):
        assert container["image"].startswith("docker.io/")
        for source in container["envFrom"]:
            (kind, reference), *_ = source.items()
            whole = {"configMapRef": "ConfigMap", "secretRef": "Secret"}[kind]
            assert (whole, reference["name"]) in named


def _system(*services: Service) -> System:
    return System(name="s", title="S", source="", front="a", rate=1, services=services)


def _service(name: str, *calls: str) -> Service:
    return Service(
        name=name, port=1, calls=calls,
        cpu_request="1m", memory_request="1Mi", cpu_limit="1m", memory_limit="1Mi",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ((_service("a", "b"), _service("b", "a")), "calls go in a circle: a -> b -> a"),
        ((_service("a", "c"),), "a calls what is not there"),
        ((_service("a"), _service("a")), "the same name"),
        ((_service("b"),), "the front a is no service"),
    ],
)
def test_a_system_that_does_not_hold_together_is_refused(
    services: tuple[Service, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _system(*services)
