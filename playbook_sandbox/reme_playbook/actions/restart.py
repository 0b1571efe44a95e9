"""Restart: replaces all pods of a workload."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import Draft, PatchPart, Shorten, WorkloadAction
from reme_playbook.actions.effect import effect_of
from reme_playbook.actions.string_types import is_run_id
from reme_playbook.snapshot.field_path import TEMPLATE, Entry, FieldValue, Path, Write, dotted
from reme_playbook.snapshot.object_diff import Difference
from reme_playbook.snapshot.pod_template import RESTART_ANNOTATION, RESTART_ANNOTATIONS
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_ANNOTATION: Path = (*TEMPLATE, "metadata", "annotations", Entry(RESTART_ANNOTATION))


class Restart(WorkloadAction):
    """Replaces all pods of a workload, by its own update strategy."""

    NAME = ActionName.RESTART
    BOUNDS = "always"
    RESTORES = "nothing to restore"

    action: Literal["Restart"] = "Restart"

    def summary(self) -> str:
        return f"Restart {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return (Write(_ANNOTATION, run_id),)

    def brings(self, snapshot: ClusterSnapshot, pods: str) -> str:
        """Return the restart of these pods: of other ones, or with other settings, is another."""
        return effect_of(self.NAME, str(self.target), pods)

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        match path:
            case ("spec", "template", "metadata", "annotations", Entry(key=key)) if (
                key in RESTART_ANNOTATIONS and isinstance(value, str) and is_run_id(value)
            ):
                return PatchPart(path[:4], {"action": "Restart"})
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        return "restart", ""

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Allow it always."""

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Return the one way to do it."""
        return ({"action": "Restart"},)

    def capture(
        self, snapshot: ClusterSnapshot
    ) -> tuple[tuple[FieldValue, ...], tuple[FieldValue, ...]]:
        return (), ()

    def changes(self, snapshot: ClusterSnapshot) -> Iterator[Difference]:
        for write in self.writes():
            yield Difference.of(self.target, dotted(write.path), None, write.value)
