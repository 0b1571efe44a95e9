"""The verbs of the playbook language: everything that a run can do, and nothing else.

An action is data that was checked: names and numbers of fixed form, no free commands. The last
four are internal: they only ever undo one of the others, and no text of a model compiles to them.
"""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    model_validator,
)

from reme_api.actions import ActionName
from reme_sandbox.keys import ObjectKey
from reme_sandbox.quantity import canonical_cpu, canonical_memory
from reme_sandbox.terms import (
    ConfigKey,
    ConfigValue,
    ContainerName,
    EnvName,
    EnvValue,
    HttpPath,
    Image,
    LabelKey,
    LabelValue,
    Port,
    PortNumber,
)

__all__ = [
    "ACTIONS",
    "Action",
    "ActionName",
    "DeletePod",
    "Disruption",
    "ObjectKey",
    "PatchProbe",
    "PatchServicePort",
    "PatchServiceSelector",
    "PauseRollout",
    "Restart",
    "ResumeRollout",
    "Rollback",
    "Scale",
    "SetConfigValue",
    "SetEnv",
    "SetImage",
    "SetResources",
    "UnsetConfigValue",
    "UnsetEnv",
    "UnsetResources",
]


class Disruption(StrEnum):
    """What an action interrupts even when all goes well."""

    NONE = "None"
    POD = "Pod"
    ROLLOUT = "Rollout"


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


Cpu = Annotated[str, BeforeValidator(_text), AfterValidator(canonical_cpu)]
Memory = Annotated[str, BeforeValidator(_text), AfterValidator(canonical_memory)]
ProbeKind = Literal["readiness", "liveness", "startup"]
ProbeHandler = Literal["httpGet", "tcpSocket", "grpc"]
ResourceField = Literal["cpu_limit", "memory_limit", "cpu_request", "memory_request"]

RESOURCE_FIELDS: tuple[ResourceField, ...] = (
    "cpu_limit",
    "memory_limit",
    "cpu_request",
    "memory_request",
)
PROBE_TIMINGS: tuple[str, ...] = (
    "initial_delay_seconds",
    "period_seconds",
    "timeout_seconds",
    "failure_threshold",
)


class _Base(BaseModel):
    """What all actions share: they are immutable, hashable, and about one object."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    NAME: ClassVar[ActionName]
    KINDS: ClassVar[frozenset[str]]
    INTERNAL: ClassVar[bool] = False
    DISRUPTION: ClassVar[Disruption] = Disruption.NONE

    target: ObjectKey

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @model_validator(mode="after")
    def _kind_fits(self) -> Self:
        if self.target.kind not in self.KINDS:
            raise ValueError(f"{self.NAME} is not possible for a {self.target.kind}")
        return self

    @property
    def name(self) -> ActionName:
        """The action as policies name it; an internal one is named after what it undoes."""
        return self.NAME

    @property
    def internal(self) -> bool:
        """Whether it may only come from an undo."""
        return self.INTERNAL

    @property
    def disruption(self) -> Disruption:
        """What it interrupts."""
        return self.DISRUPTION


_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


class Restart(_Base):
    """Replaces all pods of a workload, by its own update strategy."""

    NAME = ActionName.RESTART
    KINDS = _WORKLOADS
    DISRUPTION = Disruption.ROLLOUT

    action: Literal["Restart"] = "Restart"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Restart {self.target}"


class Rollback(_Base):
    """Gives a workload the pod template of an earlier revision back."""

    NAME = ActionName.ROLLBACK
    KINDS = _WORKLOADS
    DISRUPTION = Disruption.ROLLOUT

    action: Literal["Rollback"] = "Rollback"
    revision: Annotated[int, Field(strict=True, ge=1, le=2**53)] | None = Field(
        default=None, description="The newest one that really differs when absent."
    )

    def summary(self) -> str:
        """Return one line for people."""
        which = "its previous revision" if self.revision is None else f"revision {self.revision}"
        return f"Roll {self.target} back to {which}"


class Scale(_Base):
    """Sets the number of replicas; zero only ever undoes."""

    NAME = ActionName.SCALE
    KINDS = frozenset({"Deployment", "StatefulSet"})

    action: Literal["Scale"] = "Scale"
    replicas: Annotated[int, Field(strict=True, ge=0, le=10_000)]

    def summary(self) -> str:
        """Return one line for people."""
        return f"Scale {self.target} to {self.replicas}"


class SetResources(_Base):
    """Sets limits or requests of one container."""

    NAME = ActionName.SET_RESOURCES
    KINDS = _WORKLOADS
    DISRUPTION = Disruption.ROLLOUT

    action: Literal["SetResources"] = "SetResources"
    container: ContainerName
    cpu_limit: Cpu | None = None
    memory_limit: Memory | None = None
    cpu_request: Cpu | None = None
    memory_request: Memory | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.values():
            raise ValueError("at least one limit or request must be set")
        return self

    def values(self) -> dict[ResourceField, str]:
        """Return what is set, by field."""
        found = {name: getattr(self, name) for name in RESOURCE_FIELDS}
        return {name: value for name, value in found.items() if value is not None}

    def summary(self) -> str:
        """Return one line for people."""
        what = ", ".join(f"{n.replace('_', ' ')} {v}" for n, v in self.values().items())
        return f"Set {what} for container {self.container} of {self.target}"


class SetImage(_Base):
    """Sets the image of one container."""

    NAME = ActionName.SET_IMAGE
    KINDS = _WORKLOADS
    DISRUPTION = Disruption.ROLLOUT

    action: Literal["SetImage"] = "SetImage"
    container: ContainerName
    image: Image

    def summary(self) -> str:
        """Return one line for people."""
        return f"Set the image of container {self.container} of {self.target}"


class SetEnv(_Base):
    """Sets one environment variable of one container to a literal value."""

    NAME = ActionName.SET_ENV
    KINDS = _WORKLOADS
    DISRUPTION = Disruption.ROLLOUT

    action: Literal["SetEnv"] = "SetEnv"
    container: ContainerName
    variable: EnvName
    value: EnvValue

    def summary(self) -> str:
        """Return one line for people."""
        return f"Set variable {self.variable} of container {self.container} of {self.target}"


class SetConfigValue(_Base):
    """Sets one key of a ConfigMap."""

    NAME = ActionName.SET_CONFIG_VALUE
    KINDS = frozenset({"ConfigMap"})

    action: Literal["SetConfigValue"] = "SetConfigValue"
    key: ConfigKey
    value: ConfigValue

    def summary(self) -> str:
        """Return one line for people."""
        return f"Set key {self.key} of {self.target}"


class PatchProbe(_Base):
    """Changes an existing probe of one container; never adds or removes one."""

    NAME = ActionName.PATCH_PROBE
    KINDS = _WORKLOADS
    DISRUPTION = Disruption.ROLLOUT

    action: Literal["PatchProbe"] = "PatchProbe"
    container: ContainerName
    probe: ProbeKind
    handler: ProbeHandler | None = Field(
        default=None, description="How the probe asks; set with path and port, and only then."
    )
    path: HttpPath | None = None
    port: Port | None = None
    initial_delay_seconds: Annotated[int, Field(strict=True, ge=0, le=86_400)] | None = None
    period_seconds: Annotated[int, Field(strict=True, ge=1, le=86_400)] | None = None
    timeout_seconds: Annotated[int, Field(strict=True, ge=1, le=86_400)] | None = None
    failure_threshold: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if not self.values():
            raise ValueError("at least one field of the probe must be set")
        asks = self.path is not None or self.port is not None
        if asks != (self.handler is not None):
            raise ValueError("path and port belong to httpGet, tcpSocket or grpc")
        if self.path is not None and self.handler != "httpGet":
            raise ValueError("only httpGet has a path")
        if self.handler == "grpc" and isinstance(self.port, str):
            raise ValueError("grpc takes a port number")
        return self

    def values(self) -> dict[str, int | str]:
        """Return what is set, by field."""
        found = {name: getattr(self, name) for name in ("path", "port", *PROBE_TIMINGS)}
        return {name: value for name, value in found.items() if value is not None}

    def summary(self) -> str:
        """Return one line for people."""
        what = ", ".join(f"{n.replace('_', ' ')} {v}" for n, v in self.values().items())
        where = f"container {self.container} of {self.target}"
        return f"Set {what} in the {self.probe} probe of {where}"[:1024]


class PatchServiceSelector(_Base):
    """Merges labels into the selector of a Service; a null takes a label out of it."""

    NAME = ActionName.PATCH_SERVICE_SELECTOR
    KINDS = frozenset({"Service"})

    action: Literal["PatchServiceSelector"] = "PatchServiceSelector"
    selector: Annotated[dict[LabelKey, LabelValue | None], Field(min_length=1, max_length=16)]

    def summary(self) -> str:
        """Return one line for people."""
        return f"Set {', '.join(self.selector)} in the selector of {self.target}"[:1024]


class PatchServicePort(_Base):
    """Sets where one port of a Service leads to."""

    NAME = ActionName.PATCH_SERVICE_PORT
    KINDS = frozenset({"Service"})

    action: Literal["PatchServicePort"] = "PatchServicePort"
    port: PortNumber
    target_port: Port

    def summary(self) -> str:
        """Return one line for people."""
        return f"Lead port {self.port} of {self.target} to port {self.target_port} of its pods"


class DeletePod(_Base):
    """Deletes one pod, which its workload replaces."""

    NAME = ActionName.DELETE_POD
    KINDS = frozenset({"Pod"})
    DISRUPTION = Disruption.POD

    action: Literal["DeletePod"] = "DeletePod"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Delete {self.target}, to be replaced"


class ResumeRollout(_Base):
    """Lets a paused Deployment roll out again."""

    NAME = ActionName.RESUME_ROLLOUT
    KINDS = frozenset({"Deployment"})
    DISRUPTION = Disruption.ROLLOUT

    action: Literal["ResumeRollout"] = "ResumeRollout"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Resume the rollout of {self.target}"


class UnsetEnv(_Base):
    """Takes away a variable that SetEnv added."""

    NAME = ActionName.SET_ENV
    KINDS = _WORKLOADS
    INTERNAL = True
    DISRUPTION = Disruption.ROLLOUT

    action: Literal["UnsetEnv"] = "UnsetEnv"
    container: ContainerName
    variable: EnvName

    def summary(self) -> str:
        """Return one line for people."""
        return f"Unset variable {self.variable} of container {self.container} of {self.target}"


class UnsetConfigValue(_Base):
    """Takes away a key that SetConfigValue added."""

    NAME = ActionName.SET_CONFIG_VALUE
    KINDS = frozenset({"ConfigMap"})
    INTERNAL = True

    action: Literal["UnsetConfigValue"] = "UnsetConfigValue"
    key: ConfigKey

    def summary(self) -> str:
        """Return one line for people."""
        return f"Unset key {self.key} of {self.target}"


class UnsetResources(_Base):
    """Takes away limits or requests that SetResources added."""

    NAME = ActionName.SET_RESOURCES
    KINDS = _WORKLOADS
    INTERNAL = True
    DISRUPTION = Disruption.ROLLOUT

    action: Literal["UnsetResources"] = "UnsetResources"
    container: ContainerName
    fields: Annotated[tuple[ResourceField, ...], Field(min_length=1, max_length=4)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if list(self.fields) != [name for name in RESOURCE_FIELDS if name in self.fields]:
            raise ValueError("fields must be distinct and in their order")
        return self

    def summary(self) -> str:
        """Return one line for people."""
        what = ", ".join(name.replace("_", " ") for name in self.fields)
        return f"Unset {what} for container {self.container} of {self.target}"


class PauseRollout(_Base):
    """Pauses a Deployment that ResumeRollout had resumed."""

    NAME = ActionName.RESUME_ROLLOUT
    KINDS = frozenset({"Deployment"})
    INTERNAL = True

    action: Literal["PauseRollout"] = "PauseRollout"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Pause the rollout of {self.target}"


Action = Annotated[
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
    | UnsetEnv
    | UnsetConfigValue
    | UnsetResources
    | PauseRollout,
    Field(discriminator="action"),
]
"""Any action; `action` tells which."""

ACTIONS: TypeAdapter[tuple[Action, ...]] = TypeAdapter(tuple[Action, ...])
"""Reads and writes a list of actions as JSON."""
