"""Lets a remediation on hold become active again, once its target and the budgets have room. Pure.

Everything here is synchronous: between the check and the reservation nothing else is admitted or
resumed by this process, which is the only one that leads.
"""

from dataclasses import dataclass
from datetime import datetime

from reme_api.remediation import Remediation
from reme_operator.admission.budgets import (
    BudgetRefusal,
    BudgetRequest,
    OperatorLimits,
    resume_refusal,
)
from reme_operator.admission.remediation_index import RemediationIndex


@dataclass(frozen=True, slots=True)
class ResumeGuard:
    """Checks and reserves room for remediations on hold."""

    index: RemediationIndex
    limits: OperatorLimits

    def refusal(
        self, remediation: Remediation, workloads: int, now: datetime
    ) -> BudgetRefusal | None:
        """Return why the remediation may not become active now.

        `workloads` is how many there are in its namespace, where its policy bounds their share.
        """
        meta, policy = remediation.metadata, remediation.spec.policy
        request = BudgetRequest(
            meta.namespace,
            remediation.spec.target,
            f"{policy.namespace}/{policy.name}",
            policy.spec.budgets,
            workloads,
        )
        others = [info for info in self.index.all() if info.uid != meta.uid]
        return resume_refusal(others, request, self.limits, now)

    def try_resume(self, remediation: Remediation, workloads: int, now: datetime) -> bool:
        """Reserve the room and return True; False when there is none."""
        if self.refusal(remediation, workloads, now) is not None:
            return False
        self.index.resume(remediation.metadata.uid)
        return True

    def cancel(self, remediation: Remediation) -> None:
        """Give back what was reserved, if the remediation is still on hold."""
        self.index.cancel_resume(remediation.metadata.uid)
