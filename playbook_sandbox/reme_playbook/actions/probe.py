"""PatchProbe: changes an existing probe of a container."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import (
    Draft,
    PatchPart,
    Shorten,
    by_name,
    camel,
    set_values,
    spaced,
)
from reme_playbook.actions.container import ContainerAction
from reme_playbook.actions.string_types import HttpPath, Port
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.field_path import FieldValue, Path, Write, container_path
from reme_playbook.snapshot.probe_failures import fails
from reme_playbook.snapshot.sibling_probes import sibling_values
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import PROBE_KEYS, PROBE_TIMINGS, ContainerView, ProbeView

ProbeKind = Literal["readiness", "liveness", "startup"]
ProbeHandler = Literal["httpGet", "tcpSocket", "grpc"]

PROBE_FACTOR = 2
"""How many times more patient, or less patient, a probe may become in one step."""
MAX_EARLIER = 3
_HANDLERS = ("httpGet", "tcpSocket", "grpc")
_FIELDS = ("path", "port", *PROBE_TIMINGS)
_PROBES = {key: name for name, key in PROBE_KEYS.items()}
_TIMINGS = {key: name for name, key in PROBE_TIMINGS.items()}


class PatchProbe(ContainerAction):
    """Changes an existing probe of one container; never adds or removes one."""

    NAME = ActionName.PATCH_PROBE
    BOUNDS = (
        "an earlier path or port, a declared port, or what another probe of the container or of a "
        "healthy workload with the same program asks, where the present one is answered 404 or "
        "asks a port that is not declared; seconds and thresholds by a factor of 2 at most; no "
        "probe is added or removed"
    )
    RESTORES = "the earlier values"
    EXAMPLE: ClassVar[Draft] = {
        "container": "server",
        "probe": "readiness",
        "handler": "httpGet",
        "path": "/ready",
    }

    action: Literal["PatchProbe"] = "PatchProbe"
    probe: ProbeKind
    handler: ProbeHandler | None = Field(
        default=None, description="The kind of the probe; set with path and port, and only then."
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
        has_address = self.path is not None or self.port is not None
        if has_address != (self.handler is not None):
            raise ValueError("path and port need a handler: httpGet, tcpSocket or grpc")
        if self.path is not None and self.handler != "httpGet":
            raise ValueError("only httpGet has a path")
        if self.handler == "grpc" and isinstance(self.port, str):
            raise ValueError("grpc takes a port number")
        return self

    def values(self) -> dict[str, int | str]:
        """Return what is set, by field."""
        return set_values(self, _FIELDS)

    def summary(self) -> str:
        values = ", ".join(f"{spaced(name)} {value}" for name, value in self.values().items())
        where = f"container {self.container} of {self.target}"
        return f"Set {values} in the {self.probe} probe of {where}"[:1024]

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        key = PROBE_KEYS[self.probe]
        return tuple(
            Write(container_path(self.container, key, *self._steps(name)), value)
            for name, value in self.values().items()
        )

    def _steps(self, name: str) -> tuple[str, ...]:
        if name in PROBE_TIMINGS:
            return (PROBE_TIMINGS[name],)
        return (self.handler or "httpGet", name)

    @classmethod
    def from_container_patch(cls, path: Path, value: Any) -> PatchPart | None:
        match path:
            case (str(key), *rest) if key in _PROBES:
                fields = _probe_fields(tuple(rest), value)
                if fields:
                    return PatchPart((key,), {"probe": _PROBES[key], **fields})
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        values = {spaced(name): value for name, value in self.values().items()}
        if len(values) == 1:
            ((name, value),) = values.items()
            return f"set {name} of {self.probe} probe of {self.container} to", str(value)
        label = f"set {self.probe} probe of {self.container} to"
        return label, " ".join(f"{name} {value}" for name, value in values.items())

    def field_names(self) -> tuple[str, ...]:
        return tuple(f"{self.probe}.{camel(name)}" for name in self.values())

    def check_container(
        self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot, container: ContainerView
    ) -> None:
        """Reject a probe that would look elsewhere, or become too patient."""
        kind, probe = self.probe, container.probes.get(self.probe)
        if probe is None:
            raise RejectedPlaybookError(
                RejectionRule.NOT_FOUND, f"container {container.name} has no {kind} probe"
            )
        if self.handler not in (None, probe.handler):
            raise RejectedPlaybookError(
                RejectionRule.VALUE, f"the {kind} probe is {probe.handler}, not {self.handler}"
            )
        if all(getattr(probe, field) == value for field, value in self.values().items()):
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"the {kind} probe already has these values"
            )
        for field, value in self.values().items():
            earlier = earlier_values.probe_values(snapshot, container.name, kind, field)
            if value in earlier or value == getattr(probe, field):
                continue
            if value in sibling_values(snapshot, container.name, kind, field):
                continue
            if field not in PROBE_TIMINGS:
                raise RejectedPlaybookError(
                    RejectionRule.UNKNOWN_VALUE,
                    f"the {kind} probe had this {field} {earlier_values.in_none(snapshot)}, and no "
                    "other probe that works has it",
                )
            _check_timing(field, int(value), probe)

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield earlier values, those of other probes, and twice the seconds and thresholds."""
        for container in snapshot.containers:
            for kind, probe in container.probes.items():
                name = container.name
                head = {"action": "PatchProbe", "container": name, "probe": kind}
                for field in ("path", "port"):
                    earlier = earlier_values.probe_values(snapshot, name, kind, field)
                    others = sibling_values(snapshot, name, kind, field)
                    for value in dict.fromkeys([*earlier[:MAX_EARLIER], *others[:MAX_EARLIER]]):
                        yield {**head, "handler": probe.handler, field: value}
                failure = fails(snapshot, name, kind)
                if failure and failure.asks_nothing_that_exists:
                    continue  # it is answered in time: no time helps
                for field in PROBE_TIMINGS:
                    earlier = earlier_values.probe_values(snapshot, name, kind, field)
                    double = getattr(probe, field) * PROBE_FACTOR
                    for value in dict.fromkeys([*earlier[:MAX_EARLIER], double]):
                        yield {**head, field: value}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        held = by_name(self.values(), self, before)
        head = {"action": "PatchProbe", "container": self.container, "probe": self.probe}
        handler = self.handler if "path" in held or "port" in held else None
        return ({**head, "handler": handler, **held},)


def _probe_fields(path: Path, value: Any) -> Draft | None:
    match path:
        case (str(key),) if key in _TIMINGS:
            return {_TIMINGS[key]: value}
        case (str(handler), "port") if handler in _HANDLERS:
            return {"handler": handler, "port": value}
        case ("httpGet", "path"):
            return {"handler": "httpGet", "path": value}
    return None


def _check_timing(field: str, value: int, probe: ProbeView) -> None:
    current: int = getattr(probe, field)
    if not current <= value * PROBE_FACTOR or not value <= current * PROBE_FACTOR:
        raise RejectedPlaybookError(
            RejectionRule.HIDES_SYMPTOM,
            f"{spaced(field)} {value} instead of {current}: a probe may change by a factor of "
            f"{PROBE_FACTOR} at most, or to an earlier value",
        )
