"""Requests to a model in a run become incidents with the good replies."""

import json
from pathlib import Path

import pytest

from reme_benchmark.cli.main import main
from reme_benchmark.reports.offline_incidents import ABSTENTIONS, incident, replies
from reme_benchmark.reports.store import Store
from reme_benchmark.scoring.records import CaseResult, MethodReport, ModelExchange, State
from reme_lab.training.dataset import Incident
from reme_model.prompt.messages import PromptStyle, build_messages, render_reply
from reme_model.prompt.schema import reply_schema
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.execution.render import tasks
from reme_playbook.policy.action_space import allowed_actions
from tests.doubles.results import case, result, run
from tests.unit.model.instances import instances
from tests.unit.model.shops import Shop, policy_of

STARVED = Shop(
    limits={"cpu": "2m", "memory": "64Mi"},
    earlier=[{"limits": {"cpu": "300m", "memory": "128Mi"}}],
)
SPACE = allowed_actions(STARVED.live(), policy_of())
SCHEMA = reply_schema(SPACE)


def asked_case(good: list[Action] | None, control: str | None = None) -> CaseResult:
    question = build_messages("the context", SPACE, PromptStyle.TRAINED)
    method_report = MethodReport(
        exchanges=[ModelExchange(messages=question, reply_schema=SCHEMA, reply="[]")]
    )
    known = [tasks([action]) for action in good or []]
    return result(
        case(1, "cpu-small", control=control),
        None,
        State.PROPOSED,
        method_report=method_report,
        reference_playbooks=known,
    )


def incident_of(case_result: CaseResult) -> Incident:
    return Incident.model_validate_json(
        json.dumps(incident(case_result, case_result.method_report.exchanges[0]))
    )


def test_the_replies_are_all_that_the_schema_lets_through() -> None:
    reply_texts = replies(SCHEMA)
    assert {json.dumps(json.loads(one)) for one in reply_texts} == {
        json.dumps(one) for one in instances(SCHEMA)
    }
    assert set(ABSTENTIONS) < set(reply_texts)


def test_a_form_that_is_not_ours_is_refused() -> None:
    with pytest.raises(ValueError, match="no schema of a reply"):
        replies({"type": "string"})


def test_the_known_repair_is_good_and_a_restart_is_not() -> None:
    restart = next(a for a in SPACE if isinstance(a, Restart))
    repair = next(a for a in SPACE if isinstance(a, SetResources))
    example = incident_of(asked_case([repair]))
    assert example.answer == render_reply([repair])
    assert example.reward(render_reply([repair])) == 1
    assert example.reward(render_reply([restart])) == 0
    assert all(example.reward(one) == 0 for one in ABSTENTIONS)
    assert example.possible == tuple(sorted(replies(SCHEMA)))


def test_where_nothing_is_to_be_done_every_abstention_is_good_and_its_own_is_the_best() -> None:
    example = incident_of(asked_case(None, "wrong-target"))
    assert example.answer == '{"abstain":"elsewhere"}'
    assert example.good == set(ABSTENTIONS)


def test_the_command_writes_those_cases_in_which_a_model_was_asked(tmp_path: Path) -> None:
    store = Store(tmp_path / "run")
    repair = next(a for a in SPACE if isinstance(a, SetResources))
    first, second = asked_case([repair]), result(2)
    store.begin(run([first.case, second.case]))
    store.save(first)
    store.save(second)
    out = tmp_path / "incidents.jsonl"
    assert main(["incidents", str(store.path), "--out", str(out)]) == 0
    (line,) = out.read_text().splitlines()
    assert Incident.model_validate_json(line).id == first.case.id
