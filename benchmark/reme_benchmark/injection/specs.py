"""The faults that the agent can inject, and their JSON form. Standard library only.

Everything here raises InvalidFaultError when a value is missing, unknown, or out of its bounds.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

Json = dict[str, Any]

LONGEST_SECONDS = 4 * 3600.0


class InvalidFaultError(ValueError):
    """The description of a fault is invalid; the message names the value."""


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidFaultError(f"{name} must be {low:g} to {high:g}, not {value!r}")


@dataclass(frozen=True, slots=True)
class CpuStress:
    """Busy processes inside the container, so that its CPU limit throttles the application.

    Each worker uses `load_percent` of one core. Without a limit they use half of the node in all,
    because the node also runs the cluster.
    """

    kind: ClassVar[str] = "cpu"
    workers: int = 2
    load_percent: float = 100.0

    def __post_init__(self) -> None:
        _within("workers", self.workers, 1, 64)
        _within("load_percent", self.load_percent, 1, 100)


@dataclass(frozen=True, slots=True)
class MemoryStress:
    """A process inside the container that holds memory: a size, or up to a share of the limit.

    Above the limit, `oom_score_adj` decides which process the kernel kills: at 1000 the stress
    itself, repeatedly; at 0 the application. With cgroup v2 the whole container is killed.
    """

    kind: ClassVar[str] = "memory"
    mebibytes: float = 0.0
    percent_of_limit: float = 0.0
    oom_score_adj: int = 1000

    def __post_init__(self) -> None:
        _within("mebibytes", self.mebibytes, 0, 65536)
        _within("percent_of_limit", self.percent_of_limit, 0, 400)
        _within("oom_score_adj", self.oom_score_adj, -1000, 1000)
        if bool(self.mebibytes) == bool(self.percent_of_limit):
            raise InvalidFaultError("memory: set either mebibytes or percent_of_limit")


@dataclass(frozen=True, slots=True)
class DiskLimit:
    """A limit on how fast the container writes to the disk that holds `path`.

    Without a path it is the disk of the pod's volumes. With cgroup v1 only synced and direct
    writes are limited, not those to the page cache.
    """

    kind: ClassVar[str] = "disk"
    bytes_per_second: int = 0
    operations_per_second: int = 0
    path: str = ""

    def __post_init__(self) -> None:
        _within("bytes_per_second", self.bytes_per_second, 0, 2**40)
        _within("operations_per_second", self.operations_per_second, 0, 2**31)
        if not (self.bytes_per_second or self.operations_per_second):
            raise InvalidFaultError("disk: set bytes_per_second, operations_per_second or both")
        if self.path and not self.path.startswith("/"):
            raise InvalidFaultError("path must be absolute")


@dataclass(frozen=True, slots=True)
class PacketLoss:
    """Loses a share of the IPv4 packets that the pod sends, as if they were lost on the wire.

    `spare_probes` excludes packets to the node's address, from which the kubelet probes.
    """

    kind: ClassVar[str] = "loss"
    percent: float = 50.0
    spare_probes: bool = True

    def __post_init__(self) -> None:
        _within("percent", self.percent, 0.01, 100)


@dataclass(frozen=True, slots=True)
class PacketDelay:
    """Delays the IPv4 packets that the pod sends.

    With `backend` "auto" netem does it where the kernel has it, and a process on the node
    ("queue") otherwise.
    """

    kind: ClassVar[str] = "delay"
    milliseconds: float = 1000.0
    spare_probes: bool = True
    backend: str = "auto"

    def __post_init__(self) -> None:
        _within("milliseconds", self.milliseconds, 1, 60_000)
        if self.backend not in {"auto", "netem", "queue"}:
            raise InvalidFaultError(f"backend must be auto, netem or queue, not {self.backend!r}")


Spec = CpuStress | MemoryStress | DiskLimit | PacketLoss | PacketDelay
_SPECS: dict[str, type[Spec]] = {
    "cpu": CpuStress,
    "memory": MemoryStress,
    "disk": DiskLimit,
    "loss": PacketLoss,
    "delay": PacketDelay,
}
NETWORK_KINDS = frozenset({"loss", "delay"})
"""Faults of the pod's network, which survive the restart of a container."""


@dataclass(frozen=True, slots=True)
class Target:
    """One running container. `container_id` is the runtime's id without the `runtime://` prefix."""

    namespace: str
    pod: str
    container_id: str
    node_address: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{12,64}", self.container_id):
            raise InvalidFaultError(
                f"container_id {self.container_id[:80]!r} must be 12 to 64 hexadecimal digits"
            )


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in one container. The id makes a repeated request harmless."""

    id: str
    owner: str
    target: Target
    spec: Spec
    limit_seconds: float = 1800.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]{4,16}", self.id):
            raise InvalidFaultError(f"id {self.id[:40]!r} must be 4 to 16 letters a-z and digits")
        if not re.fullmatch(r"[a-z0-9-]{1,40}", self.owner):
            raise InvalidFaultError(
                f"owner {self.owner[:60]!r} must be 1 to 40 letters a-z, digits and hyphens"
            )
        _within("limit_seconds", self.limit_seconds, 1, LONGEST_SECONDS)

    def to_json(self) -> Json:
        """Return the fault as JSON."""
        body = asdict(self)
        body["spec"] = {"kind": self.spec.kind, **body["spec"]}
        return body

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Fault":
        """Parse a fault; InvalidFaultError when it is not valid."""
        parts = dict(body)
        parts["spec"] = spec_from_json(_mapping(parts, "spec"))
        parts["target"] = target_from_json(_mapping(parts, "target"))
        fault: Fault = _construct(cls, parts)
        return fault


def spec_from_json(body: Mapping[str, Any]) -> Spec:
    """Parse the specification of a fault, by its kind."""
    values = dict(body)
    kind = values.pop("kind", "")
    if kind not in _SPECS:
        raise InvalidFaultError(f"kind must be one of {', '.join(_SPECS)}, not {kind!r}")
    spec: Spec = _construct(_SPECS[kind], values)
    return spec


def target_from_json(body: Mapping[str, Any]) -> Target:
    """Parse a target."""
    target: Target = _construct(Target, dict(body))
    return target


def _mapping(body: Mapping[str, Any], name: str) -> Json:
    value = body.get(name)
    if not isinstance(value, dict):
        raise InvalidFaultError(f"{name} must be an object")
    return dict(value)


def _construct(kind: type[Any], values: Json) -> Any:
    """Construct a dataclass after checking names and types of its values."""
    known = {field.name: field.type for field in fields(kind)}
    for name, value in values.items():
        if name not in known:
            raise InvalidFaultError(f"unknown field {name}")
        if not _has_type(known[name], value):
            raise InvalidFaultError(f"{name} must not be of type {type(value).__name__}")
    try:
        return kind(**values)
    except TypeError as error:
        raise InvalidFaultError(str(error).split(": ", 1)[-1]) from error


def _has_type(expected: object, value: object) -> bool:
    if isinstance(value, bool):
        return expected is bool
    if expected is float:
        return isinstance(value, int | float)
    return not isinstance(expected, type) or isinstance(value, expected)
