"""The objects of one run as plain manifests: the same request gives the same bytes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from reme_api.base import API_VERSION
from reme_api.policy import Sandbox
from reme_api.run_grant import GrantRule, RunGrant, RunGrantSpec, Verb
from reme_playbook.actions.registry import Action
from reme_playbook.execution import result
from reme_playbook.execution.grants import cluster_roles, grant_rules, run_roles
from reme_playbook.execution.pod import PodOptions, pod_spec
from reme_playbook.execution.render import playbook_digest, playbook_text
from reme_playbook.execution.runner_contract import (
    PLAYBOOK_KEY,
    TERMINATION_GRACE_SECONDS,
    Variable,
)
from reme_playbook.snapshot.object_ref import ObjectRef

Manifest = dict[str, Any]

RESULT_ROLE = "result"
START_SECONDS = 60
"""Time for scheduling the pod and pulling its image, added to the deadline of the playbook."""
TTL_SECONDS = 3600
"""When Kubernetes deletes a Job that the operator did not delete."""


@dataclass(frozen=True)
class RunRequest:
    """Everything that the objects of a run depend on.

    `created` is the time in the record, not that of a clock. `image` is the sandbox's. `role_kind`
    and `role_prefix` name the run roles of the chart (`ClusterRole` or `Role`, `<fullname>-run-`).
    `templates` are the pod templates that rollbacks restore: the grant allows no others.
    """

    remediation_uid: str
    remediation_name: str
    target_namespace: str
    attempt: int
    actions: tuple[Action, ...]
    created: datetime
    release_namespace: str
    image: str
    sandbox: Sandbox
    is_rollback: bool = False
    templates: Mapping[ObjectRef, Mapping[str, Any]] = field(default_factory=dict)
    role_kind: str = "ClusterRole"
    role_prefix: str = "reme-run-"
    pod: PodOptions = field(default_factory=PodOptions)

    @property
    def name(self) -> str:
        """Name of the run and of its objects."""
        return run_name(self.remediation_uid, self.attempt, is_rollback=self.is_rollback)

    @property
    def not_after(self) -> datetime:
        """When the grant expires: after the deadline of the Job and the pod's grace period."""
        seconds = START_SECONDS + self.sandbox.deadline_seconds + TERMINATION_GRACE_SECONDS
        return (self.created + timedelta(seconds=seconds)).astimezone(UTC)


class RunManifests(NamedTuple):
    """The objects of a run in the order of their creation; deleted in the reverse order.

    The grant exists before the RoleBindings and after them: without a grant only RBAC bounds the
    identity.
    """

    grant: Manifest
    input_config_map: Manifest
    result_config_map: Manifest
    service_account: Manifest
    role_bindings: tuple[Manifest, ...]
    job: Manifest


def run_name(remediation_uid: str, attempt: int, *, is_rollback: bool = False) -> str:
    """Return the name of the run of an attempt, or of its rollback."""
    return f"reme-{remediation_uid[:8]}-{attempt}{'-rollback' if is_rollback else ''}"


def username(release_namespace: str, run: str) -> str:
    """Return the user name of a run at the API server."""
    return f"system:serviceaccount:{release_namespace}:{run}"


def manifests(request: RunRequest) -> RunManifests:
    """Return all objects of a run."""
    name, namespace = request.name, request.release_namespace
    text = playbook_text(request.actions, name)  # a restart writes the name of the run
    return RunManifests(
        grant=_grant(request),
        input_config_map={
            **_head("v1", "ConfigMap", f"{name}-input", request),
            "immutable": True,
            "data": {PLAYBOOK_KEY: text},
        },
        result_config_map={
            **_head("v1", "ConfigMap", f"{name}-result", request),
            "data": {
                result.CLAIM_KEY: result.UNCLAIMED,
                result.RESULT_KEY: "",
                result.EVENTS_KEY: "",
            },
        },
        service_account={
            **_head("v1", "ServiceAccount", name, request),
            "automountServiceAccountToken": False,
        },
        role_bindings=(
            *(
                _role_binding(request, role, request.target_namespace, request.role_kind)
                for role in sorted(run_roles(request.actions))
            ),
            *(_cluster_binding(request, role) for role in sorted(cluster_roles(request.actions))),
            _role_binding(request, RESULT_ROLE, namespace, "Role"),
        ),
        job=_job(request, text),
    )


def rules(request: RunRequest) -> list[GrantRule]:
    """Return what the run may write: the fields of its actions, and its own result."""
    result_rule = GrantRule(
        resource="configmaps",
        namespace=request.release_namespace,
        name=f"{request.name}-result",
        verbs=[Verb.UPDATE],
        fields=[f"data[{key}]" for key in (result.CLAIM_KEY, result.RESULT_KEY, result.EVENTS_KEY)],
    )
    return [*grant_rules(request.actions, request.name, request.templates), result_rule]


def _grant(request: RunRequest) -> Manifest:
    spec = RunGrantSpec(
        username=username(request.release_namespace, request.name),
        not_after=request.not_after,
        rules=rules(request),
    )
    return {**_head(API_VERSION, RunGrant.KIND, request.name, request), "spec": spec.wire()}


def _role_binding(request: RunRequest, role: str, namespace: str, role_kind: str) -> Manifest:
    name = f"{request.name}-{role}"
    head = _head("rbac.authorization.k8s.io/v1", "RoleBinding", name, request, namespace)
    return {**head, **_role_and_subject(request, role, role_kind)}


def _cluster_binding(request: RunRequest, role: str) -> Manifest:
    """Return the binding of a role for cluster-scoped objects."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{request.name}-{role}", "labels": _labels(request)},
        **_role_and_subject(request, role, "ClusterRole"),
    }


def _role_and_subject(request: RunRequest, role: str, role_kind: str) -> Manifest:
    return {
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": role_kind,
            "name": f"{request.role_prefix}{role}",
        },
        "subjects": [
            {
                "kind": "ServiceAccount",
                "name": request.name,
                "namespace": request.release_namespace,
            }
        ],
    }


def _job(request: RunRequest, text: str) -> Manifest:
    deadline = request.sandbox.deadline_seconds
    environment = {
        Variable.RUN_NAME.value: request.name,
        Variable.NAMESPACE.value: request.release_namespace,
        Variable.RESULT.value: f"{request.name}-result",
        Variable.PLAYBOOK_DIGEST.value: playbook_digest(text.encode()),
        Variable.DEADLINE_SECONDS.value: str(deadline),
        Variable.IS_ROLLBACK.value: "true" if request.is_rollback else "false",
    }
    return {
        **_head("batch/v1", "Job", request.name, request),
        "spec": {
            "activeDeadlineSeconds": START_SECONDS + deadline,
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "ttlSecondsAfterFinished": TTL_SECONDS,
            "template": {
                "metadata": {"labels": {**_labels(request), **POD_LABELS}},
                "spec": pod_spec(
                    run=request.name,
                    input_config_map=f"{request.name}-input",
                    image=request.image,
                    environment=environment,
                    limits=request.sandbox,
                    options=_pod_options(request),
                ),
            },
        },
    }


def _pod_options(request: RunRequest) -> PodOptions:
    """Return the options of the pod; one that changes nodes tolerates the taints of every node."""
    if not cluster_roles(request.actions):
        return request.pod
    return replace(request.pod, tolerations=(*request.pod.tolerations, {"operator": "Exists"}))


POD_LABELS: Mapping[str, str] = {"app.kubernetes.io/component": "sandbox"}
"""Labels that the NetworkPolicy of runs selects, together with managed-by."""


def _head(
    api_version: str, kind: str, name: str, request: RunRequest, namespace: str = ""
) -> Manifest:
    metadata: Manifest = {
        "name": name,
        "namespace": namespace or request.release_namespace,
        "labels": _labels(request),
    }
    if namespace == request.target_namespace != request.release_namespace:
        # Deleted with the remediation even without the operator; an owner in another namespace is
        # not possible.
        metadata["ownerReferences"] = [
            {
                "apiVersion": API_VERSION,
                "kind": "Remediation",
                "name": request.remediation_name,
                "uid": request.remediation_uid,
            }
        ]
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _labels(request: RunRequest) -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": "reme",
        "reme.dev/remediation-uid": request.remediation_uid,
        "reme.dev/remediation-name": label_value(request.remediation_name),
        "reme.dev/remediation-namespace": request.target_namespace,
        "reme.dev/attempt": str(request.attempt),
    }


def label_value(name: str) -> str:
    """Return a name as the value of a label: a long one is cut and gets a hash."""
    if len(name) <= 63:
        return name
    return f"{name[:52].rstrip('-.')}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"
