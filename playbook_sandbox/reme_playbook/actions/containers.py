"""Actions on one container of a workload's pod template."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from reme_api.actions import ActionName
from reme_playbook.actions.base import WorkloadAction
from reme_playbook.actions.string_types import (
    Argument,
    ContainerName,
    EnvName,
    EnvValue,
    HttpPath,
    Image,
    Port,
)
from reme_playbook.snapshot.quantity import canonical_cpu, canonical_memory


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


class SetResources(WorkloadAction):
    """Sets limits or requests of one container."""

    NAME = ActionName.SET_RESOURCES

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


class UnsetResources(WorkloadAction):
    """Takes away limits or requests that SetResources added."""

    NAME = ActionName.SET_RESOURCES
    INTERNAL = True

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


class SetImage(WorkloadAction):
    """Sets the image of one container."""

    NAME = ActionName.SET_IMAGE

    action: Literal["SetImage"] = "SetImage"
    container: ContainerName
    image: Image

    def summary(self) -> str:
        """Return one line for people."""
        return f"Set the image of container {self.container} of {self.target}"


class SetEnv(WorkloadAction):
    """Sets one environment variable of one container to a literal value."""

    NAME = ActionName.SET_ENV

    action: Literal["SetEnv"] = "SetEnv"
    container: ContainerName
    variable: EnvName
    value: EnvValue

    def summary(self) -> str:
        """Return one line for people."""
        return f"Set variable {self.variable} of container {self.container} of {self.target}"


class UnsetEnv(WorkloadAction):
    """Takes away a variable that SetEnv added."""

    NAME = ActionName.SET_ENV
    INTERNAL = True

    action: Literal["UnsetEnv"] = "UnsetEnv"
    container: ContainerName
    variable: EnvName

    def summary(self) -> str:
        """Return one line for people."""
        return f"Unset variable {self.variable} of container {self.container} of {self.target}"


class SetCommand(WorkloadAction):
    """Sets what one container runs; an empty list leaves it to the image."""

    NAME = ActionName.SET_COMMAND

    action: Literal["SetCommand"] = "SetCommand"
    container: ContainerName
    command: Annotated[tuple[Argument, ...], Field(max_length=32)] | None = None
    args: Annotated[tuple[Argument, ...], Field(max_length=32)] | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.values():
            raise ValueError("command or args must be set")
        return self

    def values(self) -> dict[str, tuple[str, ...]]:
        """Return what is set, by field."""
        found = {"command": self.command, "args": self.args}
        return {name: value for name, value in found.items() if value is not None}

    def summary(self) -> str:
        """Return one line for people."""
        what = " and ".join(self.values())
        return f"Set {what} of container {self.container} of {self.target}"


class PatchProbe(WorkloadAction):
    """Changes an existing probe of one container; never adds or removes one."""

    NAME = ActionName.PATCH_PROBE

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
