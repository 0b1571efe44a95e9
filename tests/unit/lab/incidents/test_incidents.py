"""Incidents are reproducible from their seed, distinct, correct, and prompted like real ones."""

import json
from itertools import count

import jsonschema
import pytest

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_lab.incidents import names, snapshot
from reme_lab.incidents.background_noise import pod_states
from reme_lab.incidents.broken_system import FaultMaker
from reme_lab.incidents.faults.catalog import ABSTENTIONS, FAULTS
from reme_lab.incidents.grader import Grader
from reme_lab.incidents.incident import (
    NOT_SIMULATED,
    POLICY,
    DroppedIncident,
    Incident,
    Kind,
    make_incident,
)
from reme_lab.incidents.report import ReportQuality, write_report
from reme_lab.incidents.rng import Rng, Split
from reme_lab.incidents.system import System
from reme_model.inference.reply import Abstention, Playbook, parse_reply
from reme_model.prompt.context import describe_incident
from reme_model.prompt.messages import TRAINED, PromptStyle, build_messages, render_reply
from reme_model.prompt.schema import Abstain, reply_schema
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.policy.validation import validate

MAKERS: dict[str, FaultMaker] = {
    **FAULTS,
    **{name: maker for name, (_, maker) in ABSTENTIONS.items()},
}


def sample_incidents(number: int, *, candidates: bool = False) -> list[Incident]:
    incidents: list[Incident] = []
    for place in count():
        if len(incidents) == number:
            return incidents
        try:
            incidents.append(make_incident(f"test/{place}", Split.TRAIN, candidates=candidates))
        except DroppedIncident:
            continue
    raise AssertionError("count does not end")


TRACES = sample_incidents(60)


def test_one_seed_gives_one_incident() -> None:
    again = [make_incident(incident.seed, incident.split) for incident in TRACES[:20]]
    assert [t.record() for t in again] == [t.record() for t in TRACES[:20]]
    assert len({incident.id for incident in TRACES}) == len(TRACES)


def test_the_question_is_the_trained_one() -> None:
    for incident in TRACES:
        case = incident.source
        context = describe_incident(case.live, case.report, case.previous, case.measured)
        assert incident.messages == build_messages(context, case.space, PromptStyle.TRAINED)
        assert [m["role"] for m in incident.messages] == ["system", "user"]
        assert incident.messages[0]["content"] == TRAINED


def test_every_answer_is_one_that_the_grammar_and_the_gate_let_through() -> None:
    for incident in TRACES:
        schema = reply_schema(incident.source.space)
        for answer in incident.acceptable:
            jsonschema.validate(json.loads(answer), schema)
            reply = parse_reply(answer)
            if isinstance(reply, Abstention):
                assert incident.source.abstain == reply.reason
                continue
            assert isinstance(reply, Playbook)
            actions = compile_playbook(reply.text)
            assert render_reply(actions) == answer
            validate(actions, POLICY, incident.source.live)


def test_an_action_that_was_tried_is_not_offered_again() -> None:
    seconds = [incident for incident in sample_incidents(60) if incident.kind is Kind.SECOND]
    assert seconds
    for incident in seconds:
        (attempt,) = incident.source.previous
        assert attempt.actions[0] not in {action.summary() for action in incident.source.space}
        assert f"attempt 1: {attempt.actions[0][:40]}" in incident.messages[-1]["content"]


def test_nothing_wrong_is_no_reason_to_act() -> None:
    for incident in TRACES:
        if incident.messages[-1]["content"].endswith("wrong: nothing"):
            assert incident.source.abstain is not None, incident.seed


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_the_best_repair_of_each_fault_is_verified_and_harms_nothing(fault: str) -> None:
    judged = 0
    for place in range(12):
        rng = Rng(f"{fault}/{place}", Split.TRAIN)
        system = System(rng)
        incident = FAULTS[fault](rng, system)
        if incident is None:
            continue
        live = snapshot.snapshot_of(system)
        report, _ = write_report(rng, incident, ReportQuality.FULL)
        grader = Grader(incident, live, report.probes)
        space = allowed_actions(live, POLICY)
        expected = [wished.find_in(space) for wished in incident.repairs[0]]
        actions = [action for action in expected if action is not None]
        if len(actions) != len(expected):
            continue
        verdict = grader.verdict(actions)
        assert grader.problems
        assert verdict.good, (verdict.missing, verdict.side_effects)
        judged += 1
    assert judged


@pytest.mark.parametrize("fault", sorted(set(ABSTENTIONS) - NOT_SIMULATED))
def test_where_to_abstain_is_right_no_action_is_good(fault: str) -> None:
    rng = Rng(f"{fault}/1", Split.TRAIN)
    system = System(rng)
    incident = ABSTENTIONS[fault][1](rng, system)
    assert incident is not None
    assert incident.abstain is not None
    live = snapshot.snapshot_of(system)
    grader = Grader(incident, live, write_report(rng, incident, ReportQuality.FULL)[0].probes)
    if incident.abstain is Abstain.NO_ACTION:
        assert not any(grader.verdict([action]).good for action in allowed_actions(live, POLICY))
    else:
        assert not grader.problems_without_probes


def test_candidates_tell_good_from_useless() -> None:
    for incident in sample_incidents(12, candidates=True):
        assert incident.candidates is not None
        answer = incident.candidates[incident.acceptable[0]]
        assert answer == max(incident.candidates.values()) or incident.source.abstain is None
        assert answer >= 0.5
        if incident.source.abstain is None:
            assert incident.candidates['{"abstain":"healthy"}'] < 0


@pytest.mark.parametrize("quality", ReportQuality)
def test_a_bare_report_holds_no_more_than_the_fault(quality: ReportQuality) -> None:
    rng = Rng("bare", Split.TRAIN)
    incident = FAULTS["pod-fail"](rng, System(rng))
    assert incident is not None
    report: DiagnosisReportSpec = write_report(rng, incident, quality)[0]
    bare = not report.fault.summary and not report.evidence
    assert bare == (quality is ReportQuality.BARE)


def test_train_and_test_have_no_name_in_common() -> None:
    def names(split: Split) -> set[str]:
        return {System(Rng(f"names/{place}", split)).name for place in range(80)}

    assert not names(Split.TRAIN) & names(Split.TEST)


def test_some_names_are_words_and_the_test_has_others() -> None:
    drawn = {
        split: {names.workload(Rng(f"words/{place}", split)) for place in range(400)}
        for split in (Split.TRAIN, Split.TEST)
    }
    for drawn_names in drawn.values():
        assert sum(name.endswith("service") for name in drawn_names) > 20
        assert sum(name.isalpha() for name in drawn_names) > 20
    assert not drawn[Split.TRAIN] & drawn[Split.TEST]


def test_another_workload_has_another_name() -> None:
    rng = Rng("beside", Split.TRAIN)
    taken = {names.workload(rng) for _ in range(2000)}
    assert not taken & {names.other_workload(rng, taken) for _ in range(50)}


def test_a_pattern_is_read_in_one_of_its_ways() -> None:
    rng = Rng("text", Split.TRAIN)
    read = {rng.expand("[a|b [c|d]] {x}", x="[1|2]") for _ in range(60)}
    assert read == {"a [1|2]", "b c [1|2]", "b d [1|2]"}


def test_what_a_tool_quotes_of_pods_is_what_they_are_in() -> None:
    rng = Rng("quoted", Split.TRAIN)
    system = System(rng)
    system.replicas = 1
    assert not any("ready" in evidence.text for evidence in pod_states(rng, system))
    waiting = {"reason": "CreateContainerConfigError", "message": "key pin is gone"}
    system.replace_all(ready=False, state={"state": {"waiting": waiting}})
    reply = {evidence.text for _ in range(20) for evidence in pod_states(rng, system)}
    assert (
        f"container {system.container} is waiting: CreateContainerConfigError: key pin is gone"
        in reply
    )
    assert "0 of 1 replicas are available" in reply
