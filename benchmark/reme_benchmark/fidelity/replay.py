"""Asks today's simulator about every trial of a measurement, without a cluster."""

from collections.abc import Iterator
from typing import NamedTuple

from reme_benchmark.fidelity.comparison import agrees, compare, simulated
from reme_benchmark.fidelity.records import Outcome, Simulated
from reme_benchmark.fidelity.store import Outcomes
from reme_benchmark.fidelity.summary import Fidelity, summary


class Replayed(NamedTuple):
    """What today's simulator says to a measurement."""

    summary: Fidelity
    lines: tuple[str, ...]  # one for each trial on which the worlds differ


def replayed(store: Outcomes) -> Replayed:
    """Return the summary, and the disagreements one by one.

    Raises:
        ResultsError: nothing was measured there.
    """
    plan = store.plan()
    pairs = [(one, simulated(store.inputs(one))) for one in store.outcomes()]
    problems = {problem.fault: problem.message for problem in store.problems()}
    return Replayed(summary(plan, pairs, problems), tuple(_differing(pairs)))


def _differing(pairs: list[tuple[Outcome, Simulated]]) -> Iterator[str]:
    for one, said in pairs:
        kind = compare(one.real, said)
        if not agrees(kind):
            words = ", ".join(_shown(action) for action in one.actions)
            yield (
                f"{one.id} {one.service} {words}: {kind}; "
                f"real: {one.real.refused or one.real.message} harmed {list(one.real.harmed)}; "
                f"simulated: {'; '.join(said.missing) or 'well'} harmed {list(said.harmed)}"
            )


def _shown(action: dict[str, object]) -> str:
    rest = {k: v for k, v in action.items() if k not in ("action", "target") and v is not None}
    return f"{action['action']} {rest}" if rest else str(action["action"])
