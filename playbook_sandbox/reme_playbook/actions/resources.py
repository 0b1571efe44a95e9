"""SetResources: sets limits and requests of a container."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import (
    Draft,
    InternalAction,
    PatchPart,
    Shorten,
    by_name,
    camel,
    permitted_range,
    set_values,
    spaced,
)
from reme_playbook.actions.container import ContainerAction, ContainerFields
from reme_playbook.actions.effect import limit_key, with_raised
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.field_path import FieldValue, Path, Write, container_path, dotted
from reme_playbook.snapshot.quantity import (
    canonical_cpu,
    canonical_memory,
    cpu_millicores,
    format_cpu,
    format_memory,
    memory_bytes,
)
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import ContainerView, Resources

ResourceField = Literal["cpu_limit", "memory_limit", "cpu_request", "memory_request"]
RESOURCE_FIELDS: tuple[ResourceField, ...] = (
    "cpu_limit",
    "memory_limit",
    "cpu_request",
    "memory_request",
)
RAISED_LIMITS: tuple[ResourceField, ...] = ("cpu_limit", "memory_limit")
"""Limits that may be raised step by step, as long as what is measured asks for more."""
_PATHS: dict[str, tuple[str, str]] = {
    "cpu_limit": ("limits", "cpu"),
    "memory_limit": ("limits", "memory"),
    "cpu_request": ("requests", "cpu"),
    "memory_request": ("requests", "memory"),
}
_FIELDS = {path: name for name, path in _PATHS.items()}
_MEBIBYTE = 2**20
_STEPS = ((5, 4), (3, 2), (2, 1))
MAX_EARLIER = 3


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be text")
    return value


Cpu = Annotated[str, BeforeValidator(_text), AfterValidator(canonical_cpu)]
Memory = Annotated[str, BeforeValidator(_text), AfterValidator(canonical_memory)]


class SetResources(ContainerAction):
    """Sets limits or requests of one container."""

    NAME = ActionName.SET_RESOURCES
    BOUNDS = (
        "`maxIncreasePercent` and `maxDecreasePercent` of the present amount, or earlier amounts, "
        "never above `maxCpuMillicores` and `maxMemoryMebibytes`; a limit that is not set can only "
        "get an earlier amount; none is removed"
    )
    RESTORES = "the earlier amounts; those that were not set are removed"
    EXAMPLE: ClassVar[Draft] = {"container": "server", "memory_limit": "256Mi"}

    action: Literal["SetResources"] = "SetResources"
    cpu_limit: Cpu | None = None
    memory_limit: Memory | None = None
    cpu_request: Cpu | None = None
    memory_request: Memory | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.values():
            raise ValueError("at least one limit or request must be set")
        return self

    def values(self) -> dict[str, str]:
        """Return what is set, by field."""
        return set_values(self, RESOURCE_FIELDS)

    def summary(self) -> str:
        values = ", ".join(f"{spaced(name)} {value}" for name, value in self.values().items())
        return f"Set {values} for container {self.container} of {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return tuple(Write(_path(self.container, n), value) for n, value in self.values().items())

    def brings(self, snapshot: ClusterSnapshot, pods: str) -> str:
        """Return the pods that it makes, and the limits that it raises if it does only that."""
        view = snapshot.container(self.container)
        raised: dict[str, int] = {}
        for name, text in self.values().items():
            now = getattr(view.resources, name) if view else None
            if name not in RAISED_LIMITS or now is None or amount(name, text) <= amount(name, now):
                return pods
            raised[limit_key(self.container, name)] = amount(name, text)
        return with_raised(pods, raised)

    @classmethod
    def from_container_patch(cls, path: Path, value: Any) -> PatchPart | None:
        name = _field(path)
        if name is None or value is None:
            return None
        return PatchPart(("resources",), {name: amount_text(value)})

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        values = self.values()
        names = " and ".join(map(spaced, values))
        return f"set {names} of {self.container} to", " and ".join(values.values())

    def field_names(self) -> tuple[str, ...]:
        return tuple(map(camel, self.values()))

    @classmethod
    def rule_bounds(cls, rule: ActionRule, snapshot: ClusterSnapshot) -> Iterator[str]:
        for container in snapshot.containers:
            for field in RESOURCE_FIELDS:
                text = getattr(container.resources, field)
                if text is None:
                    continue
                steps = permitted_range(amount(field, text), rule)
                shown = format_cpu if field.startswith("cpu") else format_memory
                highest = min(steps[-1], _most(field, rule))
                yield (
                    f"{container.name} {spaced(field)}: {text} now, {shown(steps[0])} to "
                    f"{shown(int(highest))} allowed, or a previous amount"
                )

    def check_container(
        self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot, container: ContainerView
    ) -> None:
        """Reject amounts that no rule allows, that change nothing, or that contradict each other.

        Earlier amounts are within bounds. What is not set now can only get such an amount.
        `maxCpuMillicores` and `maxMemoryMebibytes` hold for all of them.
        """
        new = container.resources._replace(**self.values())
        if new == container.resources:
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"{self.target} already has these amounts"
            )
        for field, text in self.values().items():
            current = getattr(container.resources, field)
            if text != current and not any(
                self._allowed(field, text, current, rule, snapshot) for rule in rules
            ):
                raise RejectedPlaybookError(
                    RejectionRule.BOUNDS,
                    f"the policy does not allow {spaced(field)} {text} instead of "
                    f"{current or 'none'}",
                )
        for limit, request in (("cpu_limit", "cpu_request"), ("memory_limit", "memory_request")):
            most, least = getattr(new, limit), getattr(new, request)
            if most and least and amount(limit, most) < amount(request, least):
                raise RejectedPlaybookError(
                    RejectionRule.VALUE,
                    f"{spaced(limit)} {most} would be below the request {least}",
                )

    def _allowed(
        self, field: str, text: str, current: str | None, rule: ActionRule, live: ClusterSnapshot
    ) -> bool:
        desired = amount(field, text)
        if desired > _most(field, rule):
            return False
        if text in earlier_values.resources(live, self.container, field):
            return True
        return current is not None and desired in permitted_range(amount(field, current), rule)

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield what earlier revisions had, as a whole and one by one, and higher limits."""
        for container in snapshot.containers:
            head = {"action": "SetResources", "container": container.name}
            for view in earlier_values.earlier_containers(snapshot, container.name)[:MAX_EARLIER]:
                yield {**head, **_differing(container.resources, view.resources)}
            for field in RESOURCE_FIELDS:
                for text in earlier_values.resources(snapshot, container.name, field)[:MAX_EARLIER]:
                    yield {**head, field: text}
            for field in RAISED_LIMITS:
                current = getattr(container.resources, field)
                for times, by in _STEPS if current else ():
                    yield {**head, field: _scaled(field, current, times, by)}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        held = by_name(self.values(), self, before)
        values = {name: value for name, value in held.items() if value is not None}
        absent = tuple(name for name, value in held.items() if value is None)
        head: Draft = {"container": self.container}
        drafts: list[Draft] = []
        if values:
            drafts.append({**head, "action": "SetResources", **values})
        if absent:
            drafts.append({**head, "action": "UnsetResources", "fields": absent})
        return drafts


class UnsetResources(InternalAction, ContainerFields):
    """Removes limits or requests that SetResources added."""

    NAME = ActionName.SET_RESOURCES
    ACCEPTS_NULL = True

    action: Literal["UnsetResources"] = "UnsetResources"
    fields: Annotated[tuple[ResourceField, ...], Field(min_length=1, max_length=4)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if list(self.fields) != [name for name in RESOURCE_FIELDS if name in self.fields]:
            raise ValueError("fields must be distinct and in their order")
        return self

    def summary(self) -> str:
        names = ", ".join(map(spaced, self.fields))
        return f"Unset {names} for container {self.container} of {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return tuple(Write(_path(self.container, name), None) for name in self.fields)

    def granted(self) -> list[str]:
        return [*super().granted(), *(dotted(path) for path in self.paths())]

    @classmethod
    def from_container_patch(cls, path: Path, value: Any) -> PatchPart | None:
        name = _field(path)
        return PatchPart(("unset",), {"fields": (name,)}) if name and value is None else None


def _path(container: str, name: str) -> Path:
    return container_path(container, "resources", *_PATHS[name])


def _field(path: Path) -> str | None:
    match path:
        case ("resources", str(side), str(resource)):
            return _FIELDS.get((side, resource))
    return None


def amount_text(value: Any) -> Any:
    """Return a bare whole number as the text of an amount, anything else as it is."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def amount(field: str, text: str) -> int:
    """Return millicores or bytes, depending on the field."""
    return cpu_millicores(text) if field.startswith("cpu") else memory_bytes(text)


def _most(field: str, rule: ActionRule) -> float:
    """Return the millicores or bytes that the rule never lets be exceeded."""
    cpu, memory = rule.max_cpu_millicores, rule.max_memory_mebibytes
    if field.startswith("cpu"):
        return inf if cpu is None else cpu
    return inf if memory is None else memory * _MEBIBYTE


def _differing(now: Resources, before: Resources) -> Draft:
    return {
        field: getattr(before, field)
        for field in RESOURCE_FIELDS
        if getattr(before, field) not in (None, getattr(now, field))
    }


def _scaled(field: str, text: str, times: int, by: int) -> str:
    new = amount(field, text) * times // by
    if field == "cpu_limit":
        return format_cpu(new)
    # Whole mebibytes are what people write; never rounded up beyond a bound.
    return format_memory(new // _MEBIBYTE * _MEBIBYTE if new >= _MEBIBYTE else new)
