"""Summarises a measurement: how often the simulator and the real cluster agreed, by fault."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pydantic import Field

from reme_benchmark.fidelity.comparison import (
    AgreementKind,
    agrees,
    agrees_on_cure,
    compare,
    simulated,
)
from reme_benchmark.fidelity.records import Outcome, Plan, Simulated
from reme_benchmark.fidelity.store import Outcomes
from reme_benchmark.reports.statistics import wilson
from reme_benchmark.reports.templates import table
from reme_benchmark.scenarios.faults.model import Data

GOAL = 0.95


class Agreement(Data):
    """How often both outcomes agreed on some playbooks."""

    trials: int
    agreed: int
    agreed_on_cure: int  # also that the fault is gone, as the oracle measures it
    verified: int  # in the real cluster
    kinds: dict[str, int] = Field(default_factory=dict)  # of disagreements

    @property
    def rate(self) -> float:
        """The share of trials that agreed."""
        return self.agreed / self.trials if self.trials else 0.0


class Fidelity(Data):
    """The summary of a measurement."""

    system: str
    seed: int
    planned: int
    window_seconds: float
    commit: str
    dirty: bool
    whole: Agreement
    agreed_at_trial_time: int  # trials on which the simulator of that time agreed
    by_fault: dict[str, Agreement]
    by_origin: dict[str, Agreement]
    left_out: dict[str, str]  # reason by fault that was not measured


def summary(
    plan: Plan,
    outcomes: Iterable[tuple[Outcome, Simulated]],
    problems: Mapping[str, str],
) -> Fidelity:
    """Return the summary of trials with their simulated outcomes. Pure."""
    pairs = list(outcomes)
    faults = sorted({one.fault for one, _ in pairs})
    missing = {f: problems.get(f, "not yet") for f in plan.faults if f not in faults}
    return Fidelity(
        system=plan.system,
        seed=plan.seed,
        planned=plan.count,
        window_seconds=plan.window_seconds,
        commit=plan.commit,
        dirty=plan.dirty,
        whole=_agreement(pairs),
        agreed_at_trial_time=_agreement([(one, one.simulated) for one, _ in pairs]).agreed,
        by_fault={f: _agreement([p for p in pairs if p[0].fault == f]) for f in faults},
        by_origin={
            origin: _agreement([p for p in pairs if p[0].origin.value == origin])
            for origin in sorted({one.origin.value for one, _ in pairs})
        },
        left_out=dict(sorted({**plan.left_out, **missing}.items())),
    )


def _agreement(pairs: list[tuple[Outcome, Simulated]]) -> Agreement:
    kinds = [compare(one.real, prediction) for one, prediction in pairs]
    differing = Counter(kind.value for kind in kinds if not agrees(kind))
    return Agreement(
        trials=len(pairs),
        agreed=sum(map(agrees, kinds)),
        agreed_on_cure=sum(agrees_on_cure(one.real, prediction) for one, prediction in pairs),
        verified=sum(one.real.verified for one, _ in pairs),
        kinds=dict(sorted(differing.items())),
    )


def describe(agreement: Agreement) -> str:
    """Return a share with its Wilson interval, in per cent."""
    low, high = wilson(agreement.agreed, agreement.trials)
    return f"{agreement.agreed} ({100 * agreement.rate:.0f}%; {100 * low:.0f} to {100 * high:.0f})"


def rows(named: Mapping[str, Agreement]) -> list[tuple[str, ...]]:
    """Return the rows of a table of agreements."""
    return [
        (
            name,
            str(one.trials),
            describe(one),
            str(one.verified),
            str(one.kinds.get(AgreementKind.ONLY_SIMULATED, "")),
            str(one.kinds.get(AgreementKind.ONLY_REAL, "")),
            str(one.kinds.get(AgreementKind.HARM, "")),
            f"{one.agreed_on_cure}",
        )
        for name, one in named.items()
    ]


HEADS = (
    "playbooks",
    "agreed",
    "really verified",
    "only simulated",
    "only real",
    "harm differs",
    "agreed with the oracle",
)


def tables(fidelity: Fidelity) -> str:
    """Return the agreement by origin of the playbooks and by fault, as Markdown."""
    whole = rows({"all": fidelity.whole, **fidelity.by_origin})
    return "\n\n".join(
        [table(("", *HEADS), whole), table(("fault", *HEADS), rows(fidelity.by_fault))]
    )


def text(fidelity: Fidelity) -> str:
    """Return the tables, and the faults that were not measured."""
    parts = [tables(fidelity)]
    if fidelity.left_out:
        parts.append(table(("not measured", "reason"), list(fidelity.left_out.items())))
    return "\n\n".join(parts)


class Replayed(NamedTuple):
    """A measurement with the outcomes of the current simulator."""

    summary: Fidelity
    lines: tuple[str, ...]  # one per disagreement


def replayed(store: Outcomes) -> Replayed:
    """Repeat the simulation of every trial; return the summary and the disagreements.

    Raises:
        ResultsError: the directory holds no measurement.
    """
    plan = store.plan()
    pairs = [(one, simulated(store.inputs(one))) for one in store.outcomes()]
    problems = {problem.fault: problem.message for problem in store.problems()}
    return Replayed(summary(plan, pairs, problems), tuple(_disagreements(pairs)))


def _disagreements(pairs: list[tuple[Outcome, Simulated]]) -> Iterator[str]:
    for one, prediction in pairs:
        kind = compare(one.real, prediction)
        if not agrees(kind):
            words = ", ".join(_describe_action(action) for action in one.actions)
            yield (
                f"{one.id} {one.service} {words}: {kind}; "
                f"real: {one.real.refused or one.real.message} harmed {list(one.real.harmed)}; "
                f"simulated: {'; '.join(prediction.missing) or 'repaired'} "
                f"harmed {list(prediction.harmed)}"
            )


def _describe_action(action: dict[str, object]) -> str:
    rest = {k: v for k, v in action.items() if k not in ("action", "target") and v is not None}
    return f"{action['action']} {rest}" if rest else str(action["action"])
