"""The result files. Changing the meaning of a field means a new VERSION.

A run is a directory: `run.json` (what was planned, on what), `cases/CASE.json` (one file for each
case that has ended, written in one move, so that an interrupted run can be resumed), and what is
generated from them (`summary.json`, `summary.md`, `report.html`).
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from reme_benchmark.scenarios.cases.model import Case

VERSION = 2


class Record(BaseModel):
    """Base of the records: unknown fields are refused, so that versions cannot be confused."""

    model_config = ConfigDict(extra="forbid")


class State(StrEnum):
    """How far a case came. All but NOT_APPLICABLE stay in the denominator."""

    JUDGED = "judged"
    INJECTION_FAILED = "injection-failed"  # the fault did not bite
    HARNESS_ERROR = "harness-error"  # unhealthy before the injection, or the harness failed
    ASKED = "asked"  # the method was only asked what it would do: nothing was done, or judged
    NOT_APPLICABLE = "not-applicable"  # this cluster cannot have the fault


class Measured(Record):
    """One measurement of the oracle over its window."""

    name: str
    ok: bool | None  # None: it could not be measured, which is no success
    value: str = ""
    message: str = ""


class Verdict(Record):
    """What an oracle said, and why."""

    passed: bool
    measured: list[Measured] = Field(default_factory=list)
    reasons: list[str] = Field(
        default_factory=list
    )  # why it did not pass, the first is the main one
    held_since: datetime | None = None  # when the window began in which everything held


class UserImpact(Record):
    """What users felt."""

    before_percent: float | None = None
    after_percent: float | None = None
    failed_requests: int = 0  # from the report to the end of the window
    served_again_seconds: float | None = None  # from the report; None: never


class Change(Record):
    """A field of an object that is not as it was before the fault."""

    object: str  # Kind/name
    path: str
    before: str
    after: str
    allowed: bool  # by the fault's oracle


class Tokens(Record):
    """What the model was charged with, by the server's own count."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0


class ModelExchange(Record):
    """What a model was asked: enough to ask another one the same."""

    messages: list[dict[str, str]]
    reply_schema: dict[str, Any]
    reply: str = ""


class MethodReport(Record):
    """What a method says of itself; it decides nothing."""

    outcome: str = ""  # in the method's own words, such as Verified or Abstained
    acted: bool = False  # whether it changed anything, by its own word
    message: str = ""
    attempts: int = 0
    rejected: int = 0  # playbooks that did not compile or were not allowed
    tokens: Tokens = Field(default_factory=Tokens)
    playbooks: list[str] = Field(default_factory=list)
    diff: str = ""
    steps: dict[str, float] = Field(default_factory=dict)  # seconds by step of the method
    error: str = ""  # it crashed, hung or never answered
    model: str = ""
    exchanges: list[ModelExchange] = Field(
        default_factory=list
    )  # one for each attempt that got so far


class Timing(Record):
    """Where the time of a case went, in seconds."""

    reset: float = 0
    inject: float = 0
    confirm: float = 0
    report: float = 0
    method: float = 0
    judge: float = 0
    total: float = 0

    @property
    def overhead(self) -> float:
        """What the harness takes beside the method and the windows of the oracle."""
        return self.reset + self.inject + self.confirm + self.report


class CaseResult(Record):
    """One case, ended."""

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
    reference_playbooks: list[list[dict[str, Any]]] = Field(
        default_factory=list
    )  # the fault's known good playbooks for this very target, the least disruptive first
    timing: Timing = Field(default_factory=Timing)
    start_time: datetime
    report_time: datetime | None = None  # when the method was given the report
    completion_time: datetime
    cause: str = ""  # of a failure, sorted: see results.causes

    @property
    def passed(self) -> bool:
        """Whether the strict oracle holds."""
        return self.strict is not None and self.strict.passed

    @property
    def repaired_seconds(self) -> float | None:
        """From the report until everything held, as measured from outside; None: it never did."""
        if self.strict is None or self.strict.held_since is None or self.report_time is None:
            return None
        return (self.strict.held_since - self.report_time).total_seconds()


class Run(Record):
    """What was planned, by what, on what."""

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
