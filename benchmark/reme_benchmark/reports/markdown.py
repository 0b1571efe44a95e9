"""Writes the summary of a run as Markdown, for `summary.md` and the terminal."""

from collections.abc import Sequence

from reme_benchmark.reports import formatting
from reme_benchmark.reports.summary_model import Spread, Summary
from reme_benchmark.reports.templates import render
from reme_benchmark.scoring.records import CaseResult, Run, State

_MOST_FAILURES = 60
_LONGEST_REASON = 160


def markdown(run: Run, results: Sequence[CaseResult], summary: Summary) -> str:
    """Return the summary of a run."""
    states = {formatting.STATES[State(name)]: n for name, n in summary.states.items() if n}
    failed = [r for r in results if r.state is State.JUDGED and not r.passed]
    return render(
        "summary.md.j2",
        run=run,
        summary=summary,
        states=", ".join(f"{count} {state}" for state, count in states.items()),
        steps=_steps(summary),
        causes=[(c, n, formatting.cause_meaning(c)) for c, n in summary.causes.items()],
        failures=[
            (r.case.id, r.case.key, formatting.cause(r), formatting.reason(r)[:_LONGEST_REASON])
            for r in failed[:_MOST_FAILURES]
        ],
        more_failures=max(0, len(failed) - _MOST_FAILURES),
        not_judged=[
            (r.case.id, r.case.key, formatting.STATES[r.state], r.message[:_LONGEST_REASON])
            for r in results
            if r.state is not State.JUDGED
        ],
        environment=[
            ("commit", formatting.commit(summary)),
            ("model", summary.model or "not known"),
            *((f"image {name}", digest) for name, digest in summary.images.items()),
            *((f"cluster: {name}", entry) for name, entry in summary.cluster.items()),
            *((f"hardware: {name}", entry) for name, entry in summary.hardware.items()),
        ],
    )


def _steps(summary: Summary) -> list[tuple[str, Spread]]:
    harness = summary.time.harness
    order = [name for name in (*formatting.HARNESS_STEPS, "total") if name in harness]
    return [
        *((name, harness[name]) for name in order),
        *((f"method: {name}", spread) for name, spread in summary.time.method.items()),
    ]
