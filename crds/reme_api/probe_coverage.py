"""What the probes of a remediation can see of the fault that its report describes."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from reme_api.base import ApiModel

MAX_UNCOVERED = 8
RequestText = Annotated[str, StringConstraints(max_length=300)]


class ProbeSource(StrEnum):
    """Who chose the probes."""

    REPORT = "Report"
    POLICY = "Policy"
    DERIVED = "Derived"


class ProbeCoverage(ApiModel):
    """Who chose the probes, and which requests of the report none of them sends; set by reme.

    Probes that the report or the policy gives show that the fault is there or gone. Derived ones
    can show a fault, and never that there is none.
    """

    source: ProbeSource = Field(
        default=ProbeSource.REPORT,
        description="The report, the policy, or reme itself when both have no probes.",
    )
    uncovered: list[RequestText] = Field(
        default_factory=list,
        max_length=MAX_UNCOVERED,
        description="Requests that fail according to the report, and that no probe sends.",
    )
    evidence_items: int = Field(
        default=0, ge=0, le=32, description="Number of items of evidence of the report."
    )
