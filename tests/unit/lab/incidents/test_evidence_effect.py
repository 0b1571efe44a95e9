"""The evidence rules against drawn incidents: they never take away what repairs one."""

from functools import cache

from reme_lab.incidents.evidence_effect import Effect, markdown, measure
from reme_lab.incidents.incident import DroppedIncident, make_incident
from reme_lab.incidents.rng import Split
from reme_playbook.policy.evidence_rules import RULES, Evidence, refusal


@cache
def effect() -> Effect:
    return measure(400, "evidence", graded=False)


def test_no_incident_loses_its_repairs_by_the_rules() -> None:
    assert effect().repairable > 200
    assert effect().without_repair == []
    assert effect().without_best_repair == []


def test_the_rules_take_away_a_part_of_the_space() -> None:
    offered, refused = sum(effect().offered.values()), sum(effect().refused.values())
    assert refused > offered / 6


def test_what_the_rules_refuse_is_rarely_what_helps() -> None:
    graded = measure(60, "graded")
    assert graded.refused["useless"] > graded.offered["useless"] / 3
    # One pod of several that nothing tells from the others may be the slow one by chance.
    assert graded.refused["helps"] <= graded.offered["helps"] * 0.04


def test_every_rule_is_in_the_table() -> None:
    text = markdown(effect())
    assert all(f"| `{rule.name}` |" in text for rule in RULES)


def test_an_incident_offers_what_the_evidence_allows() -> None:
    for number in range(40):
        try:
            incident = make_incident(f"offered/{number}", Split.TRAIN)
        except DroppedIncident:
            continue
        evidence = Evidence(incident.source.live)
        assert all(refusal(action, evidence) is None for action in incident.source.space)
