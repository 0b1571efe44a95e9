"""ResumeJob: lets a suspended Job run."""

from collections.abc import Iterable, Sequence
from typing import Literal

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import Draft, InternalAction, targets_of
from reme_playbook.actions.fields import SwitchAction
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot.field_path import Path
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_SUSPEND: Path = ("spec", "suspend")


class ResumeJob(SwitchAction):
    """Lets a suspended Job run."""

    NAME = ActionName.RESUME_JOB
    KINDS = frozenset({"Job"})
    FIELD = _SUSPEND
    VALUE = False
    OPPOSITE = "SuspendJob"
    BOUNDS = "a suspended Job that the target's template names, or that is named after the target"
    RESTORES = "the Job is suspended again, which ends its pods"
    EXAMPLE_NAME = "cart-migration"

    action: Literal["ResumeJob"] = "ResumeJob"

    def summary(self) -> str:
        return f"Resume {self.target}"

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject it if the Job is not suspended, or has ended."""
        view = next(j for j in snapshot.jobs if j.name == self.target.name)
        if not view.suspended or view.finished:
            raise RejectedPlaybookError(RejectionRule.NO_CHANGE, f"{self.target} is not suspended")

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield every Job that is known."""
        for target in targets_of(snapshot, "Job"):
            yield {"target": target, "action": "ResumeJob"}


class SuspendJob(InternalAction, SwitchAction):
    """Suspends a Job that ResumeJob resumed."""

    NAME = ActionName.RESUME_JOB
    KINDS = frozenset({"Job"})
    FIELD = _SUSPEND
    VALUE = True

    action: Literal["SuspendJob"] = "SuspendJob"

    def summary(self) -> str:
        return f"Suspend {self.target}"
