"""UncordonNode and RemoveTaint: let nodes take pods of the target again."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.api_request import ApiRequest
from reme_playbook.actions.base import (
    Action,
    Draft,
    InternalAction,
    Shorten,
    targets_of,
)
from reme_playbook.actions.fields import SwitchAction
from reme_playbook.actions.modules import K8S_TAINT, Task
from reme_playbook.actions.string_types import LabelKey, LabelValue
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.field_path import TAINT, Entry, FieldValue, Path, Write
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.placement import fits_node, repels
from reme_playbook.snapshot.related_views import NodeView
from reme_playbook.snapshot.snapshot import ClusterSnapshot

Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]

_UNSCHEDULABLE: Path = ("spec", "unschedulable")
_MAX_NODES = 3
_SYSTEM_TAINT = re.compile(
    r"(node|node-role|node\.cloudprovider)\.(kubernetes|alpha\.kubernetes)\.io/"
)


class UncordonNode(SwitchAction):
    """Lets a node take new pods again."""

    NAME = ActionName.UNCORDON_NODE
    KINDS = frozenset({"Node"})
    FIELD = _UNSCHEDULABLE
    VALUE = False
    OPPOSITE = "CordonNode"
    BOUNDS = (
        "a node that is ready and that pods of the target could use, while no node takes them; "
        "not where reme watches only some namespaces"
    )
    RESTORES = "the node is cordoned again"
    EXAMPLE_NAME = "worker-1"

    action: Literal["UncordonNode"] = "UncordonNode"

    def summary(self) -> str:
        return f"Uncordon {self.target}"

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject a node that is not cordoned, or that the pods could not use."""
        if not _usable(self.target, snapshot).unschedulable:
            raise RejectedPlaybookError(RejectionRule.NO_CHANGE, f"{self.target} is not cordoned")

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield cordoned nodes."""
        for target, view in _nodes(snapshot):
            if view.unschedulable:
                yield {"target": target, "action": "UncordonNode"}


class CordonNode(InternalAction, SwitchAction):
    """Cordons a node that UncordonNode uncordoned."""

    NAME = ActionName.UNCORDON_NODE
    KINDS = frozenset({"Node"})
    FIELD = _UNSCHEDULABLE
    VALUE = True

    action: Literal["CordonNode"] = "CordonNode"

    def summary(self) -> str:
        return f"Cordon {self.target}"


class RemoveTaint(Action):
    """Removes one taint from a node."""

    NAME = ActionName.REMOVE_TAINT
    KINDS = frozenset({"Node"})
    BOUNDS = (
        "as UncordonNode, of a taint that the pods do not tolerate; never one of Kubernetes' own"
    )
    RESTORES = "the taint is put back"
    EXAMPLE: ClassVar[Draft] = {"key": "dedicated", "effect": "NoSchedule"}
    EXAMPLE_NAME = "worker-1"

    action: Literal["RemoveTaint"] = "RemoveTaint"
    key: LabelKey
    effect: Effect

    def summary(self) -> str:
        return f"Take the taint {self.key}:{self.effect} off {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return (Write(_taint(self.key, self.effect), None),)

    def task(self, run_id: str = "now") -> Task:
        taint = {"key": self.key, "effect": self.effect}
        return {K8S_TAINT: {"name": self.target.name, "state": "absent", "taints": [taint]}}

    def requests(
        self, run_id: str, manifest: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
    ) -> list[ApiRequest]:
        return [_replace_taints(self.target, _others(manifest, self.key, self.effect))]

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        return f"remove taint of node {self.target.name}", f"{self.key}:{self.effect}"

    def field_names(self) -> tuple[str, ...]:
        return (self.key,)

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject a taint that does not keep the pods away, and those of Kubernetes itself."""
        view = _usable(self.target, snapshot)
        if _SYSTEM_TAINT.match(self.key):
            raise RejectedPlaybookError(
                RejectionRule.PROTECTED, f"the taint {self.key} belongs to Kubernetes"
            )
        if not any((t.key, t.effect) == (self.key, self.effect) for t in view.taints):
            raise RejectedPlaybookError(RejectionRule.NO_CHANGE, f"{self.target} has no such taint")
        if not repels(view, self.key, self.effect, snapshot):
            raise RejectedPlaybookError(
                RejectionRule.NOT_OF_TARGET,
                f"the taint {self.key} does not keep pods of {snapshot.target} away",
            )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield the taints of nodes."""
        for target, view in _nodes(snapshot, tainted=True):
            for taint in view.taints:
                head = {"target": target, "action": "RemoveTaint"}
                yield {**head, "key": taint.key, "effect": taint.effect}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        (value,) = before.values()
        taint = {"key": self.key, "effect": self.effect, "value": value}
        return ({"action": "AddTaint", **taint},)


class AddTaint(InternalAction):
    """Puts back a taint that RemoveTaint removed."""

    NAME = ActionName.REMOVE_TAINT
    KINDS = frozenset({"Node"})

    action: Literal["AddTaint"] = "AddTaint"
    key: LabelKey
    effect: Effect
    value: LabelValue

    def summary(self) -> str:
        return f"Put the taint {self.key}={self.value}:{self.effect} back on {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return (Write(_taint(self.key, self.effect), self.value),)

    def task(self, run_id: str = "now") -> Task:
        taint = {"key": self.key, "effect": self.effect, "value": self.value}
        return {K8S_TAINT: {"name": self.target.name, "state": "present", "taints": [taint]}}

    def requests(
        self, run_id: str, manifest: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
    ) -> list[ApiRequest]:
        taint = {"key": self.key, "effect": self.effect, "value": self.value}
        others = _others(manifest, self.key, self.effect)
        return [_replace_taints(self.target, [*others, taint])]


def _replace_taints(target: ObjectRef, taints: list[dict[str, Any]]) -> ApiRequest:
    return ApiRequest.merge(target, {"spec": {"taints": taints}})


def _others(manifest: Mapping[str, Any], key: str, effect: str) -> list[dict[str, Any]]:
    taints = unstructured.items(manifest, "spec", "taints")
    return [dict(t) for t in taints if (t.get("key"), t.get("effect")) != (key, effect)]


def _taint(key: str, effect: str) -> Path:
    return ("spec", "taints", Entry(f"{key}:{effect}", TAINT), "value")


def _usable(target: ObjectRef, snapshot: ClusterSnapshot) -> NodeView:
    view = next(n for n in snapshot.nodes if n.name == target.name)
    if not fits_node(view, snapshot):
        raise RejectedPlaybookError(
            RejectionRule.NOT_OF_TARGET,
            f"{target} is not ready, or the node selector of {snapshot.target} excludes it",
        )
    return view


def _nodes(
    snapshot: ClusterSnapshot, *, tainted: bool = False
) -> Iterator[tuple[ObjectRef, NodeView]]:
    views = {n.name: n for n in snapshot.nodes if (n.taints if tainted else n.unschedulable)}
    names = [target for target in targets_of(snapshot, "Node") if target.name in views]
    for target in names[:_MAX_NODES]:
        yield target, views[target.name]
