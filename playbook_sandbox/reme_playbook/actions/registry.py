"""The verbs of the playbook language: everything that a run can do, and nothing else.

An action is data that was checked: names and numbers of fixed form, no free commands. The internal
ones only ever undo one of the others, and no text of a model compiles to them.
"""

from typing import Annotated

from pydantic import Field, TypeAdapter

from reme_api.actions import ActionName
from reme_playbook.actions.base import Disruption
from reme_playbook.actions.capacity import (
    QuotaKey,
    ResumeJob,
    SetAutoscaling,
    SetDisruptionBudget,
    SetQuota,
    SuspendJob,
)
from reme_playbook.actions.containers import (
    PROBE_TIMINGS,
    RESOURCE_FIELDS,
    PatchProbe,
    ResourceField,
    SetCommand,
    SetEnv,
    SetImage,
    SetResources,
    UnsetEnv,
    UnsetResources,
)
from reme_playbook.actions.network import (
    AllowEgress,
    AllowIngress,
    SetIngressBackend,
    WithdrawEgress,
    WithdrawIngress,
)
from reme_playbook.actions.nodes import AddTaint, CordonNode, RemoveTaint, UncordonNode
from reme_playbook.actions.objects import (
    DeletePod,
    PatchServicePort,
    PatchServiceSelector,
    SetConfigValue,
    UnsetConfigValue,
)
from reme_playbook.actions.workloads import (
    PatchNodeSelector,
    PauseRollout,
    Restart,
    ResumeRollout,
    Rollback,
    Scale,
    SetUpdateStrategy,
)
from reme_playbook.snapshot.object_ref import ObjectRef

__all__ = [
    "ACTIONS",
    "PROBE_TIMINGS",
    "RESOURCE_FIELDS",
    "Action",
    "ActionName",
    "AddTaint",
    "AllowEgress",
    "AllowIngress",
    "CordonNode",
    "DeletePod",
    "Disruption",
    "ObjectRef",
    "PatchNodeSelector",
    "PatchProbe",
    "PatchServicePort",
    "PatchServiceSelector",
    "PauseRollout",
    "QuotaKey",
    "RemoveTaint",
    "ResourceField",
    "Restart",
    "ResumeJob",
    "ResumeRollout",
    "Rollback",
    "Scale",
    "SetAutoscaling",
    "SetCommand",
    "SetConfigValue",
    "SetDisruptionBudget",
    "SetEnv",
    "SetImage",
    "SetIngressBackend",
    "SetQuota",
    "SetResources",
    "SetUpdateStrategy",
    "SuspendJob",
    "UncordonNode",
    "UnsetConfigValue",
    "UnsetEnv",
    "UnsetResources",
    "WithdrawEgress",
    "WithdrawIngress",
]

Public = (
    Restart
    | Rollback
    | Scale
    | SetResources
    | SetImage
    | SetEnv
    | SetConfigValue
    | PatchProbe
    | PatchServiceSelector
    | PatchServicePort
    | DeletePod
    | ResumeRollout
    | SetUpdateStrategy
    | PatchNodeSelector
    | SetCommand
    | SetAutoscaling
    | SetQuota
    | SetDisruptionBudget
    | ResumeJob
    | SetIngressBackend
    | AllowIngress
    | AllowEgress
    | UncordonNode
    | RemoveTaint
)
Internal = (
    UnsetEnv
    | UnsetConfigValue
    | UnsetResources
    | PauseRollout
    | SuspendJob
    | WithdrawIngress
    | WithdrawEgress
    | CordonNode
    | AddTaint
)
Action = Annotated[Public | Internal, Field(discriminator="action")]
"""Any action; `action` tells which."""

ACTIONS: TypeAdapter[tuple[Action, ...]] = TypeAdapter(tuple[Action, ...])
"""Reads and writes a list of actions as JSON."""
