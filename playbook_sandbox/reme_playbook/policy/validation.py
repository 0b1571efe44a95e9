"""Decides whether actions may run: the policy's word, and what the cluster looks like now."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from reme_api.policy import ActionRule, RemediationPolicySpec
from reme_playbook.actions.bounds import check_probe, check_resources, check_scale
from reme_playbook.actions.escalation import escalated_privilege
from reme_playbook.actions.field_paths import written
from reme_playbook.actions.registry import (
    Action,
    DeletePod,
    PatchProbe,
    PatchServicePort,
    PatchServiceSelector,
    Restart,
    ResumeRollout,
    Rollback,
    Scale,
    SetCommand,
    SetConfigValue,
    SetEnv,
    SetImage,
    SetResources,
)
from reme_playbook.compiler.playbook import check_conflicts
from reme_playbook.errors import RejectedPlaybookError, RejectionRule, quote
from reme_playbook.execution.capture import capture, revision_of
from reme_playbook.execution.rollback import inverse
from reme_playbook.policy.policy_rules import matching_rules
from reme_playbook.policy.related_validation import check_around
from reme_playbook.snapshot import earlier_values, unstructured
from reme_playbook.snapshot.object_ref import CLUSTER_SCOPED, ObjectRef
from reme_playbook.snapshot.ownership import belongs_to_target, selected_workloads
from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.sensitive import sensitive_command, sensitive_name, sensitive_value
from reme_playbook.snapshot.service_hosts import replaces_missing_hosts
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import ContainerView, selects

PROTECTED_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})
PROTECTED_LABEL = "reme.dev/protected"
PART_OF_LABEL = "app.kubernetes.io/part-of"


def check(
    actions: Sequence[Action],
    policy: RemediationPolicySpec,
    live: ClusterSnapshot,
    *,
    release_namespace: str = "",
    now: datetime | None = None,
) -> None:
    """Return if the policy allows all of the actions on what is there now.

    Without `now`, the times that its rules are bound to are not looked at: for plans alone.

    Raises RejectedPlaybookError for the first that it does not allow.
    """
    check_conflicts(actions)
    _check_protected(live.target, live, release_namespace)
    _check_pods(actions, live)
    for action in actions:
        _check_object(action, live, release_namespace)
        rules = matching_rules(action, policy, live, now)
        _check_value(action, rules, live)
        _check_undo(action, live)


def is_protected(found: Mapping[str, Any]) -> bool:
    """Return whether an object says of itself that it is never a target."""
    labels = unstructured.strings(found, "metadata", "labels")
    return labels.get(PROTECTED_LABEL) == "true" or labels.get(PART_OF_LABEL) == "reme"


def _check_protected(key: ObjectRef, live: ClusterSnapshot, release_namespace: str) -> None:
    if key.namespace in (PROTECTED_NAMESPACES | {release_namespace}) - {""}:
        raise RejectedPlaybookError(
            RejectionRule.PROTECTED, f"namespace {key.namespace} is protected"
        )
    if is_protected(live.objects.get(key, {})):
        raise RejectedPlaybookError(RejectionRule.PROTECTED, f"{key} is protected")


def _check_pods(actions: Sequence[Action], live: ClusterSnapshot) -> None:
    deleted = {action.target.name for action in actions if isinstance(action, DeletePod)}
    if sum(pod.ready and pod.name in deleted for pod in live.pods) > 1:
        raise RejectedPlaybookError(
            RejectionRule.BOUNDS, "at most one pod that is ready may be deleted"
        )


def _check_object(action: Action, live: ClusterSnapshot, release_namespace: str) -> None:
    key = action.target
    if action.internal:
        raise RejectedPlaybookError(RejectionRule.INTERNAL, f"only an undo may: {action.summary()}")
    if key.kind not in CLUSTER_SCOPED and key.namespace != live.target.namespace:
        raise RejectedPlaybookError(RejectionRule.NOT_OF_TARGET, f"{key} is in another namespace")
    found = live.objects.get(key)
    if found is None:
        raise RejectedPlaybookError(
            RejectionRule.NOT_FOUND, f"{key} does not exist, or is not near"
        )
    if unstructured.text(found, "metadata", "deletionTimestamp"):
        raise RejectedPlaybookError(RejectionRule.NOT_FOUND, f"{key} is being deleted")
    _check_protected(key, live, release_namespace)
    if not belongs_to_target(key, live):
        raise RejectedPlaybookError(
            RejectionRule.NOT_OF_TARGET, f"{key} does not belong to {live.target}"
        )


def _check_value(action: Action, rules: list[ActionRule], live: ClusterSnapshot) -> None:
    match action:
        case Scale():
            check_scale(action, rules, live)
        case Rollback():
            _check_rollback(action, live)
        case ResumeRollout() if not live.paused:
            raise RejectedPlaybookError(RejectionRule.NO_CHANGE, f"{action.target} is not paused")
        case SetConfigValue():
            _check_config(action, live)
        case PatchServiceSelector():
            _check_selector(action, live)
        case PatchServicePort():
            _check_port(action, live)
        case SetImage() | SetEnv() | SetResources() | PatchProbe() | SetCommand():
            _check_container(action, rules, live)
        case Restart() | DeletePod() | ResumeRollout():
            pass
        case _:
            check_around(action, rules, live)


def _check_rollback(action: Rollback, live: ClusterSnapshot) -> None:
    template = revision_of(action, live).template
    if digest(template) == digest(live.template):
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"{action.target} is at this revision already"
        )
    more = escalated_privilege(live.template, template)
    if more:
        raise RejectedPlaybookError(RejectionRule.PRIVILEGE, f"the earlier revision has {more}")


def _check_container(
    action: SetImage | SetEnv | SetResources | PatchProbe | SetCommand,
    rules: list[ActionRule],
    live: ClusterSnapshot,
) -> None:
    container = live.container(action.container)
    if container is None:
        raise RejectedPlaybookError(
            RejectionRule.NOT_FOUND, f"{action.target} has no container {action.container}"
        )
    match action:
        case SetResources():
            check_resources(action, rules, live, container)
        case PatchProbe():
            check_probe(action, live, container)
        case SetEnv():
            _check_env(action, live, container)
        case SetCommand():
            _check_command(action, live, container)
        case SetImage() if action.image == container.image:
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, "the container has this image already"
            )
        case SetImage() if action.image not in earlier_values.images(live, container.name):
            raise RejectedPlaybookError(
                RejectionRule.UNKNOWN_VALUE,
                f"container {container.name} never ran this image before",
            )


def _check_command(action: SetCommand, live: ClusterSnapshot, container: ContainerView) -> None:
    new = action.values()
    if any(map(sensitive_command, (*new.values(), container.command, container.args))):
        raise RejectedPlaybookError(RejectionRule.SENSITIVE, "the command may hold a secret")
    if all(getattr(container, field) == value for field, value in new.items()):
        raise RejectedPlaybookError(RejectionRule.NO_CHANGE, "the container runs this already")
    for field, value in new.items():
        known = earlier_values.commands(live, container.name, field)
        if value != getattr(container, field) and value not in known:
            raise RejectedPlaybookError(
                RejectionRule.UNKNOWN_VALUE,
                f"container {container.name} never had this {field} before",
            )


def _check_env(action: SetEnv, live: ClusterSnapshot, container: ContainerView) -> None:
    name, known = action.variable, action.variable in container.env
    current = container.env.get(name)
    if known and current is None:
        raise RejectedPlaybookError(
            RejectionRule.VALUE, f"variable {name} is taken from a reference, not written here"
        )
    _check_text(
        f"variable {name}",
        name,
        current,
        action.value,
        earlier_values.env_values(live, container.name, name),
        live,
    )


def _check_config(action: SetConfigValue, live: ClusterSnapshot) -> None:
    found = live.objects[action.target]
    if found.get("immutable") is True:
        raise RejectedPlaybookError(RejectionRule.VALUE, f"{action.target} is immutable")
    if action.key in unstructured.mapping(found, "binaryData"):
        raise RejectedPlaybookError(RejectionRule.VALUE, f"key {action.key} holds binary data")
    _check_text(
        f"key {action.key}",
        action.key,
        live.config_map(action.target.name).get(action.key),
        action.value,
        earlier_values.config_values(live, action.target.name, action.key),
        live,
    )


def _check_text(
    what: str, name: str, current: str | None, new: str, known: Sequence[str], live: ClusterSnapshot
) -> None:
    if sensitive_name(name) or sensitive_value(new) or sensitive_value(current or ""):
        raise RejectedPlaybookError(RejectionRule.SENSITIVE, f"{what} may hold a secret")
    if new == current:
        raise RejectedPlaybookError(RejectionRule.NO_CHANGE, f"{what} has this value already")
    services, namespace = live.service_names, live.target.namespace
    if new not in known and not (
        current is not None and replaces_missing_hosts(name, current, new, services, namespace)
    ):
        raise RejectedPlaybookError(
            RejectionRule.UNKNOWN_VALUE,
            f"{what} never had this value, and it does not name a Service instead of a missing one",
        )


def merged_selector(current: Mapping[str, str], patch: Mapping[str, str | None]) -> dict[str, str]:
    """Return the selector after the patch."""
    both = {**current, **patch}
    return {key: value for key, value in both.items() if value is not None}


def _check_selector(action: PatchServiceSelector, live: ClusterSnapshot) -> None:
    service = live.service(action.target.name)
    current = service.selector if service else {}
    new = merged_selector(current, action.selector)
    if new == current:
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"{action.target} has this selector already"
        )
    if service is None or service.selects_target:
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"{action.target} selects the pods already"
        )
    if not selects(new, live.pod_labels):
        raise RejectedPlaybookError(
            RejectionRule.UNKNOWN_VALUE,
            f"{action.target} would not select the pods of {live.target}",
        )
    others = selected_workloads(new, live)
    if others:
        raise RejectedPlaybookError(
            RejectionRule.NOT_OF_TARGET, f"{action.target} would select the pods of {others[0]} too"
        )


def _check_port(action: PatchServicePort, live: ClusterSnapshot) -> None:
    service = live.service(action.target.name)
    same = [p for p in (service.ports if service else ()) if p.port == action.port]
    if len(same) != 1:
        # Patches tell the ports of a Service apart by their number alone.
        raise RejectedPlaybookError(
            RejectionRule.NOT_FOUND, f"{action.target} has no single port {action.port}"
        )
    if same[0].target_port == action.target_port:
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"port {action.port} leads there already"
        )
    if action.target_port not in earlier_values.target_ports(live):
        raise RejectedPlaybookError(
            RejectionRule.UNKNOWN_VALUE,
            f"no container of {live.target} declares port {quote(action.target_port)}",
        )


def _check_undo(action: Action, live: ClusterSnapshot) -> None:
    """Reject what could not be taken back: a value of now that the language cannot express."""
    (item,) = capture([action], live).items
    if not item.before or isinstance(action, Rollback):
        return
    try:
        inverse(action, dict(zip(written(action), item.before, strict=True)))
    except RejectedPlaybookError as error:
        raise RejectedPlaybookError(
            RejectionRule.CANNOT_UNDO,
            f"{action.name} on {action.target} could not be undone: {error.rule}",
        ) from None
