"""SetCommand: sets what a container runs to what an earlier revision ran."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import Draft, PatchPart, Shorten, by_name, set_values
from reme_playbook.actions.container import ContainerAction
from reme_playbook.actions.string_types import Argument
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.field_path import FieldValue, Path, Write, container_path
from reme_playbook.snapshot.sensitive import sensitive_command
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import ContainerView

_FIELDS = ("command", "args")
MAX_EARLIER = 3


class SetCommand(ContainerAction):
    """Sets what one container runs; an empty list leaves it to the image."""

    NAME = ActionName.SET_COMMAND
    ACCEPTS_NULL = True
    BOUNDS = "command or arguments of an earlier revision; nothing that looks like a secret"
    RESTORES = "the earlier value"
    EXAMPLE: ClassVar[Draft] = {"container": "server", "command": ("/cart",), "args": ()}

    action: Literal["SetCommand"] = "SetCommand"
    command: Annotated[tuple[Argument, ...], Field(max_length=32)] | None = None
    args: Annotated[tuple[Argument, ...], Field(max_length=32)] | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.values():
            raise ValueError("command or args must be set")
        return self

    def values(self) -> dict[str, tuple[str, ...]]:
        """Return what is set, by field."""
        return set_values(self, _FIELDS)

    def summary(self) -> str:
        names = " and ".join(self.values())
        return f"Set {names} of container {self.container} of {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return tuple(
            Write(container_path(self.container, name), list(words) or None)
            for name, words in self.values().items()
        )

    @classmethod
    def from_container_patch(cls, path: Path, value: Any) -> PatchPart | None:
        match path:
            case (("command" | "args") as name,):
                return PatchPart(("command",), {name: [] if value is None else value})
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        values = self.values()
        words = " and ".join(" ".join(parts) or "none" for parts in values.values())
        return f"set {' and '.join(values)} of {self.container} to", shorten(words, 60)

    def free_text(self) -> tuple[str, str]:
        return "", " ".join([*(self.command or ()), *(self.args or ())])

    def field_names(self) -> tuple[str, ...]:
        return tuple(self.values())

    def check_container(
        self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot, container: ContainerView
    ) -> None:
        """Reject what the container never ran before, and what may hold a secret."""
        new = self.values()
        if any(map(sensitive_command, (*new.values(), container.command, container.args))):
            raise RejectedPlaybookError(RejectionRule.SENSITIVE, "the command may hold a secret")
        if all(getattr(container, field) == value for field, value in new.items()):
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"container {container.name} already runs this"
            )
        for field, value in new.items():
            earlier = earlier_values.commands(snapshot, container.name, field)
            if value != getattr(container, field) and value not in earlier:
                raise RejectedPlaybookError(
                    RejectionRule.UNKNOWN_VALUE,
                    f"container {container.name} had this {field} "
                    f"{earlier_values.in_none(snapshot)}",
                )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield what earlier revisions ran, where it differs."""
        for container in snapshot.containers:
            for view in earlier_values.earlier_containers(snapshot, container.name)[:MAX_EARLIER]:
                differing = {
                    field: getattr(view, field)
                    for field in _FIELDS
                    if getattr(view, field) != getattr(container, field)
                }
                if differing:
                    yield {"action": "SetCommand", "container": container.name, **differing}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        held = by_name(self.values(), self, before)
        words = {name: json.loads(str(text)) if text else [] for name, text in held.items()}
        return ({"action": "SetCommand", "container": self.container, **words},)
