"""The records of a run. A change of a field's meaning needs a new VERSION.

A run is a directory with `run.json` (its plan and environment), `cases/CASE.json` (one file per
ended case), and the generated files `summary.json`, `summary.md` and `report.html`.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from reme_benchmark.scenarios.cases.model import Case

VERSION = 2


class Record(BaseModel):
    """Base of the records. Unknown fields are refused, so that versions cannot be confused."""

    model_config = ConfigDict(extra="forbid")


class State(StrEnum):
    """The state in which a case ended. All but NOT_APPLICABLE are in the denominator."""

    JUDGED = "judged"
    INJECTION_FAILED = "injection-failed"  # the fault had no effect
    HARNESS_ERROR = "harness-error"  # unhealthy before the injection, or the harness failed
    PROPOSED = "asked"  # the method only proposed a playbook; nothing was done or judged
    NOT_APPLICABLE = "not-applicable"  # this cluster cannot have the fault


class Measured(Record):
    """One measurement of an oracle."""

    name: str
    ok: bool | None  # None: not measured, which is no success
    value: str = ""
    message: str = ""


class Verdict(Record):
    """The verdict of an oracle."""

    passed: bool
    measured: list[Measured] = Field(default_factory=list)
    reasons: list[str] = Field(default_factory=list)  # of a failure, the main one first
    held_since: datetime | None = None  # start of the window in which everything held


class UserImpact(Record):
    """How the case affected users."""

    before_percent: float | None = None
    after_percent: float | None = None
    failed_requests: int = 0  # from the report to the end of the window
    served_again_seconds: float | None = None  # from the report; None: never


class Change(Record):
    """A field of an object that differs from before the fault."""

    object: str  # Kind/name
    path: str
    before: str
    after: str
    allowed: bool  # by the fault's oracle


class Tokens(Record):
    """Tokens, as counted by the model server."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0


class ModelExchange(Record):
    """A request to a model and its reply; enough to send the same request to another model."""

    messages: list[dict[str, str]]
    reply_schema: dict[str, Any]
    reply: str = ""


class MethodReport(Record):
    """What a method reports about itself. It does not influence the verdict."""

    outcome: str = ""  # such as Verified or Abstained
    acted: bool = False  # whether it changed anything
    message: str = ""
    attempts: int = 0
    rounds: int = 0  # of investigations
    inspections: int = 0
    follow_ups: int = 0  # remediations of other workloads that were found to be the cause
    rejected: int = 0  # playbooks that did not compile or were forbidden
    tokens: Tokens = Field(default_factory=Tokens)
    playbooks: list[str] = Field(default_factory=list)
    diff: str = ""
    steps: dict[str, float] = Field(default_factory=dict)  # seconds by step of the method
    error: str = ""  # it crashed, timed out or did not answer
    model: str = ""
    exchanges: list[ModelExchange] = Field(default_factory=list)  # one per attempt with a request


class Timing(Record):
    """Durations of the steps of a case, in seconds."""

    reset: float = 0
    inject: float = 0
    confirm: float = 0
    report: float = 0
    method: float = 0
    judge: float = 0
    total: float = 0

    @property
    def overhead(self) -> float:
        """The time of the harness, without the method and the windows of the oracle."""
        return self.reset + self.inject + self.confirm + self.report


class CaseResult(Record):
    """The result of one case."""

    version: int = VERSION
    case: Case
    method: str
    state: State
    message: str = ""  # why it was not judged
    strict: Verdict | None = None
    published: Verdict | None = None  # None: MicroRemed has no check for this fault
    users: UserImpact = Field(default_factory=UserImpact)
    changes: list[Change] = Field(default_factory=list)
    pods_replaced: int = 0
    restarts: int = 0
    method_report: MethodReport = Field(default_factory=MethodReport)
    # The fault's known good playbooks for this target, the least disruptive first.
    reference_playbooks: list[list[dict[str, Any]]] = Field(default_factory=list)
    timing: Timing = Field(default_factory=Timing)
    start_time: datetime
    report_time: datetime | None = None  # when the method got the report
    completion_time: datetime
    cause: str = ""  # of a failure: see reports.failure_causes

    @property
    def passed(self) -> bool:
        """Whether the strict oracle passed the case."""
        return self.strict is not None and self.strict.passed

    @property
    def repaired_seconds(self) -> float | None:
        """Seconds from the report until everything held; None if it never did."""
        if self.strict is None or self.strict.held_since is None or self.report_time is None:
            return None
        return (self.strict.held_since - self.report_time).total_seconds()


class Run(Record):
    """The plan and the environment of a run."""

    version: int = VERSION
    suite: str
    method: str
    method_options: dict[str, Any] = Field(default_factory=dict)
    seed: int
    cases: list[Case]
    commit: str = ""
    dirty: bool = False
    images: dict[str, str] = Field(default_factory=dict)  # name: digest
    model: str = ""
    cluster: dict[str, Any] = Field(default_factory=dict)
    hardware: dict[str, Any] = Field(default_factory=dict)
    start_time: datetime
    completion_time: datetime | None = None
