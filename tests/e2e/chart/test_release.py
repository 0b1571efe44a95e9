"""The chart as its users meet it: installed, checked, changed, removed, and installed again.

The definitions are shared by everything in the cluster, so no test deletes them, and the release is
the one that the other tests use: it is there again when these end.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from reme_benchmark.harness.scripted_model_client import ENDPOINT, ScriptedModel
from reme_cluster.errors import CommandError
from reme_cluster.kubectl import Kubectl, Object
from tests.support.testbed import RELEASE, ROOT, SYSTEM, helm, install

pytestmark = pytest.mark.cluster

PLACE = "reme-e2e-chart"
KINDS = ("diagnosisreports", "remediations", "remediationpolicies", "rungrants")
MODEL = ("model.enabled=false", f"model.endpoint={ENDPOINT}", "model.name=scripted")


@pytest.fixture(scope="module", autouse=True)
def release(kubectl: Kubectl) -> Iterator[None]:
    ScriptedModel(kubectl).deploy()
    install(*MODEL)
    yield
    install(*MODEL)


@pytest.fixture
def place(kubectl: Kubectl) -> Iterator[str]:
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLACE}})
    yield PLACE
    kubectl.delete("namespace", PLACE)


def default_policy(kubectl: Kubectl) -> Object | None:
    return kubectl.get("remediationpolicies.reme.dev", "default", SYSTEM)


def refused(kubectl: Kubectl, *arguments: str, stdin: str = "") -> str:
    with pytest.raises(CommandError) as error:
        kubectl.run(*arguments, stdin=stdin)
    return str(error.value)


def test_the_installation_checks_itself() -> None:
    text = helm("test", RELEASE, "--namespace", SYSTEM, "--logs", "--timeout", "3m")
    for line in (
        "the definitions are served",
        "a report is accepted (dry run)",
        "the operator is ready",
        "the model answers: scripted",
    ):
        assert text.count(f"ok    {line}") == 1
    assert "FAIL" not in text


def test_the_release_namespace_can_be_restricted(kubectl: Kubectl) -> None:
    """The server says which pods of the namespace would break the standard."""
    done = subprocess.run(
        [
            kubectl.program, "label", "--dry-run=server", "--overwrite", "namespace", SYSTEM,
            "pod-security.kubernetes.io/enforce=restricted",
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KUBECONFIG": kubectl.kubeconfig},
    )  # fmt: skip
    assert "Warning" not in done.stderr


def test_the_default_policy_follows_the_values(kubectl: Kubectl) -> None:
    obj = default_policy(kubectl)
    assert obj is not None
    assert obj["spec"]["mode"] == "Observe"
    install(*MODEL, "defaultPolicy.mode=Approve")
    obj = default_policy(kubectl)
    assert obj is not None
    assert obj["spec"]["mode"] == "Approve"
    install(*MODEL, "defaultPolicy.enabled=false")
    assert default_policy(kubectl) is None
    install(*MODEL)
    assert default_policy(kubectl) is not None


def leading(kubectl: Kubectl) -> str:
    """Return which of the operator's pods holds the lease; empty while none does."""
    selector = "app.kubernetes.io/component=operator"
    lease = kubectl.get("lease", "reme-operator", SYSTEM)
    holder = lease["spec"].get("holderIdentity") or "" if lease else ""
    names = [p["metadata"]["name"] for p in kubectl.list("pods", SYSTEM, selector)]
    return next((name for name in names if name in holder), "")


def test_two_operators_are_ready_and_one_leads(kubectl: Kubectl) -> None:
    install(*MODEL, "operator.replicas=2")
    deployment = kubectl.get("deployment", "reme-operator", SYSTEM)
    assert deployment is not None
    assert deployment["status"]["readyReplicas"] == 2
    assert kubectl.get("poddisruptionbudget", "reme-operator", SYSTEM) is not None
    # Ready is not yet leading: one that was replaced gives the lease back, or lets it run out.
    until = time.monotonic() + 60
    while not (leader := leading(kubectl)):
        assert time.monotonic() < until, kubectl.get("lease", "reme-operator", SYSTEM)
        time.sleep(0.5)
    time.sleep(3)
    assert leading(kubectl) == leader
    install(*MODEL)
    assert kubectl.get("poddisruptionbudget", "reme-operator", SYSTEM) is None


def test_records_outlive_the_release(kubectl: Kubectl, place: str) -> None:
    spec = {
        "target": {"kind": "Deployment", "name": "cart"},
        "fault": {"type": "bad-rollout"},
        "suspend": True,
    }
    kubectl.apply(
        {
            "apiVersion": "reme.dev/v1alpha1",
            "kind": "DiagnosisReport",
            "metadata": {"name": "kept", "namespace": place},
            "spec": spec,
        }
    )
    before = kubectl.get("diagnosisreports.reme.dev", "kept", place)
    assert before is not None
    helm("uninstall", RELEASE, "--namespace", SYSTEM, "--wait")
    for kind in KINDS:
        assert kubectl.get("crd", f"{kind}.reme.dev") is not None, kind
    own = f"app.kubernetes.io/instance={RELEASE}"
    lines = [
        f"{kind}/{item['metadata']['name']}"
        for kind in (
            *("clusterroles", "clusterrolebindings", "roles", "rolebindings"),
            *("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
            *("deployments", "services", "serviceaccounts", "networkpolicies"),
        )
        for item in kubectl.list(kind, selector=own)
    ]
    assert lines == []
    after = kubectl.get("diagnosisreports.reme.dev", "kept", place)
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    install(*MODEL)
    again = kubectl.get("diagnosisreports.reme.dev", "kept", place)
    assert again is not None
    assert again["metadata"]["uid"] == before["metadata"]["uid"]


@pytest.fixture
def few(kubectl: Kubectl, place: str) -> Iterator[str]:
    """A second release that looks after one namespace; it gives back its operator's identity."""
    home = "reme-e2e-few"
    helm(
        "upgrade", "--install", "few", str(ROOT / "charts" / "reme"), "--namespace", home,
        "--create-namespace", "--wait", "--timeout", "2m",
        *(
            word
            for setting in (
                "fullnameOverride=few",
                "crds.enabled=false",
                "rbac.userRoles=false",
                f"watchNamespaces={{{place}}}",
                *MODEL,
            )
            for word in ("--set", setting)
        ),
    )  # fmt: skip
    yield f"system:serviceaccount:{home}:few-operator"
    helm("uninstall", "few", "--namespace", home, "--wait")
    kubectl.delete("namespace", home)  # the next test makes it again


def may(kubectl: Kubectl, who: str, verb: str, what: str, where: str) -> bool:
    try:
        return kubectl.run("auth", "can-i", verb, what, "-n", where, "--as", who).strip() == "yes"
    except CommandError:
        return False


def test_a_namespaced_release_reaches_its_namespaces_only(
    kubectl: Kubectl, place: str, few: str
) -> None:
    for verb, what in (
        ("list", "deployments.apps"),
        ("create", "remediations.reme.dev"),
        ("create", "rolebindings.rbac.authorization.k8s.io"),
    ):
        assert may(kubectl, few, verb, what, place), (verb, what)
        assert not may(kubectl, few, verb, what, "default"), (verb, what)
    for verb, what in (
        ("get", "secrets"),
        ("patch", "deployments.apps"),
        ("delete", "pods"),
        ("create", "pods/exec"),
        ("escalate", "roles.rbac.authorization.k8s.io"),
        ("update", "configmaps"),
        ("patch", "validatingadmissionpolicies.admissionregistration.k8s.io"),
    ):
        assert not may(kubectl, few, verb, what, place), (verb, what)
    assert not may(kubectl, few, "create", "jobs.batch", place)
    assert may(kubectl, few, "create", "jobs.batch", "reme-e2e-few")
    bound = [
        b["metadata"]["name"]
        for b in kubectl.list("clusterrolebindings", selector="app.kubernetes.io/instance=few")
    ]
    assert bound == []


def test_a_namespaced_operator_is_refused_nothing(kubectl: Kubectl, few: str) -> None:
    """It watches and reads at its start; a right that lacks shows in its log."""
    pod = "deployment/few-operator"
    time.sleep(3)
    text = kubectl.run("logs", "-n", "reme-e2e-few", pod)
    assert "operator_started" in text
    assert "orbidden" not in text
    assert "error" not in {json.loads(line).get("level") for line in text.splitlines() if line}


def test_the_operator_binds_run_roles_and_no_other(kubectl: Kubectl, place: str, few: str) -> None:
    run = "reme-0a1b2c3d-1"
    bind = ["create", "rolebinding", f"{run}-deployments", "-n", place, "--dry-run=server"]
    bind += ["--as", few, f"--serviceaccount=reme-e2e-few:{run}"]
    kubectl.run(*bind, "--role=few-run-deployments")
    # a long list of the rights that the operator does not have itself
    assert "Verbs:" in refused(kubectl, *bind, "--clusterrole=edit")
    kubectl.run("create", "role", "mine", "-n", place, "--verb=patch", "--resource=secrets")
    assert "forbidden" in refused(kubectl, *bind, "--role=mine")


def test_a_playbook_is_approved_with_the_verb_approve_only(kubectl: Kubectl, place: str) -> None:
    kubectl.apply(
        {
            "apiVersion": "reme.dev/v1alpha1",
            "kind": "Remediation",
            # Suspended, and of a report that does not exist: nothing comes of it.
            "metadata": {"name": "held", "namespace": place},
            "spec": {
                "reportRef": {"name": "nothing", "uid": "0"},
                "target": {"kind": "Deployment", "name": "cart"},
                "fault": {"type": "bad-rollout"},
                "probes": [],
                "policy": {"name": "default", "namespace": SYSTEM, "spec": {}},
                "suspend": True,
            },
        }
    )
    can = ["create", "role", "-n", place, "--resource=remediations.reme.dev"]
    kubectl.run(*can, "patcher", "--verb=get,patch")
    kubectl.run(*can, "approver", "--verb=get,patch,approve")
    for name in ("patcher", "approver"):
        kubectl.run("create", "rolebinding", name, "-n", place, f"--role={name}", f"--user={name}")
    patch = ["patch", "remediation", "held", "-n", place, "--type=merge", "--dry-run=server", "-p"]
    digest = f"sha256:{'a' * 64}"
    about = {"attempt": 1, "playbookDigest": digest, "planDigest": digest}
    decision = {"decision": "Approve", "username": "approver", **about}
    approval = json.dumps({"spec": {"approval": decision}})
    undo = json.dumps({"spec": {"rollback": {"username": "approver", "number": 1}}})
    for expected in (approval, undo):
        assert "needs the verb approve" in refused(kubectl, *patch, expected, "--as=patcher")
        assert "must be your own username" in refused(
            kubectl, *patch, expected.replace("approver", "patcher"), "--as=approver"
        )
        kubectl.run(*patch, expected, "--as=approver")
    kubectl.run(*patch, '{"spec":{"cancel":true}}', "--as=patcher")
    kubectl.run("delete", "remediation", "held", "-n", place, timeout_seconds=60)
