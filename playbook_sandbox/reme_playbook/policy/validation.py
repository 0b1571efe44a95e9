"""Validates actions: against the rules of a policy, and against the cluster as it is now."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from reme_api.policy import RemediationPolicySpec
from reme_playbook.actions.registry import Action
from reme_playbook.compiler.playbook import check_conflicts
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.policy.policy_rules import matching_rules
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import CLUSTER_SCOPED, ObjectRef
from reme_playbook.snapshot.ownership import belongs_to_target, scope_of_kind
from reme_playbook.snapshot.snapshot import ClusterSnapshot

PROTECTED_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})
PROTECTED_LABEL = "reme.dev/protected"
PART_OF_LABEL = "app.kubernetes.io/part-of"


def validate(
    actions: Sequence[Action],
    policy: RemediationPolicySpec,
    snapshot: ClusterSnapshot,
    *,
    release_namespace: str = "",
    now: datetime | None = None,
) -> None:
    """Return if the policy allows all of the actions on the cluster as it is.

    Without `now`, the windows of its rules are ignored: only for plans.

    Raises RejectedPlaybookError for the first action that it does not allow.
    """
    check_conflicts(actions)
    _check_protected(snapshot.target, snapshot, release_namespace)
    _check_pods(actions, snapshot)
    for action in actions:
        _check_object(action, snapshot, release_namespace)
        action.check(matching_rules(action, policy, snapshot, now), snapshot)
        _check_restorable(action, snapshot)


def is_protected(manifest: Mapping[str, Any]) -> bool:
    """Return whether an object is labelled as one that is never a target."""
    labels = unstructured.strings(manifest, "metadata", "labels")
    return labels.get(PROTECTED_LABEL) == "true" or labels.get(PART_OF_LABEL) == "reme"


def _check_protected(key: ObjectRef, snapshot: ClusterSnapshot, release_namespace: str) -> None:
    if key.namespace in (PROTECTED_NAMESPACES | {release_namespace}) - {""}:
        raise RejectedPlaybookError(
            RejectionRule.PROTECTED, f"namespace {key.namespace} is protected"
        )
    if is_protected(snapshot.objects.get(key, {})):
        raise RejectedPlaybookError(RejectionRule.PROTECTED, f"{key} is protected by its labels")


def _check_pods(actions: Sequence[Action], snapshot: ClusterSnapshot) -> None:
    deleted = {pod.name for action in actions for pod in action.deletes()}
    if sum(pod.ready and pod.name in deleted for pod in snapshot.pods) > 1:
        raise RejectedPlaybookError(
            RejectionRule.BOUNDS, "at most one pod that is ready may be deleted"
        )


def _check_object(action: Action, snapshot: ClusterSnapshot, release_namespace: str) -> None:
    key = action.target
    if action.INTERNAL:
        action.check((), snapshot)
    if key.kind not in CLUSTER_SCOPED and key.namespace != snapshot.target.namespace:
        raise RejectedPlaybookError(
            RejectionRule.NOT_OF_TARGET,
            f"{key} is in namespace {key.namespace}, the target is in {snapshot.target.namespace}",
        )
    manifest = snapshot.objects.get(key)
    if manifest is None:
        _reject_unknown(key, snapshot)
    if unstructured.text(manifest, "metadata", "deletionTimestamp"):
        raise RejectedPlaybookError(RejectionRule.NOT_FOUND, f"{key} is being deleted")
    _check_protected(key, snapshot, release_namespace)
    if not belongs_to_target(key, snapshot):
        raise RejectedPlaybookError(
            RejectionRule.NOT_OF_TARGET,
            f"{key} does not belong to {snapshot.target}: {scope_of_kind(key.kind)}",
        )


def _reject_unknown(key: ObjectRef, snapshot: ClusterSnapshot) -> NoReturn:
    known = key in snapshot.neighbours or (
        key.kind == "Service" and key.name in snapshot.service_names
    )
    if known:
        raise RejectedPlaybookError(
            RejectionRule.NOT_OF_TARGET,
            f"{key} exists, but does not belong to {snapshot.target}: {scope_of_kind(key.kind)}",
        )
    raise RejectedPlaybookError(
        RejectionRule.NOT_FOUND,
        f"{key} does not exist, or does not belong to {snapshot.target}: {scope_of_kind(key.kind)}",
    )


def _check_restorable(action: Action, snapshot: ClusterSnapshot) -> None:
    """Reject what could not be rolled back: a present value that the language cannot express."""
    before, _ = action.capture(snapshot)
    if not before or not action.writes():
        return
    try:
        action.inverted(dict(zip(action.paths(), before, strict=True)))
    except RejectedPlaybookError as error:
        raise RejectedPlaybookError(
            RejectionRule.CANNOT_ROLL_BACK,
            f"{action.name} on {action.target} could not be rolled back: the present value cannot "
            f"be written again ({error.message})",
        ) from None
