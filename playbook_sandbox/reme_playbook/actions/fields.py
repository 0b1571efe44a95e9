"""What actions on plain fields share: several fields with names, or one that is on or off."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import model_validator

from reme_playbook.actions.base import (
    Action,
    Draft,
    PatchPart,
    Shorten,
    by_name,
    camel,
    set_values,
    spaced,
)
from reme_playbook.snapshot.field_path import FieldValue, Path, Write


class FieldsAction(Action):
    """Sets one or more fields below one path, named as in the API but in snake case."""

    PARENT: ClassVar[Path]
    FIELDS: ClassVar[tuple[str, ...]]

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.values():
            raise ValueError(f"{' or '.join(self.FIELDS)} must be set")
        return self

    def values(self) -> dict[str, Any]:
        """Return what is set, by field."""
        return set_values(self, self.FIELDS)

    def values_text(self) -> str:
        """Return what is set, for people."""
        return " and ".join(f"{spaced(name)} {value}" for name, value in self.values().items())

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        """Return the fields that are set."""
        return tuple(Write((*self.PARENT, camel(n)), v) for n, v in self.values().items())

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        """Return what one of the fields amounts to."""
        *parent, key = path
        name = {camel(field): field for field in cls.FIELDS}.get(str(key))
        if tuple(parent) != cls.PARENT or name is None:
            return None
        return PatchPart(cls.PARENT, {"action": cls.__name__, name: value})

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        """Return the names of the fields, and their values."""
        values = self.values()
        names = " and ".join(map(spaced, values))
        return f"set {names} of {self.target.name} to", " and ".join(map(str, values.values()))

    def field_names(self) -> tuple[str, ...]:
        """Return the names that the fields have in the API."""
        return tuple(map(camel, self.values()))

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        """Return the earlier values."""
        return ({"action": type(self).__name__, **by_name(self.values(), self, before)},)


class SwitchAction(Action):
    """Sets one field to true or false."""

    FIELD: ClassVar[Path]
    VALUE: ClassVar[bool]
    OPPOSITE: ClassVar[str] = ""
    """The action that rolls it back."""

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        """Return the field."""
        return (Write(self.FIELD, self.VALUE),)

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        """Return what the field amounts to."""
        is_own = path == cls.FIELD and value is cls.VALUE
        return PatchPart(path, {"action": cls.__name__}) if is_own else None

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        """Return the opposite."""
        return ({"action": self.OPPOSITE},)
