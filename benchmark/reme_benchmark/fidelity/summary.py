"""How often the simulator and the real world agreed, by fault. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic import Field

from reme_benchmark.fidelity.comparison import Kind, agrees, agrees_on_cure, compare
from reme_benchmark.fidelity.records import Outcome, Plan, Simulated
from reme_benchmark.reports.statistics import wilson
from reme_benchmark.reports.templates import table
from reme_benchmark.scenarios.faults.model import Data

GOAL = 0.95


class Agreement(Data):
    """How often both worlds said the same of some playbooks."""

    trials: int
    agreed: int
    on_cure: int  # also about the fault itself, by the oracle
    verified: int  # in the real world
    kinds: dict[str, int] = Field(default_factory=dict)  # those that disagree

    @property
    def rate(self) -> float:
        """The share that agreed."""
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
    at_the_time: int  # of the whole, those on which the simulator of that day agreed
    by_fault: dict[str, Agreement]
    by_drawn: dict[str, Agreement]
    left_out: dict[str, str]  # faults that were not measured, and why


def summary(
    plan: Plan,
    outcomes: Iterable[tuple[Outcome, Simulated]],
    problems: Mapping[str, str],
) -> Fidelity:
    """Return the summary of trials with what the simulator says to each."""
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
        at_the_time=_agreement([(one, one.simulated) for one, _ in pairs]).agreed,
        by_fault={f: _agreement([p for p in pairs if p[0].fault == f]) for f in faults},
        by_drawn={
            drawn: _agreement([p for p in pairs if p[0].drawn.value == drawn])
            for drawn in sorted({one.drawn.value for one, _ in pairs})
        },
        left_out=dict(sorted({**plan.left_out, **missing}.items())),
    )


def _agreement(pairs: list[tuple[Outcome, Simulated]]) -> Agreement:
    kinds = [compare(one.real, said) for one, said in pairs]
    differing = Counter(kind.value for kind in kinds if not agrees(kind))
    return Agreement(
        trials=len(pairs),
        agreed=sum(map(agrees, kinds)),
        on_cure=sum(agrees_on_cure(one.real, said) for one, said in pairs),
        verified=sum(one.real.verified for one, _ in pairs),
        kinds=dict(sorted(differing.items())),
    )


def shown(found: Agreement) -> str:
    """Return a share with its Wilson interval, in per cent."""
    low, high = wilson(found.agreed, found.trials)
    return f"{found.agreed} ({100 * found.rate:.0f}%; {100 * low:.0f} to {100 * high:.0f})"


def rows(named: Mapping[str, Agreement]) -> list[tuple[str, ...]]:
    """Return the rows of a table of agreements."""
    hoped, missed, harm = Kind.HOPED.value, Kind.MISSED.value, Kind.HARM.value
    return [
        (
            name,
            str(one.trials),
            shown(one),
            str(one.verified),
            str(one.kinds.get(hoped, "")),
            str(one.kinds.get(missed, "")),
            str(one.kinds.get(harm, "")),
            f"{one.on_cure}",
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
    whole = rows({"all": fidelity.whole, **fidelity.by_drawn})
    return "\n\n".join(
        [table(("", *HEADS), whole), table(("fault", *HEADS), rows(fidelity.by_fault))]
    )


def text(fidelity: Fidelity) -> str:
    """Return the tables, and the faults that were not measured."""
    parts = [tables(fidelity)]
    if fidelity.left_out:
        parts.append(table(("not measured", "reason"), list(fidelity.left_out.items())))
    return "\n\n".join(parts)
