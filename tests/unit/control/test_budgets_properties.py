"""No budget is ever exceeded, whatever comes in whatever order, and whatever is forgotten."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reme_api.budgets import Budgets
from reme_api.diagnosis_report import Target
from reme_api.policy import RemediationPolicy
from reme_api.reasons import Outcome
from reme_api.remediation import Remediation, RemediationStatus
from reme_operator.admission.admit import Accept, AdmissionInput, TargetInfo, admit
from reme_operator.admission.budgets import OperatorLimits
from reme_operator.admission.remediation_index import RemediationInfo, remediation_info
from reme_operator.admission.retention import expired
from reme_operator.admission.storm import StormImpact
from tests.doubles.builders import NOW, RELEASE, policy, report, started

HOUR = timedelta(hours=1)
WORKLOADS = 8
LIMITS = OperatorLimits(max_concurrent=4, max_per_hour=9)
SUCCESS = {Outcome.VERIFIED, Outcome.NO_ACTION_NEEDED}
NEUTRAL = {Outcome.OBSERVED, Outcome.CANCELLED}


@dataclass
class Past:
    """What truly happened, whatever the operator still knows of it."""

    created: datetime
    target: str
    policy: str
    completed: datetime | None = None
    outcome: Outcome | None = None
    ran: bool = True


@dataclass
class World:
    """The API server's remediations, and the truth beside them."""

    policies: list[RemediationPolicy]
    now: datetime = NOW
    known: dict[str, Remediation] = field(default_factory=dict)
    truth: dict[str, Past] = field(default_factory=dict)

    def file(self, number: int, name: str, fault: str) -> None:
        new_report = report(
            f"r{number}",
            uid=f"uid-{number}",
            target=Target.model_validate({"kind": "Deployment", "name": name}),
            fault={"type": fault},
        )
        case = AdmissionInput(
            report=new_report,
            target=TargetInfo(),
            policies=self.policies,
            remediations=self.entries(),
            release_namespace=RELEASE,
            limits=LIMITS,
            workloads=WORKLOADS,
            storm=StormImpact(active=False),
        )
        admission = admit(case, self.now)
        if not isinstance(admission, Accept):
            return
        remediation = admission.remediation
        meta = remediation.metadata.model_copy(
            update={"uid": f"rem-{number}", "creation_timestamp": self.now}
        )
        used = remediation.spec.policy
        past = Past(self.now, name, f"{used.namespace}/{used.name}")
        self.check(past)
        self.known[meta.uid] = remediation.model_copy(update={"metadata": meta})
        self.truth[meta.uid] = past

    def entries(self) -> list[RemediationInfo]:
        """Return what the operator knows after a restart."""
        return [remediation_info(value, self.now) for value in self.known.values()]

    def end(self, which: int, outcome: Outcome) -> None:
        running = sorted(uid for uid, past in self.truth.items() if past.completed is None)
        if not running:
            return
        uid = running[which % len(running)]
        ran = outcome not in {Outcome.NO_ACTION_NEEDED, Outcome.ABSTAINED, Outcome.OBSERVED}
        past, remediation = self.truth[uid], self.known[uid]
        past.completed, past.outcome, past.ran = self.now, outcome, ran
        status = RemediationStatus(
            outcome=outcome, completion_time=self.now, attempts=[started()] if ran else []
        )
        self.known[uid] = remediation.model_copy(update={"status": status})

    def forget(self) -> None:
        for gone in expired(self.entries(), self.now):
            del self.known[gone.uid]

    def counted_until(self, past: Past, budgets: Budgets) -> datetime:
        """Return until when a remediation is one of the last ones: twice the longest cool-down."""
        assert past.completed is not None
        longest = max(budgets.cooldown_seconds, budgets.max_cooldown_seconds)
        seconds = budgets.cooldown_seconds if past.outcome in SUCCESS else 2 * longest
        if budgets.max_workloads_percent < 100:
            seconds = max(seconds, budgets.workloads_window_seconds)
        return max(past.created + HOUR, past.completed + timedelta(seconds=seconds))

    def check(self, new: Past) -> None:
        """Judge a remediation that was just admitted by what truly happened before."""
        everything = [*self.truth.values()]
        (mine,) = [p for p in self.policies if p.metadata.name == new.policy.split("/")[1]]
        budgets = mine.spec.budgets
        for counted, at_once, hourly in (
            ([p for p in everything if p.policy == new.policy], budgets.max_concurrent,
             budgets.max_per_hour),
            (everything, LIMITS.max_concurrent, LIMITS.max_per_hour),
        ):  # fmt: skip
            assert sum(p.completed is None for p in counted) + 1 <= at_once
            assert sum(p.created > new.created - HOUR for p in counted) + 1 <= hourly
        same = [p for p in everything if p.target == new.target]
        assert all(p.completed is not None for p in same), "two on one target"
        in_a_row = 0
        counted_until = None
        for past in sorted(same, key=lambda p: (p.completed or NOW, p.created)):
            if counted_until is not None and past.created >= counted_until:
                in_a_row = 0
            counted_until = self.counted_until(past, budgets)
            if past.outcome in SUCCESS:
                in_a_row = 0
            elif past.outcome not in NEUTRAL:
                in_a_row += 1
        last = max(same, key=lambda p: (p.completed or NOW, p.created), default=None)
        if last is not None and last.outcome is not Outcome.NO_ACTION_NEEDED:
            rest = min(
                budgets.cooldown_seconds * 2**in_a_row,
                max(budgets.cooldown_seconds, budgets.max_cooldown_seconds),
            )
            assert last.completed is not None
            assert new.created - last.completed >= timedelta(seconds=rest)
        if budgets.max_workloads_percent < 100:
            since = new.created - timedelta(seconds=budgets.workloads_window_seconds)
            touched = {
                p.target
                for p in everything
                if p.ran and (p.completed is None or p.completed > since)
            }
            most = max(1, WORKLOADS * budgets.max_workloads_percent // 100)
            assert len(touched | {new.target}) <= most or new.target in touched


def pair(history: int, **budgets: Any) -> list[RemediationPolicy]:
    return [
        policy("one", faults=["a"], budgets=budgets, history_limit=history),
        policy("two", faults=["b"], budgets=budgets, history_limit=history),
    ]


worlds = st.builds(
    pair,
    history=st.sampled_from([0, 1, 50]),
    max_concurrent=st.integers(1, 3),
    max_per_hour=st.integers(1, 6),
    cooldown_seconds=st.sampled_from([0, 60, 900]),
    max_cooldown_seconds=st.sampled_from([0, 120, 3600, 20000]),
    max_workloads_percent=st.sampled_from([1, 25, 50, 100]),
    workloads_window_seconds=st.sampled_from([60, 1800, 7200]),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("file"), st.sampled_from("abcdef"), st.sampled_from("ab")),
        st.tuples(st.just("end"), st.integers(0, 9), st.sampled_from(Outcome)),
        st.tuples(
            st.just("wait"), st.sampled_from([0, 1, 59, 61, 600, 1801, 3600, 9000]), st.just(0)
        ),
        st.tuples(st.just("forget"), st.just(0), st.just(0)),
    ),
    min_size=30,
    max_size=80,
)


@settings(max_examples=80, deadline=None)
@given(policies=worlds, happens=steps)
def test_no_budget_is_ever_exceeded(
    policies: list[RemediationPolicy], happens: list[tuple[str, Any, Any]]
) -> None:
    world = World(policies)
    for number, (what, first, second) in enumerate(happens):
        if what == "file":
            world.file(number, first, second)
        elif what == "end":
            world.end(first, second)
        elif what == "wait":
            world.now += timedelta(seconds=first)
        else:
            world.forget()


@given(policies=worlds)
def test_a_report_that_has_waited_long_enough_is_taken(policies: list[RemediationPolicy]) -> None:
    """The other side: whatever the budgets are, they end."""
    world = World(policies)
    for number in range(12):
        world.file(number, "abcdef"[number % 6], "ab"[number % 2])
        world.end(0, Outcome.ROLLED_BACK)
        world.now += timedelta(days=2)
    assert len(world.truth) == 12


@given(
    ends=st.lists(st.sampled_from(Outcome), min_size=1, max_size=8),
    cooldown=st.sampled_from([1, 60, 700]),
    longest=st.sampled_from([0, 300, 20000]),
    history=st.sampled_from([0, 50]),
)
def test_the_rest_of_a_target_is_as_long_as_its_failures_in_a_row_ask(
    ends: list[Outcome], cooldown: int, longest: int, history: int
) -> None:
    budgets = {"cooldown_seconds": cooldown, "max_cooldown_seconds": longest}
    world = World(pair(history, max_per_hour=1000, **budgets))
    in_a_row = 0
    for number, outcome in enumerate(ends):
        world.file(2 * number, "a", "a")
        assert len(world.truth) == number + 1, "the target has rested, and is not taken"
        world.end(0, outcome)
        if outcome in SUCCESS:
            in_a_row = 0
        elif outcome not in NEUTRAL:
            in_a_row += 1
        rest = min(cooldown * 2**in_a_row, max(cooldown, longest))
        rest = 0 if outcome is Outcome.NO_ACTION_NEEDED else rest
        if rest:
            world.now += timedelta(seconds=rest - 0.5)
            world.forget()
            world.file(2 * number + 1, "a", "a")
            assert len(world.truth) == number + 1, "the target rests, and was taken"
            world.now += timedelta(seconds=0.5)
        # The operator's own budget of the hour is not what this is about.
        if number % 5 == 4:
            world.now += HOUR
            last = world.truth[f"rem-{2 * number}"]
            if world.now >= world.counted_until(last, world.policies[0].spec.budgets):
                in_a_row = 0
