"""What is rendered is valid Kubernetes, restricted, and labelled alike."""

from typing import Any

import kubernetes_validate
import pytest

from reme_operator.app.main import STOP_SECONDS
from tests.support.chart import NAMESPACE, Object, render

VALUES = ("default", "namespaced", "endpoint", "gpu", "everything", "demo", "e2e")
KUBERNETES = "1.34"
OWN_GROUPS = ("reme.dev/", "monitoring.coreos.com/")
CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


@pytest.mark.parametrize("values", VALUES)
def test_every_object_is_valid_kubernetes(values: str) -> None:
    for item in render(values).objects:
        if not item["apiVersion"].startswith(OWN_GROUPS):
            kubernetes_validate.validate(item, KUBERNETES, strict=True)


@pytest.mark.parametrize("values", VALUES)
def test_no_object_is_made_twice_and_each_says_its_namespace(values: str) -> None:
    names = set()
    for item in render(values).objects:
        name, namespace = item["metadata"]["name"], item["metadata"].get("namespace")
        assert (namespace is None) == (item["kind"] in CLUSTER_SCOPED), (item["kind"], name)
        assert (item["kind"], namespace, name) not in names
        names.add((item["kind"], namespace, name))


@pytest.mark.parametrize("values", VALUES)
def test_every_pod_is_restricted(values: str) -> None:
    """By the words of the Pod Security Standards, and a little more."""
    for name, pod in render(values).pods():
        of_pod = pod["securityContext"]
        assert of_pod["runAsNonRoot"] is True, name
        assert of_pod["runAsUser"] == 65532, name
        assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        assert pod["enableServiceLinks"] is False, name
        for volume in pod.get("volumes", []):
            assert set(volume) - {"name"} <= {"emptyDir", "secret", "configMap", "projected"}, name
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["privileged"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert not any("hostPort" in port for port in container.get("ports", [])), name
            assert container["resources"]["limits"]["memory"], name
            assert container["resources"]["requests"], name


@pytest.mark.parametrize("values", VALUES)
def test_nothing_runs_as_the_default_account_or_reads_a_secret_by_environment(values: str) -> None:
    for name, pod in render(values).pods():
        assert pod["serviceAccountName"] != "default", name
        for container in pod["containers"]:
            sources = [e.get("valueFrom", {}) for e in container.get("env", [])]
            assert not any("secretKeyRef" in s for s in sources), name
            assert "envFrom" not in container, name


def test_the_model_server_holds_nothing() -> None:
    rendered = render("default")
    pod = rendered.one("Deployment", "reme-model")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    account = rendered.one("ServiceAccount", pod["serviceAccountName"])
    assert account["automountServiceAccountToken"] is False
    subjects = [
        s["name"] for b in rendered.of("RoleBinding", "ClusterRoleBinding") for s in b["subjects"]
    ]
    assert pod["serviceAccountName"] not in subjects
    assert not any("secret" in v for v in pod["volumes"])


def labels(item: Object) -> dict[str, str]:
    label: dict[str, str] = item["metadata"].get("labels", {})
    return label


@pytest.mark.parametrize("values", VALUES)
def test_every_object_says_what_it_belongs_to(values: str) -> None:
    name = "reme"
    for item in render(values).objects:
        mapping = labels(item)
        # what reme never touches, whoever made it
        assert mapping["app.kubernetes.io/part-of"] == "reme", item["metadata"]["name"]
        if item["kind"] == "CustomResourceDefinition":
            continue
        assert mapping["app.kubernetes.io/name"] == name, item["metadata"]["name"]
        assert mapping["app.kubernetes.io/instance"] == "reme", item["metadata"]["name"]
        assert mapping["app.kubernetes.io/managed-by"] == "Helm", item["metadata"]["name"]
        assert mapping["helm.sh/chart"] == "reme-0.1.0", item["metadata"]["name"]
        assert mapping["app.kubernetes.io/version"] == "0.1.0", item["metadata"]["name"]


def selected(selector: dict[str, str], item: Object) -> bool:
    return selector.items() <= labels(item["spec"]["template"]).items()


@pytest.mark.parametrize("values", VALUES)
def test_every_selector_finds_exactly_its_own_pods(values: str) -> None:
    rendered = render(values)
    deployments = rendered.of("Deployment")
    for deployment in deployments:
        selector = deployment["spec"]["selector"]["matchLabels"]
        items = [d["metadata"]["name"] for d in deployments if selected(selector, d)]
        assert items == [deployment["metadata"]["name"]]
        # a label that changes with the version would make every upgrade fail
        assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(selector)
    for item in rendered.of("Service", "PodDisruptionBudget"):
        spec = item["spec"]["selector"]
        items = [d for d in deployments if selected(spec.get("matchLabels", spec), d)]
        assert [d["metadata"]["name"] for d in items] == [item["metadata"]["name"]]


@pytest.mark.parametrize("values", VALUES)
def test_names_begin_with_the_full_name(values: str) -> None:
    fullname = "repairs" if values == "everything" else "reme"
    for item in render(values).objects:
        if item["kind"] in {"CustomResourceDefinition", "RemediationPolicy"}:
            continue
        name = item["metadata"]["name"]
        assert name.startswith(f"{fullname}-") or name == "repairer", f"{item['kind']}/{name}"
        assert len(name) <= 63, name


def test_common_labels_are_everywhere() -> None:
    for item in render("everything").objects:
        if item["kind"] != "CustomResourceDefinition":
            assert labels(item)["team"] == "platform", item["metadata"]["name"]


def probe(pod: dict[str, Any], kind: str) -> dict[str, Any]:
    obj: dict[str, Any] = pod["containers"][0][kind]
    return obj


def test_the_operator_is_watched_and_can_be_doubled() -> None:
    one, two = render("default"), render("everything")
    pod = one.one("Deployment", "reme-operator")["spec"]["template"]["spec"]
    assert probe(pod, "livenessProbe")["httpGet"]["path"] == "/healthz"
    assert probe(pod, "readinessProbe")["httpGet"]["path"] == "/readyz"
    assert one.of("PodDisruptionBudget") == []
    names = {o["metadata"]["name"] for o in two.of("PodDisruptionBudget")}
    assert names == {"repairs-operator", "repairs-model"}
    spread = two.one("Deployment", "repairs-operator")["spec"]["template"]["spec"]
    assert spread["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"


def test_the_model_server_has_time_to_load_and_room_to_share() -> None:
    pod = render("default").one("Deployment", "reme-model")["spec"]["template"]["spec"]
    startup = probe(pod, "startupProbe")
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 300
    assert startup["httpGet"]["path"] == "/health"
    volumes = {v["name"]: v["emptyDir"] for v in pod["volumes"]}
    assert volumes["shared-memory"]["medium"] == "Memory"
    mounts = {m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}
    assert mounts == {"/tmp", "/dev/shm"}
    service = render("default").one("Service", "reme-model")
    assert [p["port"] for p in service["spec"]["ports"]] == [8000]


def test_a_gpu_changes_image_limits_nodes_and_tolerations() -> None:
    pod = render("gpu").one("Deployment", "reme-model")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["image"] == "localhost/reme-model-gpu:dev"
    assert container["resources"]["limits"] == {"memory": "24Gi", "nvidia.com/gpu": 1}
    assert pod["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"


def test_knobs_of_gpu_and_model_add_up() -> None:
    pod = render("everything").one("Deployment", "repairs-model")["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux", "accelerator": "gpu"}
    assert [t["key"] for t in pod["tolerations"]] == ["models", "nvidia.com/gpu"]
    assert pod["imagePullSecrets"] == [{"name": "pull"}]


def test_a_digest_wins_over_a_tag() -> None:
    pod = render("everything").one("Deployment", "repairs-operator")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"].startswith("localhost/reme-operator@sha256:0123")


def test_everything_namespaced_lies_in_the_release_or_a_watched_namespace() -> None:
    for item in render("everything").objects:
        if item["kind"] not in CLUSTER_SCOPED:
            assert item["metadata"]["namespace"] in {NAMESPACE, "shop", "payments"}


def test_the_operator_stops_within_its_grace_period() -> None:
    """It had 30 s and no limit of its own: a lease that is not released costs 15 s."""
    pods = dict(render("default").pods())
    (operator,) = [pod for name, pod in pods.items() if name.endswith("operator")]
    assert operator["terminationGracePeriodSeconds"] >= STOP_SECONDS + 2
