"""What the language can never say, whoever writes it and whatever a policy allows."""

import json
from typing import Any

import pytest

from reme_playbook.actions.registry import PUBLIC
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.execution.grants import RUN_ROLES
from reme_playbook.snapshot.object_ref import API_VERSIONS

KINDS_OF_NOBODY = [
    ("v1", "Secret"),
    ("v1", "ServiceAccount"),
    ("v1", "Namespace"),
    ("v1", "PersistentVolumeClaim"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("reme.dev/v1alpha1", "RunGrant"),
    ("reme.dev/v1alpha1", "Remediation"),
    ("reme.dev/v1alpha1", "RemediationPolicy"),
    ("reme.dev/v1alpha1", "DiagnosisReport"),
    ("chaos-mesh.org/v1alpha1", "StressChaos"),
    ("chaos-mesh.org/v1alpha1", "NetworkChaos"),
    ("batch/v1", "CronJob"),
    ("apps/v1", "ReplicaSet"),
]
STATES = ("patched", "present", "absent")


def rejected(task: Any, *, for_rollback: bool = False) -> None:
    with pytest.raises(RejectedPlaybookError):
        compile_playbook(json.dumps([task]), for_rollback=for_rollback)


def k8s(kind: str, definition: Any, *, state: str = "patched", name: str = "cart") -> Any:
    where = {"kind": kind, "name": name, "namespace": "shop", "state": state}
    return {"k8s": where | ({} if definition is None else {"definition": definition})}


def container(**fields: Any) -> Any:
    return {"spec": {"template": {"spec": {"containers": [{"name": "server", **fields}]}}}}


def pods(**fields: Any) -> Any:
    return {"spec": {"template": {"spec": fields}}}


@pytest.mark.parametrize("for_rollback", [False, True])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("version", "kind"), KINDS_OF_NOBODY)
def test_no_action_is_about_such_a_kind(
    version: str, kind: str, state: str, for_rollback: bool
) -> None:
    rejected(k8s(kind, None, state=state), for_rollback=for_rollback)
    task = k8s(kind, {"metadata": {"name": "cart"}}, state=state)
    task["k8s"]["api_version"] = version
    rejected(task, for_rollback=for_rollback)


@pytest.mark.parametrize("kind", sorted(set(API_VERSIONS) - {"Pod"}))
@pytest.mark.parametrize("for_rollback", [False, True])
def test_nothing_but_a_pod_is_ever_deleted(kind: str, for_rollback: bool) -> None:
    rejected(k8s(kind, None, state="absent"), for_rollback=for_rollback)


@pytest.mark.parametrize("kind", sorted(API_VERSIONS))
@pytest.mark.parametrize("for_rollback", [False, True])
def test_nothing_is_ever_created(kind: str, for_rollback: bool) -> None:
    rejected(k8s(kind, {"spec": {}}, state="present"), for_rollback=for_rollback)


HIDING = {
    "scale to zero": {
        "k8s_scale": {"kind": "Deployment", "name": "cart", "namespace": "shop", "replicas": 0}
    },
    "zero replicas by a patch": k8s("Deployment", {"spec": {"replicas": 0}}),
    "fewer than none": k8s("Deployment", {"spec": {"replicas": -1}}),
    "no resources": k8s("Deployment", container(resources=None)),
    "no limits": k8s("Deployment", container(resources={"limits": None})),
    "no memory limit": k8s("Deployment", container(resources={"limits": {"memory": None}})),
    "no cpu limit": k8s("Deployment", container(resources={"limits": {"cpu": None}})),
    "no readiness probe": k8s("Deployment", container(readinessProbe=None)),
    "no liveness probe": k8s("Deployment", container(livenessProbe=None)),
    "a probe that is a command": k8s(
        "Deployment", container(readinessProbe={"exec": {"command": ["true"]}})
    ),
    "paused": k8s("Deployment", {"spec": {"paused": True}}),
    "no quota": k8s("ResourceQuota", {"spec": {"hard": {"pods": None}}}),
    "no autoscaler": k8s("HorizontalPodAutoscaler", {"spec": {"minReplicas": 0}}),
    "a suspended job": k8s("Job", {"spec": {"suspend": True}}),
    "a cordoned node": {
        "k8s": {
            "kind": "Node",
            "name": "worker-1",
            "state": "patched",
            "definition": {"spec": {"unschedulable": True}},
        }
    },
    "a new taint": {
        "k8s_taint": {
            "name": "worker-1",
            "state": "present",
            "taints": [{"key": "a", "effect": "NoSchedule"}],
        }
    },
    "a drained node": {"k8s_drain": {"name": "worker-1", "state": "drain"}},
    "no setting": k8s("ConfigMap", {"data": {"color": None}}),
    "no variable": k8s("Deployment", container(env=[{"name": "A", "$patch": "delete"}])),
}


@pytest.mark.parametrize("name", sorted(HIDING))
def test_no_symptom_is_hidden(name: str) -> None:
    rejected(HIDING[name])


PRIVILEGED = {
    "privileged": container(securityContext={"privileged": True}),
    "as root": container(securityContext={"runAsUser": 0}),
    "a capability": container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
    "a mount": container(volumeMounts=[{"name": "x", "mountPath": "/x"}]),
    "a device": container(volumeDevices=[{"name": "x", "devicePath": "/x"}]),
    "a hook": container(lifecycle={"postStart": {"exec": {"command": ["id"]}}}),
    "a port": container(ports=[{"containerPort": 22, "hostPort": 22}]),
    "a secret in a variable": container(
        env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    ),
    "all secrets in variables": container(envFrom=[{"secretRef": {"name": "s"}}]),
    "another container": pods(containers=[{"name": "spy", "image": "x", "command": ["x"]}, {}]),
    "an init container": pods(initContainers=[{"name": "spy", "image": "x"}]),
    "an ephemeral container": pods(ephemeralContainers=[{"name": "spy", "image": "x"}]),
    "host network": pods(hostNetwork=True),
    "host processes": pods(hostPID=True),
    "host memory": pods(hostIPC=True),
    "a volume of the node": pods(volumes=[{"name": "h", "hostPath": {"path": "/"}}]),
    "a volume of a secret": pods(volumes=[{"name": "h", "secret": {"secretName": "s"}}]),
    "another identity": pods(serviceAccountName="admin"),
    "a token": pods(automountServiceAccountToken=True),
    "a node by name": pods(nodeName="worker-1"),
    "a toleration": pods(tolerations=[{"operator": "Exists"}]),
    "a priority": pods(priorityClassName="system-node-critical"),
    "a runtime": pods(runtimeClassName="x"),
    "labels of the pods": {"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}},
    "labels": {"metadata": {"labels": {"a": "b"}}},
    "annotations": {"metadata": {"annotations": {"a": "b"}}},
    "finalizers": {"metadata": {"finalizers": ["a.b/c"]}},
    "owners": {"metadata": {"ownerReferences": []}},
    "status": {"status": {"readyReplicas": 9}},
    "the selector": {"spec": {"selector": {"matchLabels": {"a": "b"}}}},
}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
@pytest.mark.parametrize("for_rollback", [False, True])
@pytest.mark.parametrize("name", sorted(PRIVILEGED))
def test_no_privilege_is_gained(name: str, kind: str, for_rollback: bool) -> None:
    rejected(k8s(kind, PRIVILEGED[name]), for_rollback=for_rollback)


def test_no_role_and_no_action_is_about_more_kinds_than_the_language_has() -> None:
    kinds = {kind for action in PUBLIC.values() for kind in action.KINDS}
    assert kinds <= set(API_VERSIONS)
    assert not any(action.INTERNAL for action in PUBLIC.values())
    groups = {g for rules in RUN_ROLES.values() for rule in rules for g in rule["apiGroups"]}
    assert groups == {"", "apps", "autoscaling", "policy", "batch", "networking.k8s.io"}
