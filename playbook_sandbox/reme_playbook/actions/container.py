"""What the actions on one container of a workload's pod template share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from reme_api.policy import ActionRule
from reme_playbook.actions.base import PatchPart, WorkloadAction
from reme_playbook.actions.string_types import ContainerName
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot.field_path import Entry, Path
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import ContainerView


class ContainerFields(WorkloadAction):
    """An action on fields of one container; init containers are never changed."""

    container: ContainerName

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        """Return what a field of a container amounts to."""
        match path:
            case ("spec", "template", "spec", "containers", Entry(key=container), *rest):
                part = cls.from_container_patch(tuple(rest), value)
                if part is not None:
                    draft = {"action": cls.__name__, **part.draft, "container": container}
                    return PatchPart((container, *part.group), draft)
        return None

    @classmethod
    @abstractmethod
    def from_container_patch(cls, path: Path, value: Any) -> PatchPart | None:
        """Return what a field within the container amounts to; None if it is not its own."""


class ContainerAction(ContainerFields):
    """An action on one container that a policy can allow."""

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject it if the container does not exist, or its state does not allow it."""
        view = snapshot.container(self.container)
        if view is None:
            raise RejectedPlaybookError(
                RejectionRule.NOT_FOUND, f"{self.target} has no container {self.container}"
            )
        self.check_container(rules, snapshot, view)

    @abstractmethod
    def check_container(
        self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot, container: ContainerView
    ) -> None:
        """Reject values that the rules or the state of the container do not allow."""
