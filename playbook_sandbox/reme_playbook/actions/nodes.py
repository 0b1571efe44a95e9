"""Actions on nodes that do not take the pods of a workload."""

from typing import Literal

from reme_api.actions import ActionName
from reme_playbook.actions.base import ActionBase
from reme_playbook.actions.string_types import LabelKey, LabelValue

Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class UncordonNode(ActionBase):
    """Lets a node take new pods again."""

    NAME = ActionName.UNCORDON_NODE
    KINDS = frozenset({"Node"})

    action: Literal["UncordonNode"] = "UncordonNode"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Uncordon {self.target}"


class CordonNode(ActionBase):
    """Cordons a node that UncordonNode had uncordoned."""

    NAME = ActionName.UNCORDON_NODE
    KINDS = frozenset({"Node"})
    INTERNAL = True

    action: Literal["CordonNode"] = "CordonNode"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Cordon {self.target}"


class RemoveTaint(ActionBase):
    """Takes one taint off a node."""

    NAME = ActionName.REMOVE_TAINT
    KINDS = frozenset({"Node"})

    action: Literal["RemoveTaint"] = "RemoveTaint"
    key: LabelKey
    effect: Effect

    def summary(self) -> str:
        """Return one line for people."""
        return f"Take the taint {self.key}:{self.effect} off {self.target}"


class AddTaint(ActionBase):
    """Puts back a taint that RemoveTaint took off."""

    NAME = ActionName.REMOVE_TAINT
    KINDS = frozenset({"Node"})
    INTERNAL = True

    action: Literal["AddTaint"] = "AddTaint"
    key: LabelKey
    effect: Effect
    value: LabelValue

    def summary(self) -> str:
        """Return one line for people."""
        return f"Put the taint {self.key}={self.value}:{self.effect} back on {self.target}"
