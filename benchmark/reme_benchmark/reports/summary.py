"""Counts a run's results. Pure: the same files give the same figures.

Every case that the cluster can have is in the denominator, also where the injection or the harness
failed: leaving those out would let a fragile harness look like a good method.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from reme_benchmark.reports.failure_causes import acted, cause_of, effect_gone
from reme_benchmark.reports.statistics import bootstrap, median
from reme_benchmark.reports.summary_model import (
    Abstention,
    Agreement,
    Cost,
    FalseActions,
    Flakes,
    NotApplicable,
    Range,
    Share,
    Spread,
    Summary,
    Times,
    UserImpactSummary,
)
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.model import Fault, Published
from reme_benchmark.scoring.records import CaseResult, Run, State, Timing, Tokens

HEALTHY = "healthy"
_MICROREMED = frozenset(str(check) for check in Published)
# Ended without a playbook because something stopped it, not because it chose to do nothing.
_STOPPED = frozenset({"Rejected", "Failed", "TimedOut", "Cancelled", "NotAccepted"})


def summarize(
    run: Run, results: Iterable[CaseResult], faults: Mapping[str, Fault] | None = None
) -> Summary:
    """Return the figures of a run, also of one that has not ended yet.

    `faults` is the catalogue by id: it gives the group of a fault, and whether MicroRemed has a
    check for one whose every injection failed. Without it groups are left out, and a fault counts
    as MicroRemed's when it has that name or any of its cases was judged so.
    """
    ended = list(results)
    counted = [r for r in ended if r.state is not State.NOT_APPLICABLE]
    judged = [r for r in counted if r.state is State.JUDGED]
    known = faults or {}
    groups = group_by_case(counted)
    return Summary(
        suite=run.suite,
        method=run.method,
        seed=run.seed,
        strict=_share(counted),
        published=_published(counted, known),
        complete={r.case.id for r in ended} >= {case.id for case in run.cases},
        planned=len(run.cases),
        ended=len(ended),
        states={str(state): sum(r.state is state for r in ended) for state in State},
        not_applicable=[
            NotApplicable(case=r.case.id, about=r.case.key, reason=r.message)
            for r in ended
            if r.state is State.NOT_APPLICABLE
        ],
        repairs=_share([r for r in counted if r.case.control is None]),
        controls=_share([r for r in counted if r.case.control is not None]),
        by_fault=_by(counted, _fault),
        by_system=_by(counted, lambda r: r.case.system),
        by_group=_by(counted, lambda r: _group(r, known)),
        by_quality=_by(counted, lambda r: r.case.quality),
        by_control=_by(counted, lambda r: r.case.control),
        by_split=_by(counted, lambda r: r.case.split),
        causes=_causes(counted, known),
        false_actions=_false_actions(judged),
        abstention=_abstention(judged),
        agreement=_agreement(judged),
        time=_times(judged),
        users=_user_impact(judged),
        cost=_cost(judged),
        flakes=_flakes(groups),
        bootstrap=_bootstrap(groups, run.seed),
        model=run.model
        or ", ".join(sorted({r.method_report.model for r in ended if r.method_report.model})),
        **run.model_dump(
            include={
                "method_options",
                "commit",
                "dirty",
                "images",
                "cluster",
                "hardware",
                "start_time",
                "completion_time",
            }
        ),
    )


def abstained(result: CaseResult) -> bool:
    """Return whether the method chose to do nothing; what was stopped did not choose."""
    method_report = result.method_report
    return not (
        acted(result)
        or method_report.error
        or method_report.rejected
        or method_report.outcome in _STOPPED
    )


def has_published(results: Iterable[CaseResult], faults: Mapping[str, Fault]) -> set[str]:
    """Return the faults for which MicroRemed has a check."""
    names = {r.case.fault for r in results if r.published is not None}
    names |= {name for name, fault in faults.items() if fault.published is not None}
    if not faults:
        names |= _MICROREMED
    return {name for name in names if name}


def _share(results: Sequence[CaseResult]) -> Share:
    return Share.of(sum(r.passed for r in results), len(results))


def _published(counted: Sequence[CaseResult], faults: Mapping[str, Fault]) -> Share:
    """Return the rate by MicroRemed's own checks.

    A case without a verdict counts as not passed where its fault has such a check and the
    injection or the harness failed. Controls are ours alone.
    """
    theirs = has_published(counted, faults)
    cases = [
        r
        for r in counted
        if r.published is not None
        or (r.state is not State.JUDGED and r.case.fault in theirs and r.case.control is None)
    ]
    passed = sum(r.published is not None and r.published.passed for r in cases)
    return Share.of(passed, len(cases))


def _by(results: Iterable[CaseResult], key: Callable[[CaseResult], str | None]) -> dict[str, Share]:
    groups: dict[str, list[CaseResult]] = {}
    for result in results:
        if name := key(result):
            groups.setdefault(str(name), []).append(result)
    return {name: _share(groups[name]) for name in sorted(groups)}


def _fault(result: CaseResult) -> str | None:
    """Return the fault to be repaired: what a control does is counted by control."""
    return (result.case.fault or HEALTHY) if result.case.control is None else None


def _group(result: CaseResult, faults: Mapping[str, Fault]) -> str | None:
    if result.case.control is not None:
        return "control"
    fault = faults.get(result.case.fault or "")
    return str(fault.group) if fault else None


def _causes(counted: Iterable[CaseResult], faults: Mapping[str, Fault]) -> dict[str, int]:
    """Return how often each cause made a case fail, the most frequent first."""
    counts = Counter(
        r.cause or str(cause_of(r, faults.get(r.case.fault or ""))) for r in counted if not r.passed
    )
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _false_actions(judged: Iterable[CaseResult]) -> FalseActions:
    controls = [r for r in judged if r.case.control is not None]
    wrong = [r.case.id for r in controls if acted(r)]
    return FalseActions(acted=len(wrong), controls=len(controls), cases=wrong)


def _abstention(judged: Iterable[CaseResult]) -> Abstention:
    cases = [(abstained(r), r.case.control is not None) for r in judged]
    chose = sum(did for did, _ in cases)
    controls = sum(should for _, should in cases)
    right = sum(did and should for did, should in cases)
    return Abstention(
        abstained=chose,
        right=right,
        controls=controls,
        precision=right / chose if chose else None,
        recall=right / controls if controls else None,
    )


def _agreement(judged: Iterable[CaseResult]) -> Agreement:
    counts = Counter((r.passed, r.published.passed) for r in judged if r.published is not None)
    return Agreement(
        both=counts[True, True],
        strict_only=counts[True, False],
        published_only=counts[False, True],
        neither=counts[False, False],
    )


def _times(judged: Sequence[CaseResult]) -> Times:
    harness = {
        name: [float(getattr(r.timing, name)) for r in judged] for name in Timing.model_fields
    }
    method: dict[str, list[float]] = {}
    for result in judged:
        for name, seconds in result.method_report.steps.items():
            method.setdefault(name, []).append(seconds)
    return Times(
        harness=_spreads(harness),
        method=_spreads(method),
        overhead_seconds=median([r.timing.overhead for r in judged]),
        repaired_seconds=median(
            [s for r in judged if acted(r) and (s := r.repaired_seconds) is not None]
        ),
    )


def _spreads(values: Mapping[str, list[float]]) -> dict[str, Spread]:
    return {name: spread for name, seconds in values.items() if (spread := Spread.of(seconds))}


def _user_impact(judged: Sequence[CaseResult]) -> UserImpactSummary:
    served = [r.users.served_again_seconds for r in judged]
    # Where the effect remains, what the fault itself changed is among the changes.
    gone = [r for r in judged if r.strict is not None and effect_gone(r.strict)]
    changed = [{c.object for c in r.changes if not c.allowed} for r in gone]
    return UserImpactSummary(
        served_again_seconds=median([s for s in served if s is not None]),
        never_served_again=sum(s is None for s in served),
        failed_requests=sum(r.users.failed_requests for r in judged),
        failed_requests_median=median([r.users.failed_requests for r in judged]),
        pods_replaced=sum(r.pods_replaced for r in judged),
        pods_replaced_median=median([r.pods_replaced for r in judged]),
        restarts=sum(r.restarts for r in judged),
        objects_left_changed=sum(len(objects) for objects in changed),
        cases_left_changed=sum(bool(objects) for objects in changed),
    )


def _cost(judged: Sequence[CaseResult]) -> Cost:
    used = [r.method_report.tokens for r in judged]
    token_counts = [t.prompt + t.completion for t in used if t.prompt or t.completion]
    proposed = sum(max(len(r.method_report.playbooks), r.method_report.rejected) for r in judged)
    rejected = sum(r.method_report.rejected for r in judged)
    return Cost(
        tokens=Tokens(
            prompt=sum(t.prompt for t in used),
            cached=sum(t.cached for t in used),
            completion=sum(t.completion for t in used),
        ),
        tokens_median=median(token_counts),
        attempts=sum(r.method_report.attempts for r in judged),
        playbooks=proposed,
        rejected=rejected,
        rejected_share=rejected / proposed if proposed else None,
    )


def content_key(case: Case) -> str:
    """Return a digest of everything that makes the case what it is, but for its id."""
    content = case.model_dump(mode="json", exclude={"id"})
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def group_by_case(results: Iterable[CaseResult]) -> list[list[CaseResult]]:
    """Return the results by case, in the order of their first."""
    groups: dict[str, list[CaseResult]] = {}
    for result in results:
        groups.setdefault(content_key(result.case), []).append(result)
    return list(groups.values())


def _flakes(groups: Iterable[list[CaseResult]]) -> Flakes:
    """Return how many of the repeated cases did not always end alike."""
    repeated = [group for group in groups if len(group) > 1]
    flaky = [group[0].case.id for group in repeated if len({r.passed for r in group}) > 1]
    return Flakes(
        repeated=len(repeated),
        flaky=len(flaky),
        rate=len(flaky) / len(repeated) if repeated else None,
        cases=flaky,
    )


def _bootstrap(groups: list[list[CaseResult]], seed: int) -> Range | None:
    """Return the interval of the strict rate when cases were repeated, else nothing.

    Wilson's takes every run for an independent case, which repeats are not.
    """
    if all(len(group) < 2 for group in groups):
        return None
    interval = bootstrap([[float(r.passed) for r in group] for group in groups], seed=seed)
    return Range(low=interval.low, high=interval.high, cases=len(groups)) if interval else None
