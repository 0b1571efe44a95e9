"""ResumeJob: lets a suspended Job run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import Action, Draft, InternalAction, PatchPart, targets_of
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot.field_path import FieldValue, Path, Write
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_SUSPEND: Path = ("spec", "suspend")


class ResumeJob(Action):
    """Lets a suspended Job run."""

    NAME = ActionName.RESUME_JOB
    KINDS = frozenset({"Job"})
    BOUNDS = "a suspended Job that the target's template names, or that is named after the target"
    RESTORES = "the Job is suspended again, which ends its pods"
    EXAMPLE_NAME = "cart-migration"

    action: Literal["ResumeJob"] = "ResumeJob"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Resume {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        """Return `spec.suspend: false`."""
        del run_id
        return (Write(_SUSPEND, False),)

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        """Return what `spec.suspend: false` amounts to."""
        return PatchPart(path, {"action": "ResumeJob"}) if _is(path, value, False) else None

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject it if the Job is not suspended, or has ended."""
        del rules
        view = next(j for j in snapshot.jobs if j.name == self.target.name)
        if not view.suspended or view.finished:
            raise RejectedPlaybookError(RejectionRule.NO_CHANGE, f"{self.target} is not suspended")

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield every Job that is known."""
        for target in targets_of(snapshot, "Job"):
            yield {"target": target, "action": "ResumeJob"}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        """Return the suspension."""
        del before
        return ({"action": "SuspendJob"},)


class SuspendJob(InternalAction):
    """Suspends a Job that ResumeJob resumed."""

    NAME = ActionName.RESUME_JOB
    KINDS = frozenset({"Job"})

    action: Literal["SuspendJob"] = "SuspendJob"

    def summary(self) -> str:
        """Return one line for people."""
        return f"Suspend {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        """Return `spec.suspend: true`."""
        del run_id
        return (Write(_SUSPEND, True),)

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        """Return what `spec.suspend: true` amounts to."""
        return PatchPart(path, {"action": "SuspendJob"}) if _is(path, value, True) else None


def _is(path: Path, value: Any, suspended: bool) -> bool:
    return path == _SUSPEND and value is suspended
