"""What each action of the playbook language defines: one class with everything about it.

An action is checked data: names and numbers of fixed form, no free commands. Its class says which
fields it writes, how it is rendered and parsed, what validation requires, what a run may write for
it, how it is rolled back, and what the documentation says. Subclasses register themselves;
`registry` imports all of them.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from reme_api.actions import ActionName, Disruption
from reme_api.policy import ActionRule
from reme_api.run_grant import GrantRule, Verb
from reme_playbook.actions.api_request import ApiRequest
from reme_playbook.actions.disruption import stops_all_pods
from reme_playbook.actions.effect import effect_of
from reme_playbook.actions.modules import K8S, Task
from reme_playbook.actions.string_types import problem_of
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.field_path import (
    FieldValue,
    Path,
    Write,
    captured_value,
    dotted,
    grant_path,
    merge_patch,
    read,
)
from reme_playbook.snapshot.field_writes import write_fields
from reme_playbook.snapshot.object_diff import Difference
from reme_playbook.snapshot.object_ref import WORKLOADS, ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

Draft = dict[str, Any]
"""An action as plain data, before it is validated; its target is the workload unless it says so."""
Template = Mapping[str, Any]
Shorten = Callable[[str, int], str]
"""Redacts a text and cuts it to a number of characters."""

CLASSES: dict[str, type["Action"]] = {}
"""Every action class by its name, public and internal ones."""


class PatchPart(NamedTuple):
    """What one field of a patch amounts to: parts with one group make one action."""

    group: tuple[Any, ...]
    draft: Draft


@dataclass(frozen=True)
class Conflict:
    """A field that a rollback does not restore, and why."""

    target: ObjectRef
    field: str
    message: str


@dataclass(frozen=True)
class Restoration:
    """What restores one captured action, what is left as it is, and what cannot be restored."""

    actions: tuple["Action", ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    unrestorable: tuple[Conflict, ...] = ()


class Action(BaseModel):
    """An immutable, hashable action on one object."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    NAME: ClassVar[ActionName]
    KINDS: ClassVar[frozenset[str]]
    RULE_KINDS: ClassVar[frozenset[str]] = frozenset()
    """Further kinds by which a policy rule may mean this action."""
    INTERNAL: ClassVar[bool] = False
    """Only a rollback may contain it; no text of a model compiles to it."""
    DISRUPTION: ClassVar[Disruption] = Disruption.NONE
    """What it interrupts at least; `current_disruption` says what it interrupts now."""
    ROLLS_OUT: ClassVar[bool] = False
    """Whether it changes the pod template, so that pods are replaced."""
    ACCEPTS_NULL: ClassVar[bool] = False
    """Whether a patch may set its fields to null."""

    NEEDS_HISTORY: ClassVar[bool] = False
    """Whether its requests depend on the revisions of the workload."""

    BOUNDS: ClassVar[str]
    RESTORES: ClassVar[str]
    EXAMPLE: ClassVar[Draft] = {}
    EXAMPLE_NAME: ClassVar[str] = "cart"

    if TYPE_CHECKING:
        action: str
    target: ObjectRef

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Register the class, unless it is only a base of others."""
        super().__pydantic_init_subclass__(**kwargs)
        if "action" in cls.model_fields:
            CLASSES[cls.__name__] = cls

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @model_validator(mode="after")
    def _kind_fits(self) -> Self:
        if self.target.kind not in self.KINDS:
            kinds = ", ".join(sorted(self.KINDS))
            raise ValueError(f"not possible for a {self.target.kind}, only for {kinds}")
        return self

    @property
    def name(self) -> ActionName:
        """The action as policies name it; an internal one has the name of what it rolls back."""
        return self.NAME

    # What it is

    @abstractmethod
    def summary(self) -> str:
        """Return one line for people."""

    @abstractmethod
    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        """Return the fields that it sets and their values; empty if it sets none itself."""

    def paths(self) -> tuple[Path, ...]:
        """Return the fields that it sets."""
        return tuple(write.path for write in self.writes())

    def touches(self) -> tuple[tuple[ObjectRef, Path], ...]:
        """Return what no other action of a playbook may write; an empty path is a whole object."""
        return tuple((self.target, path) for path in self.paths())

    # What it brings

    def brings(self, snapshot: ClusterSnapshot, pods: str) -> str:
        """Return the kind and a digest of what it brings: actions with the same are one try.

        `pods` is the effect of the pods that the whole playbook makes.
        """
        if self.ROLLS_OUT:
            return pods
        values = [(dotted(write.path), captured_value(write.value)) for write in self.writes()]
        return effect_of(self.NAME, str(self.target), values)

    def template_after(self, template: Template, snapshot: ClusterSnapshot) -> Template:
        """Return the pod template that it makes of this one."""
        if not self.ROLLS_OUT:
            return template
        changed = write_fields({"spec": {"template": template}}, self.writes())
        return unstructured.mapping(changed, "spec", "template")

    # How it is written in Ansible

    def task(self, run_id: str = "now") -> Task:
        """Return the task as a model writes it: the module and its parameters."""
        definition = merge_patch(self.writes(run_id))
        return {K8S: {**self.location(), "state": "patched", "definition": definition}}

    def location(self) -> dict[str, str]:
        """Return the parameters of a task that name the object."""
        namespace = {"namespace": self.target.namespace} if self.target.namespace else {}
        return {"kind": self.target.kind, "name": self.target.name, **namespace}

    def requests(
        self, run_id: str, manifest: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
    ) -> list[ApiRequest]:
        """Return the requests that carry it out on the object as it is, given its revisions."""
        return [ApiRequest.strategic_merge(self.target, merge_patch(self.writes(run_id)))]

    @property
    def merges(self) -> bool:
        """Whether it is a strategic merge patch, which can be one task with others."""
        return K8S in (task := self.task()) and "definition" in task[K8S]

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        """Return what a field of a strategic merge patch amounts to; None if it is not its own."""
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        """Return the line in the list of choices that a model is shown, and its value if any."""
        summary = self.summary()
        return summary[:1].lower() + summary[1:], ""

    def free_text(self) -> tuple[str, str]:
        """Return the name and the text of what it sets, if that could hold a secret."""
        return "", ""

    # What a policy says about it

    def field_names(self) -> tuple[str, ...]:
        """Return the names by which policy rules mean its fields; empty if it has none."""
        return ()

    @classmethod
    def has_field_names(cls) -> bool:
        """Return whether policy rules can name fields of it."""
        return cls.field_names is not Action.field_names

    def current_disruption(self, snapshot: ClusterSnapshot) -> Disruption:
        """Return what it would interrupt now."""
        if self.DISRUPTION is Disruption.MEDIUM and stops_all_pods(snapshot):
            return Disruption.HIGH
        return self.DISRUPTION

    @classmethod
    def rule_bounds(cls, rule: ActionRule, snapshot: ClusterSnapshot) -> Iterator[str]:
        """Yield what the numbers of a policy rule allow for the target now, for people."""
        return iter(())

    @abstractmethod
    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Return if the rules and the state of the cluster allow its values.

        Raises RejectedPlaybookError if they do not.
        """

    @classmethod
    @abstractmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield what could be done now, with a few values each; validation decides about them."""

    def pinned(self, snapshot: ClusterSnapshot, deleted: AbstractSet[ObjectRef]) -> Self:
        """Return the action with everything fixed that it would otherwise look up when it runs.

        `deleted` are the pods that other actions of the playbook delete.
        """
        return self

    def deletes(self) -> frozenset[ObjectRef]:
        """Return the pods that it deletes."""
        return frozenset()

    # What a run may write for it

    def roles(self) -> frozenset[str]:
        """Return the suffixes of the run roles that it needs."""
        return frozenset({self.target.plural})

    def grants(self, run_id: str, template: Template | None) -> list[GrantRule]:
        """Return what a run may write for it; `template` is the one that a rollback restores."""
        return [self.grant(fields=self.granted(), values=self._granted_values(run_id))]

    def granted(self) -> list[str]:
        """Return the fields that a grant names for it."""
        return list(dict.fromkeys(dotted(grant_path(path)) for path in self.paths()))

    def _granted_values(self, run_id: str) -> dict[str, Any]:
        return {dotted(w.path): w.value for w in self.writes(run_id) if w.value is not None}

    def grant(
        self,
        *,
        target: ObjectRef | None = None,
        subresource: str = "",
        verb: Verb = Verb.UPDATE,
        **rest: Any,
    ) -> GrantRule:
        """Return a grant rule about its target, or about another object."""
        target = target or self.target
        return GrantRule(
            group=target.group,
            resource=f"{target.plural}/{subresource}" if subresource else target.plural,
            namespace=target.namespace,
            name=target.name,
            verbs=[verb],
            **rest,
        )

    # How it is recorded and rolled back

    def capture(
        self, snapshot: ClusterSnapshot
    ) -> tuple[tuple[FieldValue, ...], tuple[FieldValue, ...]]:
        """Return what its fields hold, and what it sets them to, in their order.

        Raises RejectedPlaybookError if the object or a revision does not exist.
        """
        manifest = existing(self.target, snapshot)
        writes = self.writes()
        return (
            tuple(read(manifest, write.path) for write in writes),
            tuple(captured_value(write.value) for write in writes),
        )

    def changes(self, snapshot: ClusterSnapshot) -> Iterator[Difference]:
        """Yield what it changes, for the record."""
        manifest = snapshot.objects.get(self.target, {})
        for write in self.writes():
            before, after = read(manifest, write.path), captured_value(write.value)
            if before != after:
                yield Difference.of(self.target, dotted(write.path), before, after)

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        """Return the actions that set these of its fields to what they held before."""
        return ()

    def restore(
        self,
        before: Sequence[FieldValue],
        after: Sequence[FieldValue],
        snapshot: ClusterSnapshot,
    ) -> Restoration:
        """Return what restores the fields that still hold what the action wrote.

        A field that somebody else changed since then is a conflict and stays as it is.

        Raises RejectedPlaybookError if a captured value cannot be written; validation makes sure
        before a run that this does not happen.
        """
        manifest = existing(self.target, snapshot)
        restored: dict[Path, FieldValue] = {}
        conflicts: list[Conflict] = []
        for path, old, new in zip(self.paths(), before, after, strict=True):
            now = read(manifest, path)
            if now == new != old:
                restored[path] = old
            elif now != old:
                message = f"{dotted(path)} of {self.target} was changed by somebody else"
                conflicts.append(Conflict(self.target, dotted(path), message))
        actions = self.inverted(restored) if restored else ()
        return Restoration(actions, tuple(conflicts))

    def inverted(self, before: Mapping[Path, FieldValue]) -> tuple["Action", ...]:
        """Return the actions of `inverse`, validated.

        Raises RejectedPlaybookError if a value cannot be expressed.
        """
        return tuple(build({"target": self.target, **draft}) for draft in self.inverse(before))

    # What the documentation says

    @classmethod
    def example(cls) -> Self:
        """Return the action as the documentation shows it."""
        kind = "Deployment" if "Deployment" in cls.KINDS else min(cls.KINDS)
        namespace = "" if kind == "Node" else "shop"
        target = ObjectRef(kind, namespace, cls.EXAMPLE_NAME)  # type: ignore[arg-type]
        return cls.model_validate({"target": target, **cls.EXAMPLE})


class WorkloadAction(Action):
    """An action that changes the pod template of a workload, which rolls out anew."""

    KINDS = WORKLOADS
    DISRUPTION = Disruption.MEDIUM
    ROLLS_OUT = True


class InternalAction(Action):
    """An action that only rolls back another one: it is never a candidate, never validated."""

    INTERNAL = True

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject it: only a rollback may contain it."""
        raise RejectedPlaybookError(
            RejectionRule.INTERNAL, f"only a rollback may do this: {self.summary()}"
        )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Return nothing."""
        return ()


def build(draft: Draft) -> Action:
    """Return the action that the plain data describes.

    Raises RejectedPlaybookError if the data is not a valid action.
    """
    name = str(draft.get("action"))
    try:
        return CLASSES[name].model_validate(draft)
    except ValidationError as error:
        field, problem = problem_of(error)
        raise RejectedPlaybookError(
            RejectionRule.VALUE,
            f"{name}: {camel(field)} {problem}" if field else f"{name}: {problem}",
        ) from None


def existing(target: ObjectRef, snapshot: ClusterSnapshot) -> Mapping[str, Any]:
    """Return an object of the snapshot; raise RejectedPlaybookError if it does not exist."""
    manifest = snapshot.objects.get(target)
    if manifest is None:
        raise RejectedPlaybookError(RejectionRule.NOT_FOUND, f"{target} does not exist")
    return manifest


def permitted_range(current: int, rule: ActionRule) -> range:
    """Return the numbers that the rule allows instead of the current one."""
    lowest = current - current * rule.max_decrease_percent // 100
    highest = current + current * rule.max_increase_percent // 100
    return range(lowest, highest + 1)


def targets_of(snapshot: ClusterSnapshot, kind: str) -> list[ObjectRef]:
    """Return the objects of a kind in the snapshot, by name."""
    return sorted(key for key in snapshot.objects if key.kind == kind)


def camel(name: str) -> str:
    """Return a field name as policies spell it: memory_limit is memoryLimit."""
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)


def spaced(name: str) -> str:
    """Return a field name as people read it: memory_limit is memory limit."""
    return name.replace("_", " ")


def set_values(action: Action, names: Iterable[str]) -> dict[str, Any]:
    """Return those of the fields that are set, by name."""
    values = {name: getattr(action, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def by_name(
    names: Iterable[str], action: Action, before: Mapping[Path, FieldValue]
) -> dict[str, FieldValue]:
    """Return captured values by the names of the fields, which are in the order of the paths."""
    paths = dict(zip(names, action.paths(), strict=True))
    return {name: before[path] for name, path in paths.items() if path in before}
