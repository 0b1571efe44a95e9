"""Metrics of replies with confidence intervals, in total and by kind and fault of the incidents."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from reme_lab.training.dataset import ABSTENTIONS, Incident
from reme_model.inference.errors import ReplyError
from reme_model.inference.reply import parse_reply

_Z = 1.959963984540054  # for 95%


class Rate(NamedTuple):
    """A proportion with its 95% Wilson interval."""

    passed: int
    cases: int
    rate: float
    low: float
    high: float


def rate(passed: int, cases: int) -> Rate:
    """Return the proportion and its interval; (0, 1) without cases."""
    if cases == 0:
        return Rate(0, 0, 0.0, 0.0, 1.0)
    share = passed / cases
    center = share + _Z**2 / (2 * cases)
    spread = _Z * math.sqrt(share * (1 - share) / cases + _Z**2 / (4 * cases**2))
    scale = 1 + _Z**2 / cases
    low, high = (center - spread) / scale, (center + spread) / scale
    return Rate(passed, cases, share, max(0.0, low), min(1.0, high))


@dataclass(frozen=True)
class Outcome:
    """One reply to one incident."""

    incident: Incident
    reply: str

    @property
    def exact(self) -> bool:
        """Whether the reply equals the expected one, except for whitespace."""
        return compact(self.reply) == self.incident.answer

    @property
    def acceptable(self) -> bool:
        """Whether the reply is one of the accepted ones."""
        return compact(self.reply) in self.incident.good

    @property
    def valid(self) -> bool:
        """Whether the reply can be parsed, and is a possible one if those are known."""
        try:
            parse_reply(self.reply)
        except ReplyError:
            return False
        possible = self.incident.possible
        return not possible or compact(self.reply) in possible or self.acceptable

    @property
    def abstained(self) -> bool:
        """Whether the reply is an abstention."""
        return compact(self.reply) in ABSTENTIONS

    @property
    def should_abstain(self) -> bool:
        """Whether the expected reply is an abstention."""
        return self.incident.answer in ABSTENTIONS

    @property
    def reward(self) -> float | None:
        """The reward of the reply, if the incident lists rewards."""
        return self.incident.reward(compact(self.reply)) if self.incident.candidates else None


def compact(reply: str) -> str:
    """Return a reply as compact JSON; a reply that is not JSON stays as it is."""
    try:
        return json.dumps(json.loads(reply), separators=(",", ":"), ensure_ascii=False)
    except ValueError:
        return reply


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return all metrics of a set of replies."""
    abstained = [outcome for outcome in outcomes if outcome.abstained]
    expected_abstentions = [outcome for outcome in outcomes if outcome.should_abstain]
    rewards = [outcome.reward for outcome in outcomes if outcome.reward is not None]
    return {
        "exact": _share(outcomes, lambda outcome: outcome.exact),
        "acceptable": _share(outcomes, lambda outcome: outcome.acceptable),
        "invalid": _share(outcomes, lambda outcome: not outcome.valid),
        "abstention_precision": _share(abstained, lambda outcome: outcome.should_abstain),
        "abstention_recall": _share(expected_abstentions, lambda outcome: outcome.abstained),
        "false_action": _share(expected_abstentions, lambda outcome: not outcome.abstained),
        "mean_reward": sum(rewards) / len(rewards) if rewards else None,
        "by_kind": _grouped(outcomes, lambda outcome: outcome.incident.kind),
        "by_quality": _grouped(outcomes, lambda outcome: outcome.incident.quality),
        "by_fault": _grouped(outcomes, lambda outcome: outcome.incident.fault),
    }


def _share(outcomes: Sequence[Outcome], condition: Callable[[Outcome], bool]) -> dict[str, Any]:
    return rate(sum(map(condition, outcomes)), len(outcomes))._asdict()


def _grouped(outcomes: Iterable[Outcome], key: Callable[[Outcome], str]) -> dict[str, Any]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(key(outcome), []).append(outcome)
    return {
        name: _share(group, lambda outcome: outcome.acceptable)
        for name, group in sorted(groups.items())
        if name
    }


def table(result: dict[str, Any]) -> str:
    """Return the metrics of a result file as a Markdown table."""
    modes = result["modes"]
    lines = ["| | " + " | ".join(modes) + " |", "|---|" + "---|" * len(modes)]
    named = {
        "exact": "exactly the expert's reply",
        "acceptable": "an acceptable reply",
        "invalid": "invalid",
        "abstention_precision": "abstention: precision",
        "abstention_recall": "abstention: recall",
        "false_action": "acted where nothing was to be done",
    }
    for key, name in named.items():
        cells = [_cell(figures[key]) for figures in modes.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    if any(figures["mean_reward"] is not None for figures in modes.values()):
        cells = [f"{figures['mean_reward']:.3f}" for figures in modes.values()]
        lines.append("| mean reward in the simulator | " + " | ".join(cells) + " |")
    for group in ("by_kind", "by_quality", "by_fault"):
        for name in next(iter(modes.values()))[group]:
            cells = [_cell(figures[group][name]) for figures in modes.values()]
            lines.append(f"| {group.removeprefix('by_')} {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(share: dict[str, Any]) -> str:
    if not share["cases"]:
        return "none"
    low, high = 100 * share["low"], 100 * share["high"]
    return f"{share['passed']} of {share['cases']} ({low:.0f} to {high:.0f}%)"
