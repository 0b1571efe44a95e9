"""Measures what the evidence rules take away: python -m reme_lab.incidents.evidence_effect.

Incidents are drawn as if there were no rules. A rule is right as long as it leaves each incident an
accepted repair, and useful as far as it takes away actions that do not help.
"""

import argparse
from collections import Counter
from dataclasses import dataclass, field

from reme_lab.incidents.incident import DroppedIncident, Incident, make_incident
from reme_lab.incidents.rng import Split
from reme_model.prompt.messages import render_reply
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.policy.evidence_rules import RULES, Evidence, check_evidence, refusal

_HARMFUL = -0.5


@dataclass
class Effect:
    """What the rules take away, in sums over incidents."""

    incidents: int = 0
    repairable: int = 0
    without_repair: list[str] = field(default_factory=list)
    """Seeds of incidents of which the rules refuse every accepted repair."""
    without_best_repair: list[str] = field(default_factory=list)
    offered: Counter[str] = field(default_factory=Counter)
    """Actions that the policy allows, by their worth: helps, useless or harmful."""
    refused: Counter[str] = field(default_factory=Counter)
    refused_by_rule: Counter[str] = field(default_factory=Counter)

    def add(self, incident: Incident) -> None:
        """Add an incident that was drawn without the rules."""
        source = incident.source
        evidence = Evidence(source.live)
        refused = {action for action in source.space if refusal(action, evidence)}
        self.incidents += 1
        for action in source.space:
            error = refusal(action, evidence)
            worth = _worth(incident, render_reply([action]))
            self.offered[worth] += 1
            if error is not None:
                self.refused[worth] += 1
                self.refused_by_rule[error.evidence_rule.name] += 1
        if not source.accepted:
            return
        self.repairable += 1
        possible = []
        for actions in source.accepted:
            try:
                check_evidence(actions, source.live)
            except RejectedPlaybookError:
                possible.append(False)
            else:
                possible.append(not refused & set(actions))
        if not any(possible):
            self.without_repair.append(f"{incident.fault} {incident.seed}")
        elif not possible[0]:
            self.without_best_repair.append(f"{incident.fault} {incident.seed}")


def measure(count: int, seed: str, *, graded: bool = True) -> Effect:
    """Return the effect of the rules on so many incidents; ungraded, all actions count as useless.

    Grading tries every action in the simulator.
    """
    effect, number = Effect(), 0
    while effect.incidents < count:
        number += 1
        try:
            incident = make_incident(
                f"{seed}/{number}", Split.TRAIN, candidates=graded, with_evidence=False
            )
        except DroppedIncident:
            continue
        effect.add(incident)
    return effect


def markdown(effect: Effect) -> str:
    """Return the tables of the documentation."""
    lines = ["| actions | offered | refused |", "|---|---|---|"]
    for worth in ("useless", "harmful", "helps"):
        offered, refused = effect.offered[worth], effect.refused[worth]
        lines.append(f"| {worth} | {offered} | {refused} ({100 * refused // max(offered, 1)} %) |")
    before, after = sum(effect.offered.values()), sum(effect.refused.values())
    summary = (
        f"{effect.incidents} incidents, {effect.repairable} of them with an accepted repair;"
        f" {len(effect.without_repair)} lose all accepted repairs,"
        f" {len(effect.without_best_repair)} the best one. The space shrinks from"
        f" {before / effect.incidents:.1f} to {(before - after) / effect.incidents:.1f} actions."
    )
    lines += [
        "",
        summary,
        "",
        "| rule | actions refused |",
        "|---|---|",
        *(f"| `{rule.name}` | {effect.refused_by_rule[rule.name]} |" for rule in RULES),
    ]
    return "\n".join(lines)


def _worth(incident: Incident, reply: str) -> str:
    reward = (incident.candidates or {}).get(reply, 0.0)
    if reward > 0:
        return "helps"
    return "harmful" if reward <= _HARMFUL else "useless"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="reme_lab.incidents.evidence_effect", description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="number of incidents")
    parser.add_argument("--seed", default="evidence")
    arguments = parser.parse_args()
    effect = measure(arguments.count, arguments.seed)
    print(markdown(effect))
    for title, seeds in (
        ("lose all repairs", effect.without_repair),
        ("lose the best repair", effect.without_best_repair),
    ):
        for one in seeds:
            print(f"{title}: {one}")


if __name__ == "__main__":
    main()
