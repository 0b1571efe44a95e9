"""Hostile playbooks: the gate rejects them, the runner too, and Ansible itself achieves nothing."""

import copy
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import pytest

from reme_playbook.execution.result import RunEnd
from tests.attack.attack import Object
from tests.attack.cluster_hashes import differences
from tests.attack.environment import Answer, AttackEnvironment, of_the_run
from tests.attack.playbook_attacks import ANSIBLE, PLAYBOOKS
from tests.attack.test_pod import ATTACKS
from tests.attack.validation import PASSED, rejecting_rule, shop_snapshot
from tests.attack.verdicts import ESCAPED, Verdict, stopped_by

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

PLAY = Path(__file__).with_name("play.py")
# Each takes Ansible a second or two; of the attacks with a task of their own every other will do.
TASKS: dict[str, Object] = {
    **PLAYBOOKS,
    **{f"as a playbook: {a.name}": a.task for a in [a for a in ATTACKS if a.task][::2] if a.task},
}


class Outcome(NamedTuple):
    """What each task came to, and what differs in the cluster afterwards."""

    answers: dict[str, Answer]
    changed: list[str]


@pytest.fixture(scope="module")
def outcome(environment: AttackEnvironment) -> Outcome:
    run_manifests = environment.run()
    run = run_manifests.job["metadata"]["name"]
    places = environment.places(run)
    container = run_manifests.job["spec"]["template"]["spec"]["containers"][0]
    container["command"] = ["python", "-c", PLAY.read_text()]
    tasks = [{"name": name, **places.fill(task)} for name, task in TASKS.items()]
    container["env"].append({"name": "TASKS", "value": json.dumps(tasks)})
    environment.sandboxes.prepare(run_manifests)
    before = environment.at_rest()
    environment.sandboxes.create(run_manifests.job)
    answers = environment.answers(run, seconds=560)
    after = environment.at_rest()
    changed = [c for c in differences(before, after) if not of_the_run(c, run)]
    return Outcome(answers, changed)


def test_ansible_achieves_nothing_without_a_compiler(
    environment: AttackEnvironment, outcome: Outcome, verdicts: list[Verdict]
) -> None:
    live, places = shop_snapshot(environment.admission), environment.places("reme-00000000-1")
    for name, task in TASKS.items():
        answer = outcome.answers[name]
        who = ESCAPED if answer.status == 200 else stopped_by(403, answer.message)
        if who.startswith("unclear"):
            who = "the pod's confinement"
        play = [{"hosts": "localhost", "tasks": [places.fill(task)]}]
        rule = rejecting_rule(play, live, environment.admission.system)
        verdicts.append(Verdict(ANSIBLE, name, who, answer.message, rule))
        assert rule != PASSED, name
    assert not [v.name for v in verdicts if v.group == ANSIBLE and v.escaped]
    assert not outcome.changed


RUNNER = (
    "a shell that deletes the namespace",
    "drain a node",
    "a new ServiceAccount",
)


def test_the_runner_compiles_again(environment: AttackEnvironment, verdicts: list[Verdict]) -> None:
    """The playbook in the Job is hostile, and its digest is the right one: whoever wrote both."""
    started = []
    before = environment.at_rest()
    for name in RUNNER:
        run_manifests = copy.deepcopy(environment.run())
        run = run_manifests.job["metadata"]["name"]
        tasks = [environment.places(run).fill(TASKS[name])]
        text = json.dumps([{"hosts": "localhost", "tasks": tasks}])
        run_manifests.input_config_map["data"]["playbook.json"] = text
        for variable in run_manifests.job["spec"]["template"]["spec"]["containers"][0]["env"]:
            if variable["name"] == "REME_PLAYBOOK_DIGEST":
                variable["value"] = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        started.append((name, environment.start(run_manifests)))
    for name, run in started:
        assert environment.sandboxes.ended(run) == "Failed"
        state = environment.sandboxes.result(run)
        assert state is not None
        assert (state.end, state.tasks, state.changed) == (RunEnd.REJECTED, 0, 0), state
        verdicts.append(
            Verdict(ANSIBLE, f"in the runner: {name}", "the runner's compiler", state.message)
        )
    changes = differences(before, environment.at_rest())
    runs = [run for _, run in started]
    assert not [c for c in changes if not any(run in c for run in runs) or "/deployments" in c]
