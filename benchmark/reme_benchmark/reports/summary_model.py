"""What is made of a run's results: the types of `summary.json`."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field

from reme_benchmark.reports.statistics import median, percentile, wilson
from reme_benchmark.scoring.records import Record, Tokens

VERSION = 1


class Share(Record):
    """So many of so many, with Wilson's 95% interval."""

    passed: int
    cases: int
    rate: float | None  # None: there are no cases
    low: float
    high: float

    @classmethod
    def of(cls, passed: int, cases: int) -> Self:
        """Count."""
        low, high = wilson(passed, cases)
        return cls(
            passed=passed,
            cases=cases,
            rate=passed / cases if cases else None,
            low=low,
            high=high,
        )


class Spread(Record):
    """Seconds, over the cases in which something was measured."""

    cases: int
    median: float
    p95: float
    total: float

    @classmethod
    def of(cls, values: list[float]) -> Self | None:
        """Return the spread, or nothing when nothing was measured."""
        middle, high = median(values), percentile(values, 95)
        if middle is None or high is None:
            return None
        return cls(cases=len(values), median=middle, p95=high, total=sum(values))


class NotApplicable(Record):
    """A case that this cluster cannot have, and why."""

    case: str
    about: str
    reason: str


class FalseActions(Record):
    """Controls in which something was done although nothing should be."""

    acted: int
    controls: int
    cases: list[str] = Field(default_factory=list)


class Abstention(Record):
    """How well the method knew when to do nothing; over the judged cases."""

    abstained: int
    right: int  # of those, so many were controls
    controls: int
    precision: float | None  # None: it never abstained
    recall: float | None  # None: there are no controls


class Agreement(Record):
    """Judged cases in which the published check and the strict oracle say different things."""

    both: int = 0
    strict_only: int = 0
    published_only: int = 0  # the published check was fooled, or looked too early
    neither: int = 0


class Times(Record):
    """Where the time went."""

    harness: dict[str, Spread]  # by step of the harness; method is one of them
    method: dict[str, Spread]  # by step of the method, as it says itself
    overhead_seconds: float | None  # median; beside the method and the windows of the oracle
    repaired_seconds: float | None  # median from the report until all held, of successes


class UserImpactSummary(Record):
    """What users and neighbours felt; totals are over the judged cases."""

    served_again_seconds: float | None  # median of those that were served again
    never_served_again: int
    failed_requests: int
    failed_requests_median: float | None
    pods_replaced: int
    pods_replaced_median: float | None
    restarts: int
    objects_left_changed: int  # neither as before nor as allowed, where the fault is gone
    cases_left_changed: int


class Cost(Record):
    """What the model was asked, and how much of it was of use."""

    tokens: Tokens
    tokens_median: float | None  # prompt and completion of a case in which it was asked
    attempts: int
    playbooks: int
    rejected: int
    rejected_share: float | None


class Flakes(Record):
    """Cases that were run more than once, and did not always end alike."""

    repeated: int
    flaky: int
    rate: float | None
    cases: list[str] = Field(default_factory=list)


class Range(Record):
    """A bootstrap interval of the strict rate, over cases with all their repeats."""

    low: float
    high: float
    cases: int


class Summary(Record):
    """The figures of a run."""

    suite: str
    method: str
    seed: int
    strict: Share
    published: Share
    version: int = VERSION
    complete: bool
    planned: int
    ended: int
    states: dict[str, int]
    not_applicable: list[NotApplicable]
    repairs: Share  # cases with something to repair
    controls: Share
    by_fault: dict[str, Share]
    by_system: dict[str, Share]
    by_group: dict[str, Share]
    by_quality: dict[str, Share]
    by_control: dict[str, Share]
    by_split: dict[str, Share]
    causes: dict[str, int]
    false_actions: FalseActions
    abstention: Abstention
    agreement: Agreement
    time: Times
    users: UserImpactSummary
    cost: Cost
    flakes: Flakes
    bootstrap: Range | None  # None: no case was repeated
    method_options: dict[str, Any]
    model: str
    commit: str
    dirty: bool
    images: dict[str, str]
    cluster: dict[str, Any]
    hardware: dict[str, Any]
    start_time: datetime
    completion_time: datetime | None
