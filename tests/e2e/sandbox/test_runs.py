"""Runs in real Jobs: what they change, what they record, and what their identity cannot do."""

import copy
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from reme_api.policy import Sandbox
from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.env import SetEnv, UnsetEnv
from reme_playbook.actions.image import SetImage
from reme_playbook.actions.probe import PatchProbe
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale
from reme_playbook.actions.service import PatchServicePort, PatchServiceSelector
from reme_playbook.execution import result
from reme_playbook.execution.manifests import RunManifests, RunRequest, manifests
from reme_playbook.execution.result import RunEnd, RunResult
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.revisions import REVISION_RESOURCES, own_revisions, select_revision
from tests.e2e.sandbox.conftest import Object, RunAdmission, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

IMAGE = os.environ.get("REME_SANDBOX_IMAGE", "localhost/reme-sandbox:dev")
_COLLECTIONS = {
    "RunGrant": "/apis/reme.dev/v1alpha1/namespaces/{}/rungrants",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
}


@dataclass
class Sandboxes:
    """Starts runs as the operator does, and reads their results."""

    admission: RunAdmission
    number: int = 0

    def key(self, kind: Any, name: str) -> ObjectRef:
        return ObjectRef(kind, self.admission.shop, name)

    def request(
        self, *actions: Action, is_rollback: bool = False, seconds: int = 240
    ) -> RunRequest:
        self.number += 1
        return RunRequest(
            remediation_uid=f"{int(time.time()) & 0xFFFFFF:06x}{self.number:02x}-e2e",
            remediation_name="e2e",
            target_namespace=self.admission.shop,
            attempt=1,
            actions=actions,
            created=datetime.now(UTC),
            release_namespace=self.admission.system,
            image=IMAGE,
            sandbox=Sandbox(deadline_seconds=seconds),
            is_rollback=is_rollback,
            templates=self.templates(actions),
            role_prefix=f"{self.admission.fullname}-run-",
        )

    def templates(self, actions: Sequence[Action]) -> dict[ObjectRef, Object]:
        """Return the templates that rollbacks restore, as the operator looks them up."""
        templates: dict[ObjectRef, Object] = {}
        for action in (a for a in actions if isinstance(a, Rollback)):
            kind = action.target.kind
            path = f"/apis/apps/v1/namespaces/{self.admission.shop}"
            workload = self.admission.api(
                "GET", f"{path}/{action.target.plural}/{action.target.name}"
            )
            history = self.admission.api("GET", f"{path}/{REVISION_RESOURCES[kind]}").body["items"]
            known = own_revisions(workload.body, kind, history)
            templates[action.target] = dict(
                select_revision(workload.body, known, action.revision).template
            )
        return templates

    def create(self, manifest: Object) -> Object:
        manifest = copy.deepcopy(manifest)
        # No Remediation exists that could own it: the garbage collector would delete it.
        manifest["metadata"].pop("ownerReferences", None)
        path = _COLLECTIONS[manifest["kind"]].format(manifest["metadata"].get("namespace"))
        reply = self.admission.api("POST", path, manifest)
        assert reply.status == 201, reply
        return reply.body

    def prepare(self, run_manifests: RunManifests) -> None:
        for manifest in (
            run_manifests.grant,
            run_manifests.input_config_map,
            run_manifests.result_config_map,
            run_manifests.service_account,
            *run_manifests.role_bindings,
        ):
            self.create(manifest)

    def run(self, request: RunRequest) -> RunResult:
        run_manifests = manifests(request)
        self.prepare(run_manifests)
        self.create(run_manifests.job)
        self.ended(request.name)
        run_result = self.result(request.name)
        assert run_result is not None, self.log(request.name)
        return run_result

    def job(self, name: str) -> Object:
        path = _COLLECTIONS["Job"].format(self.admission.system)
        return self.admission.api("GET", f"{path}/{name}").body

    def ended(self, name: str, seconds: float = 300) -> str:
        def condition() -> str:
            conditions = self.job(name).get("status", {}).get("conditions", [])
            done = [c["type"] for c in conditions if c["status"] == "True"]
            return next((c for c in done if c in ("Complete", "Failed")), "")

        return str(eventually(condition, seconds))

    def data(self, name: str) -> dict[str, str]:
        path = _COLLECTIONS["ConfigMap"].format(self.admission.system)
        mapping: dict[str, str] = self.admission.api("GET", f"{path}/{name}-result").body["data"]
        return mapping

    def result(self, name: str) -> RunResult | None:
        return result.parse_result(self.data(name))

    def pods(self, name: str) -> list[Object]:
        path = f"/api/v1/namespaces/{self.admission.system}/pods?labelSelector=job-name%3D{name}"
        items: list[Object] = self.admission.api("GET", path).body["items"]
        return items

    def log(self, name: str) -> str:
        return self.admission.kubectl.run("logs", f"job/{name}", "-n", self.admission.system)

    def get(self, path: str) -> Object:
        return self.admission.api("GET", path.format(self.admission.shop)).body

    def cart(self) -> Object:
        return self.get("/apis/apps/v1/namespaces/{}/deployments/cart")

    def app(self) -> Object:
        containers: list[Object] = self.cart()["spec"]["template"]["spec"]["containers"]
        return containers[0]


@pytest.fixture(scope="module")
def sandboxes(admission: RunAdmission) -> Iterator[Sandboxes]:
    fixture = Sandboxes(admission)
    yield fixture
    by = [f"--as={admission.operator.user}", "--as-group=system:masters"]
    for collection in ("jobs", "rolebindings", "rungrants.reme.dev"):
        admission.kubectl.run("delete", collection, "--all", "-n", admission.system, *by)
    admission.kubectl.run("delete", "rolebindings", "--all", "-n", admission.shop)


def seconds(state: RunResult, job: Object, moment: str) -> float:
    created = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    end = state.first_task if moment == "first task" else state.finished
    assert end is not None
    return (end - created).total_seconds()


def test_a_run_changes_what_its_actions_say_and_records_it(
    sandboxes: Sandboxes, record_property: Any
) -> None:
    cart = sandboxes.key("Deployment", "cart")
    request = sandboxes.request(
        Restart(target=cart),
        SetResources(target=cart, container="app", memory_limit="128Mi"),
        SetEnv(target=cart, container="app", variable="MODE", value="fast"),
        PatchProbe(target=cart, container="app", probe="readiness", period_seconds=7),
        Scale(target=cart, replicas=1),
    )
    before = sandboxes.cart()
    state = sandboxes.run(request)
    assert state.ok, sandboxes.log(request.name)
    assert (state.planned, state.failed_task, state.message) == (state.tasks, "", "")
    assert state.changed == state.tasks
    after, app = sandboxes.cart(), sandboxes.app()
    assert after["spec"]["replicas"] == 1
    assert app["resources"]["limits"] == {"cpu": "100m", "memory": "128Mi"}
    assert {"name": "MODE", "value": "fast"} in app["env"]
    assert {"name": "COLOUR", "value": "red"} in app["env"]
    assert app["readinessProbe"]["periodSeconds"] == 7
    annotations = after["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"note": "kept", "reme.dev/restarted-at": request.name}
    assert after["metadata"]["annotations"]["team"] == before["metadata"]["annotations"]["team"]
    job = sandboxes.job(request.name)
    for moment in ("first task", "end"):
        took = seconds(state, job, moment)
        record_property(f"job created to {moment}, seconds", took)
        print(f"job created -> {moment}: {took:.1f} s")
    print(result.event_lines(sandboxes.data(request.name)))


def test_the_log_is_json_and_kept_beyond_the_pod(sandboxes: Sandboxes) -> None:
    cart = sandboxes.key("Deployment", "cart")
    request = sandboxes.request(Restart(target=cart))
    assert sandboxes.run(request).ok
    logged = [json.loads(line) for line in sandboxes.log(request.name).splitlines()]
    assert [e["event"] for e in logged] == [
        "run-started",
        "task-started",
        "task-ended",
        "run-ended",
    ]
    for pod in sandboxes.pods(request.name):
        path = f"/api/v1/namespaces/{sandboxes.admission.system}/pods/{pod['metadata']['name']}"
        sandboxes.admission.api("DELETE", path)
    stored = [
        json.loads(line) for line in result.event_lines(sandboxes.data(request.name)).splitlines()
    ]
    assert stored == logged


def test_services_config_and_pods(sandboxes: Sandboxes) -> None:
    service, settings = sandboxes.key("Service", "cart"), sandboxes.key("ConfigMap", "settings")
    request = sandboxes.request(
        PatchServiceSelector(target=service, selector={"app": "cart"}),
        PatchServicePort(target=service, port=80, target_port=8080),
        SetConfigValue(target=settings, key="url", value="right"),
        DeletePod(target=sandboxes.key("Pod", "cart-0")),
    )
    state = sandboxes.run(request)
    assert state.ok, sandboxes.log(request.name)
    spec = sandboxes.get("/api/v1/namespaces/{}/services/cart")["spec"]
    assert spec["selector"] == {"app": "cart"}
    assert [(p["port"], p["targetPort"]) for p in spec["ports"]] == [(80, 8080), (81, 8081)]
    data = sandboxes.get("/api/v1/namespaces/{}/configmaps/settings")["data"]
    assert data == {"url": "right", "other": "kept"}
    pod = sandboxes.get("/api/v1/namespaces/{}/pods/cart-0")
    assert pod.get("code") == 404 or "deletionTimestamp" in pod["metadata"]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_rollback(sandboxes: Sandboxes, kind: str) -> None:
    name = {"Deployment": "cart", "StatefulSet": "db", "DaemonSet": "agent"}[kind]
    target = sandboxes.key(kind, name)
    path = f"/apis/apps/v1/namespaces/{{}}/{target.plural}/{name}"
    before = sandboxes.get(path)
    sandboxes.admission.api(
        "PATCH",
        path.format(sandboxes.admission.shop),
        {
            "spec": {
                "template": {
                    "spec": {
                        "containers": [
                            {"name": "app", "image": "localhost/broken:2", "args": ["new"]}
                        ]
                    }
                }
            }
        },
    )
    eventually(
        lambda: (
            sandboxes.get(path)["status"].get("observedGeneration")
            == sandboxes.get(path)["metadata"]["generation"]
        )
    )
    request = sandboxes.request(Rollback(target=target))
    state = sandboxes.run(request)
    assert state.ok, state
    after = sandboxes.get(path)
    assert after["spec"]["template"] == before["spec"]["template"]
    assert after["metadata"].get("annotations", {}).get("team") == before["metadata"].get(
        "annotations", {}
    ).get("team")


def test_a_rollback_removes_what_a_run_added(sandboxes: Sandboxes) -> None:
    cart = sandboxes.key("Deployment", "cart")
    add = sandboxes.request(SetEnv(target=cart, container="app", variable="ADDED", value="1"))
    assert sandboxes.run(add).ok
    actions = (
        UnsetEnv(target=cart, container="app", variable="ADDED"),
        Scale(target=cart, replicas=0),
    )
    rollback = replace(add, actions=actions, is_rollback=True, created=datetime.now(UTC))
    assert sandboxes.run(rollback).ok
    assert "ADDED" not in str(sandboxes.app()["env"])
    assert sandboxes.cart()["spec"]["replicas"] == 0


def again(job: Object, name: str, **environment: str) -> Object:
    """Return another Job with the identity and the input of a run."""
    other = copy.deepcopy(job)
    other["metadata"]["name"] = name
    for variable in other["spec"]["template"]["spec"]["containers"][0]["env"]:
        if variable["name"] in environment:
            variable["value"] = environment[variable["name"]]
    return other


def test_a_second_start_does_nothing(sandboxes: Sandboxes) -> None:
    cart = sandboxes.key("Deployment", "cart")
    request = sandboxes.request(Scale(target=cart, replicas=1))
    assert sandboxes.run(request).ok
    written = sandboxes.data(request.name)
    sandboxes.admission.api(
        "PATCH",
        f"/apis/apps/v1/namespaces/{sandboxes.admission.shop}/deployments/cart",
        {"spec": {"replicas": 0}},
    )
    # The names of its pods must start with the run's, or the token of the run is refused.
    name = f"{request.name}-x"
    sandboxes.create(again(manifests(request).job, name))
    assert sandboxes.ended(name) == "Failed"
    assert "another pod has claimed this run" in sandboxes.log(name)
    assert sandboxes.cart()["spec"]["replicas"] == 0
    assert sandboxes.data(request.name) == written


def test_another_playbook_is_not_run(sandboxes: Sandboxes) -> None:
    cart = sandboxes.key("Deployment", "cart")
    request = sandboxes.request(Scale(target=cart, replicas=3))
    run_manifests = manifests(request)
    text = run_manifests.input_config_map["data"]["playbook.json"]
    run_manifests.input_config_map["data"]["playbook.json"] = text.replace(
        '"replicas":3', '"replicas":9'
    )
    sandboxes.prepare(run_manifests)
    sandboxes.create(run_manifests.job)
    assert sandboxes.ended(request.name) == "Failed"
    state = sandboxes.result(request.name)
    assert state is not None
    assert state.end is RunEnd.REJECTED
    assert state.no_task_started
    assert sandboxes.cart()["spec"]["replicas"] == 0


def test_a_task_that_admission_refuses_fails_the_run(sandboxes: Sandboxes) -> None:
    """Without validation: the playbook writes more than the grant allows."""
    granted = sandboxes.request(Restart(target=sandboxes.key("Deployment", "cart")))
    other = replace(granted, actions=(Restart(target=sandboxes.key("Deployment", "other")),))
    run_manifests = manifests(other)
    run_manifests.grant["spec"] = manifests(granted).grant["spec"]
    sandboxes.prepare(run_manifests)
    sandboxes.create(run_manifests.job)
    assert sandboxes.ended(granted.name) == "Failed"
    state = sandboxes.result(granted.name)
    assert state is not None
    assert (state.end, state.changed) == (RunEnd.FAILED, 0)
    assert "does not allow it to UPDATE deployments" in state.message
    assert state.failed_task == "Restart Deployment other"


def test_a_run_on_something_that_is_gone_fails(sandboxes: Sandboxes) -> None:
    request = sandboxes.request(Restart(target=sandboxes.key("Deployment", "gone")))
    state = sandboxes.run(request)
    assert state.end is RunEnd.FAILED
    assert "was not found" in state.message


def start_long(sandboxes: Sandboxes) -> str:
    """Start a run of many tasks and return its name when the first one has started."""
    cart, other = sandboxes.key("Deployment", "cart"), sandboxes.key("Deployment", "other")
    request = sandboxes.request(
        Restart(target=cart),
        Restart(target=other),
        SetImage(target=cart, container="app", image="localhost/cart:7"),
        SetImage(target=other, container="app", image="localhost/other:7"),
        SetResources(target=cart, container="app", cpu_limit="150m"),
        SetResources(target=other, container="app", cpu_limit="150m"),
        SetEnv(target=cart, container="app", variable="MODE", value="x"),
        SetEnv(target=other, container="app", variable="MODE", value="x"),
    )
    run_manifests = manifests(request)
    sandboxes.prepare(run_manifests)
    sandboxes.create(run_manifests.job)

    def has_started() -> bool:
        state = sandboxes.result(request.name)
        return state is not None and state.first_task is not None

    eventually(has_started, 300)
    return request.name


@pytest.mark.parametrize("grace", [5, 0])
def test_a_pod_that_is_killed_leaves_a_true_record(sandboxes: Sandboxes, grace: int) -> None:
    name = start_long(sandboxes)
    (pod,) = sandboxes.pods(name)
    path = f"/api/v1/namespaces/{sandboxes.admission.system}/pods/{pod['metadata']['name']}"
    sandboxes.admission.api("DELETE", f"{path}?gracePeriodSeconds={grace}")
    assert sandboxes.ended(name) == "Failed"
    state = sandboxes.result(name)
    assert state is not None
    assert not state.ok
    assert not state.no_task_started
    if grace:
        assert state.end is RunEnd.INTERRUPTED
        assert state.tasks < state.planned
        assert "pod was terminated" in state.message
    else:
        # Without time to record an end the run stays Running.
        assert state.end in (RunEnd.INTERRUPTED, RunEnd.RUNNING)
    assert len(sandboxes.pods(name)) <= 1


HOSTILE = """
import json, os, ssl, urllib.request, urllib.error
base = "/var/run/secrets/kubernetes.io/serviceaccount/"
token = open(base + "token").read()
trusted = ssl.create_default_context(cafile=base + "ca.crt")
where = "KUBERNETES_SERVICE_%s"
server = "https://%s:%s" % (os.environ[where % "HOST"], os.environ[where % "PORT"])
for name, method, path, body in json.loads(os.environ["ATTEMPTS"]):
    data = json.dumps(body).encode() if body is not None else None
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    headers = {"Authorization": "Bearer " + token, "Content-Type": kind}
    request = urllib.request.Request(server + path, data, headers, method=method)
    try:
        status, text = urllib.request.urlopen(request, context=trusted, timeout=10).status, ""
    except urllib.error.HTTPError as error:
        status, text = error.code, json.loads(error.read()).get("message", "")
    print(json.dumps({"name": name, "status": status, "text": text}), flush=True)
"""


def test_code_in_the_pod_can_do_no_more_than_the_run(sandboxes: Sandboxes) -> None:
    """Foreign code runs in the pod: with its real token, RBAC and the admission policy."""
    admission = sandboxes.admission
    request = sandboxes.request(Restart(target=sandboxes.key("Deployment", "cart")))
    run_manifests = manifests(request)
    deployments = f"/apis/apps/v1/namespaces/{admission.shop}/deployments"
    core = f"/api/v1/namespaces/{admission.shop}"
    home = f"/api/v1/namespaces/{admission.system}"
    mark = {"reme.dev/restarted-at": request.name}
    restart = {"spec": {"template": {"metadata": {"annotations": mark}}}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}
    jobs = f"/apis/batch/v1/namespaces/{admission.system}/jobs"
    grants = f"/apis/reme.dev/v1alpha1/namespaces/{admission.system}/rungrants"
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{admission.shop}/rolebindings"
    dns = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
    foreign = f"{home}/configmaps/reme-ffffffff-1-result"
    ask = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "mine"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "admin"},
    }
    own = f"{home}/configmaps/{request.name}"
    attempts: list[tuple[str, str, str, Any]] = [
        ("granted", "PATCH", f"{deployments}/cart", restart),
        ("own-result", "PATCH", f"{own}-result", {"data": {"claim.json": "x"}}),
        ("other-object", "PATCH", f"{deployments}/other", restart),
        ("other-field", "PATCH", f"{deployments}/cart", {"spec": {"replicas": 9}}),
        ("scale", "PATCH", f"{deployments}/cart/scale", {"spec": {"replicas": 9}}),
        ("other-namespace", "PATCH", dns, restart),
        ("delete", "DELETE", f"{deployments}/cart", None),
        ("delete-pod", "DELETE", f"{core}/pods/cart-1", None),
        ("exec", "POST", f"{core}/pods/cart-1/exec?command=sh", None),
        ("read-secret", "GET", f"{core}/secrets/password", None),
        ("list-secrets", "GET", f"{home}/secrets", None),
        ("write-secret", "POST", f"{core}/secrets", secret),
        ("new-config", "POST", f"{core}/configmaps", config),
        ("other-result", "PATCH", foreign, {"data": {"a": "b"}}),
        ("own-input", "PATCH", f"{own}-input", {"metadata": {"labels": {"a": "b"}}}),
        ("own-grant", "PATCH", f"{grants}/{request.name}", {"spec": {"rules": []}}),
        ("own-job", "DELETE", f"{jobs}/{request.name}", None),
        ("token", "POST", f"{home}/serviceaccounts/{request.name}/token", ask),
        ("binding", "POST", rbac, binding),
        ("list-nodes", "GET", "/api/v1/nodes", None),
    ]
    container = run_manifests.job["spec"]["template"]["spec"]["containers"][0]
    container["command"] = ["python", "-c", HOSTILE]
    container["env"].append({"name": "ATTEMPTS", "value": json.dumps(attempts)})
    other = {
        **config,
        "metadata": {"name": "reme-ffffffff-1-result", "namespace": admission.system},
    }
    sandboxes.create(other)
    sandboxes.prepare(run_manifests)
    sandboxes.create(run_manifests.job)
    assert sandboxes.ended(request.name) == "Complete", sandboxes.log(request.name)
    answers = {e["name"]: e for e in map(json.loads, sandboxes.log(request.name).splitlines())}
    assert set(answers) == {name for name, *_ in attempts}
    assert answers.pop("granted")["status"] == 200
    assert answers.pop("own-result")["status"] == 200
    for name, answer in answers.items():
        print(f"{name}: {answer['status']} {answer['text'][:110]}")
        assert answer["status"] == 403, answer
    for name in ("other-object", "other-field", "scale", "other-result", "own-input"):
        # The roles alone would allow these.
        assert "ValidatingAdmissionPolicy" in answers[name]["text"], answers[name]


def test_a_run_ends_at_its_deadline(sandboxes: Sandboxes) -> None:
    """The grant has expired before the pod starts: nothing is changed."""
    request = sandboxes.request(Restart(target=sandboxes.key("Deployment", "cart")))
    run_manifests = manifests(replace(request, created=datetime(2026, 1, 1, tzinfo=UTC)))
    before = sandboxes.cart()["spec"]
    sandboxes.prepare(run_manifests)
    sandboxes.create(run_manifests.job)
    assert sandboxes.ended(request.name) == "Failed"
    assert result.parse_claim(sandboxes.data(request.name)) is None
    assert "expired at" in sandboxes.log(request.name)
    assert sandboxes.cart()["spec"] == before
