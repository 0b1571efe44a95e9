"""What the API server lets a compromised operator create with its permissions."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from reme_api.investigation import Cause, FollowUp
from reme_api.policy import Sandbox
from reme_operator.decision.follow_up_report import follow_up_report, probes_of_cause
from reme_operator.names import follow_up_name
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.node import UncordonNode
from reme_playbook.actions.quota import SetQuota
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.scale import Scale
from reme_playbook.execution.manifests import RunManifests, RunRequest, manifests
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.doubles.builders import remediation
from tests.e2e.sandbox.conftest import Identity, Object, RunAdmission

pytestmark = pytest.mark.cluster

PATHS = {
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "RunGrant": "/apis/reme.dev/v1alpha1/namespaces/{}/rungrants",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "DiagnosisReport": "/apis/reme.dev/v1alpha1/namespaces/{}/diagnosisreports",
}


def request(admission: RunAdmission) -> RunRequest:
    cart = ObjectRef("Deployment", admission.shop, "cart")
    pod = ObjectRef("Pod", admission.shop, "cart-0")
    return RunRequest(
        remediation_uid="0a1b2c3d-0000-0000-0000-000000000000",
        remediation_name="cart-1",
        target_namespace=admission.shop,
        attempt=7,
        actions=(
            Restart(target=cart),
            Scale(target=cart, replicas=2),
            DeletePod(target=pod),
            SetQuota(target=ObjectRef("ResourceQuota", admission.shop, "all"), hard={"pods": "9"}),
            UncordonNode(target=ObjectRef("Node", "", "worker")),
        ),
        created=datetime.now(UTC),
        release_namespace=admission.system,
        image="localhost/reme-sandbox:dev",
        sandbox=Sandbox(),
        role_prefix=f"{admission.fullname}-run-",
    )


@pytest.fixture(scope="module")
def run(admission: RunAdmission) -> RunManifests:
    return manifests(request(admission))


@pytest.fixture(scope="module")
def operator(admission: RunAdmission) -> Identity:
    """The operator with all permissions, so that only admission can refuse."""
    user = f"system:serviceaccount:{admission.system}:{admission.fullname}-operator"
    return Identity(user, ("system:masters",), None)


def create(admission: RunAdmission, by: Identity, manifest: Object) -> Any:
    path = PATHS[manifest["kind"]].format(manifest["metadata"].get("namespace"))
    return admission.api("POST", f"{path}?dryRun=All", manifest, by=by)


def all_of(run: RunManifests) -> list[Object]:
    return [
        run.grant,
        run.input_config_map,
        run.result_config_map,
        run.service_account,
        *run.role_bindings,
        run.job,
    ]


def test_everything_that_a_run_needs_may_be_created(
    admission: RunAdmission, operator: Identity, run: RunManifests
) -> None:
    for manifest in all_of(run):
        reply = create(admission, operator, manifest)
        assert reply.status == 201, (manifest["kind"], reply)


def pod(job: Object) -> Object:
    spec: Object = job["spec"]["template"]["spec"]
    return spec


Change = Callable[[Object], object]

JOBS: dict[str, Change] = {
    "another-image": lambda j: pod(j)["containers"][0].update(image="localhost/evil:1"),
    "another-command": lambda j: pod(j)["containers"][0].update(command=["sh"]),
    "other-arguments": lambda j: pod(j)["containers"][0].update(args=["-c", "x"]),
    "operators-identity": lambda j: pod(j).update(serviceAccountName="operator"),
    "another-runs-identity": lambda j: pod(j).update(serviceAccountName="reme-0a1b2c3d-8"),
    "host-network": lambda j: pod(j).update(hostNetwork=True),
    "host-processes": lambda j: pod(j).update(hostPID=True),
    "host-path": lambda j: pod(j)["volumes"].append({"name": "h", "hostPath": {"path": "/"}}),
    "secret": lambda j: pod(j)["volumes"].append({"name": "s", "secret": {"secretName": "x"}}),
    "another-config": lambda j: pod(j)["volumes"].append(
        {"name": "c", "configMap": {"name": "other"}}
    ),
    "projected-secret": lambda j: pod(j)["volumes"][2]["projected"]["sources"].append(
        {"secret": {"name": "x"}}
    ),
    "environment-from-secret": lambda j: pod(j)["containers"][0].update(
        envFrom=[{"secretRef": {"name": "x"}}]
    ),
    "variable-from-secret": lambda j: pod(j)["containers"][0]["env"].append(
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}
    ),
    "two-containers": lambda j: pod(j)["containers"].append({"name": "b", "image": "x"}),
    "init-container": lambda j: pod(j).update(initContainers=[{"name": "b", "image": "x"}]),
    "privileged": lambda j: pod(j)["containers"][0]["securityContext"].update(
        privileged=True, allowPrivilegeEscalation=True
    ),
    "capability": lambda j: pod(j)["containers"][0]["securityContext"].update(
        capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}
    ),
    "writable-root": lambda j: pod(j)["containers"][0]["securityContext"].update(
        readOnlyRootFilesystem=False
    ),
    "root": lambda j: pod(j)["containers"][0]["securityContext"].update(
        runAsUser=0, runAsNonRoot=False
    ),
    "node": lambda j: pod(j).update(nodeName="control-plane"),
    "many-pods": lambda j: j["spec"].update(parallelism=5, completions=5),
    "retries": lambda j: j["spec"].update(backoffLimit=6),
    "no-deadline": lambda j: j["spec"].pop("activeDeadlineSeconds"),
    "another-name": lambda j: j["metadata"].update(name="something"),
}


@pytest.mark.parametrize("name", sorted(JOBS))
def test_no_other_job_may_be_created(
    admission: RunAdmission, operator: Identity, run: RunManifests, name: str
) -> None:
    job = copy.deepcopy(run.job)
    JOBS[name](job)
    assert create(admission, operator, job).refused_by_admission
    other = create(admission, Identity("root", ("system:masters",), None), job)
    assert other.status == 201, other


BINDINGS: dict[str, Change] = {
    "admin": lambda b: b["roleRef"].update(name="cluster-admin"),
    "edit": lambda b: b["roleRef"].update(name="edit"),
    "unknown-run-role": lambda b: b["roleRef"].update(name=b["roleRef"]["name"] + "x"),
    "other-kind": lambda b: b["roleRef"].update(kind="Role"),
    "user": lambda b: b.update(
        subjects=[{"kind": "User", "name": "mallory", "apiGroup": "rbac.authorization.k8s.io"}]
    ),
    "group": lambda b: b.update(
        subjects=[
            {
                "kind": "Group",
                "name": "system:authenticated",
                "apiGroup": "rbac.authorization.k8s.io",
            }
        ]
    ),
    "operator-itself": lambda b: b["subjects"][0].update(name="operator"),
    "other-namespaces-account": lambda b: b["subjects"][0].update(namespace="default"),
    "two-subjects": lambda b: b["subjects"].append({**b["subjects"][0], "name": "other"}),
    "another-run": lambda b: b["subjects"][0].update(name="reme-0a1b2c3d-8"),
    "kube-system": lambda b: b["metadata"].update(namespace="kube-system", ownerReferences=[]),
    "own-namespace": lambda b: b["metadata"].update(
        namespace=b["subjects"][0]["namespace"], ownerReferences=[]
    ),
}


@pytest.mark.parametrize("name", sorted(BINDINGS))
def test_no_other_role_binding_may_be_created(
    admission: RunAdmission, operator: Identity, run: RunManifests, name: str
) -> None:
    binding = copy.deepcopy(next(b for b in run.role_bindings if "deployments" in str(b)))
    BINDINGS[name](binding)
    assert create(admission, operator, binding).refused_by_admission
    other = create(admission, Identity("root", ("system:masters",), None), binding)
    assert other.status == 201, other


EVERYWHERE: dict[str, Change] = {
    "admin": lambda b: b["roleRef"].update(name="cluster-admin"),
    "a-role-of-namespaces": lambda b: (
        b["roleRef"].update(name=b["roleRef"]["name"].replace("nodes", "deployments")),
        b["metadata"].update(name=b["metadata"]["name"].replace("nodes", "deployments")),
    ),
    "another-run": lambda b: b["subjects"][0].update(name="reme-0a1b2c3d-8"),
    "operator-itself": lambda b: b["subjects"][0].update(name="operator"),
    "another-name": lambda b: b["metadata"].update(name="something"),
}


@pytest.mark.parametrize("name", sorted(EVERYWHERE))
def test_no_other_cluster_role_binding_may_be_created(
    admission: RunAdmission, operator: Identity, run: RunManifests, name: str
) -> None:
    (everywhere,) = (b for b in run.role_bindings if b["kind"] == "ClusterRoleBinding")
    binding = copy.deepcopy(everywhere)
    EVERYWHERE[name](binding)
    assert create(admission, operator, binding).refused_by_admission
    other = create(admission, Identity("root", ("system:masters",), None), binding)
    assert other.status == 201, other


def test_of_cluster_role_bindings_the_operator_deletes_only_those_of_runs(
    admission: RunAdmission, operator: Identity, run: RunManifests
) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    assert (
        admission.api("DELETE", f"{path}/{admission.fullname}?dryRun=All", by=operator).status
        == 403
    )
    (everywhere,) = (b for b in run.role_bindings if b["kind"] == "ClusterRoleBinding")
    admission.api("POST", path, everywhere)
    name = everywhere["metadata"]["name"]
    assert admission.api("DELETE", f"{path}/{name}", by=operator).status == 200


GRANTS: dict[str, Change] = {
    "to-another-run": lambda g: g["spec"].update(username=g["spec"]["username"] + "0"),
    "to-the-operator": lambda g: g["spec"].update(username="system:serviceaccount:a:operator"),
    "for-ever": lambda g: g["spec"].update(notAfter="2099-01-01T00:00:00Z"),
    "secrets": lambda g: g["spec"]["rules"][0].update(group="", resource="secrets"),
    "delete-workload": lambda g: g["spec"]["rules"][0].update(verbs=["DELETE"]),
    "create": lambda g: g["spec"]["rules"][0].update(verbs=["CREATE"]),
    "kube-system": lambda g: g["spec"]["rules"][0].update(namespace="kube-system"),
    "own-namespace": lambda g: g["spec"]["rules"][0].update(namespace=g["metadata"]["namespace"]),
    "everywhere": lambda g: g["spec"]["rules"][0].pop("namespace"),
    "secrets-everywhere": lambda g: g["spec"]["rules"][0].update(resource="secrets", namespace=""),
    "delete-node": lambda g: g["spec"]["rules"][0].update(
        group="", resource="nodes", namespace="", verbs=["DELETE"]
    ),
    "another-result": lambda g: g["spec"]["rules"][-1].update(name="reme-0a1b2c3d-8-result"),
    "another-name": lambda g: g["metadata"].update(name="something"),
}


@pytest.mark.parametrize("name", sorted(GRANTS))
def test_no_other_grant_may_be_created(
    admission: RunAdmission, operator: Identity, run: RunManifests, name: str
) -> None:
    grant = copy.deepcopy(run.grant)
    GRANTS[name](grant)
    assert create(admission, operator, grant).refused_by_admission
    other = create(admission, Identity("root", ("system:masters",), None), grant)
    assert other.status == 201, other


def test_no_other_identity_may_be_created(
    admission: RunAdmission, operator: Identity, run: RunManifests
) -> None:
    account = copy.deepcopy(run.service_account)
    account["metadata"]["name"] = "something"
    assert create(admission, operator, account).refused_by_admission
    account["metadata"].update(name=run.job["metadata"]["name"], namespace=admission.shop)
    assert create(admission, operator, account).refused_by_admission


def follow_up(admission: RunAdmission) -> Object:
    """Return the report that the operator creates about a cause."""
    first = remediation()
    first.metadata.namespace = admission.shop
    cause = Cause(kind="Deployment", name="reviews", evidence=["its Service has no endpoints"])
    record = FollowUp(
        report=follow_up_name(first, cause.kind, cause.name),
        attempt=1,
        cause=cause,
        start_time=datetime.now(UTC),
    )
    return follow_up_report(first, record, probes_of_cause((), cause, ())).manifest()


def owner(report: Object) -> Object:
    references: list[Object] = report["metadata"]["ownerReferences"]
    return references[0]


REPORTS: dict[str, Change] = {
    "of-a-person": lambda r: r["spec"].pop("followUpOf"),
    "without-an-owner": lambda r: r["metadata"].pop("ownerReferences"),
    "of-another-owner": lambda r: owner(r).update(uid="another"),
    "of-another-kind-of-owner": lambda r: owner(r).update(apiVersion="v1", kind="ConfigMap"),
    "another-label": lambda r: r["metadata"]["labels"].update({"reme.dev/remediation-uid": "x"}),
    "another-name": lambda r: r["metadata"].update(name="cart-down"),
    "with-a-policy": lambda r: r["spec"].update(policyRef={"name": "wide"}),
}


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_no_other_report_may_be_created(
    admission: RunAdmission, operator: Identity, name: str
) -> None:
    report = follow_up(admission)
    assert create(admission, operator, report).status == 201
    REPORTS[name](report)
    assert create(admission, operator, report).refused_by_admission
    other = create(admission, Identity("root", ("system:masters",), None), report)
    assert other.status == 201, other


def test_no_report_may_be_created_in_the_release_namespace(
    admission: RunAdmission, operator: Identity
) -> None:
    report = follow_up(admission)
    report["metadata"]["namespace"] = admission.system
    assert create(admission, operator, report).refused_by_admission


def test_nobody_else_creates_a_report_that_names_its_origin(admission: RunAdmission) -> None:
    root, person = Identity("root", ("system:masters",), None), "reme-reporter"
    role: Object = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": person, "namespace": admission.shop},
        "rules": [
            {"apiGroups": ["reme.dev"], "resources": ["diagnosisreports"], "verbs": ["create"]}
        ],
    }
    binding: Object = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": person, "namespace": admission.shop},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": person},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": person}],
    }
    paths = [
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{admission.shop}/{plural}"
        for plural in ("roles", "rolebindings")
    ]
    for path, manifest in zip(paths, (role, binding), strict=True):
        assert admission.api("POST", path, manifest, by=root).status == 201
    try:
        report, reporter = follow_up(admission), Identity(person, (), None)
        assert create(admission, reporter, report).refused_by_admission
        report["spec"].pop("followUpOf")
        assert create(admission, reporter, report).status == 201
    finally:
        for path in paths:
            admission.api("DELETE", f"{path}/{person}", by=root)


def mint(admission: RunAdmission, by: Identity, account: str, **spec: Any) -> Any:
    path = f"/api/v1/namespaces/{admission.system}/serviceaccounts/{account}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    return admission.api("POST", path, body | {"spec": {"expirationSeconds": 600} | spec}, by=by)


def test_a_token_may_be_created_only_for_a_run_short_lived_and_unbound(
    admission: RunAdmission, operator: Identity, run: RunManifests
) -> None:
    name = run.service_account["metadata"]["name"]
    root = Identity("root", ("system:masters",), None)
    path = PATHS["ServiceAccount"].format(admission.system)
    assert admission.api("POST", path, run.service_account, by=root).status == 201
    try:
        assert mint(admission, operator, name).status == 201
        assert mint(admission, operator, "default").refused_by_admission
        assert mint(admission, operator, name, expirationSeconds=3600).refused_by_admission
        # Bound to the pod of the run, it could write like the token of that pod.
        bound = {"kind": "Pod", "apiVersion": "v1", "name": f"{name}-x7k2p"}
        assert mint(admission, operator, name, boundObjectRef=bound).refused_by_admission
    finally:
        admission.api("DELETE", f"{path}/{name}", by=root)


def test_no_cluster_wide_permission_may_be_granted(
    admission: RunAdmission, operator: Identity
) -> None:
    for kind in ("ClusterRole", "ClusterRoleBinding"):
        body: Object = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": "of-the-operator"},
        }
        if kind == "ClusterRoleBinding":
            group = "rbac.authorization.k8s.io"
            body["roleRef"] = {"apiGroup": group, "kind": "ClusterRole", "name": "view"}
        path = f"/apis/rbac.authorization.k8s.io/v1/{kind.lower()}s?dryRun=All"
        assert admission.api("POST", path, body, by=operator).refused_by_admission
