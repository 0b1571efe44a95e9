"""Rollouts that changed how pods run: nothing but going back repairs them, in the simulator too."""

from itertools import count

import pytest

from reme_lab.incidents import snapshot
from reme_lab.incidents.background_noise import complaints, errors
from reme_lab.incidents.faults.rollout_changes import CHANGES, Change, bad_change
from reme_lab.incidents.grader import Grader
from reme_lab.incidents.incident import POLICY
from reme_lab.incidents.report import Quality, write
from reme_lab.incidents.rng import Draw, Split
from reme_lab.incidents.system import System
from reme_playbook.actions.registry import Rollback
from reme_playbook.policy.action_space import allowed_actions


@pytest.mark.parametrize("change", CHANGES, ids=[one.types[0] for one in CHANGES])
def test_only_the_rollback_repairs_it(change: Change) -> None:
    for seed in count():
        draw = Draw(f"change/{seed}", Split.TRAIN)
        system = System(draw)
        incident = bad_change(draw, system)
        if incident.types == change.types and system.kind == "Deployment":
            break
    live = snapshot.live(system)
    report, measured = write(draw, incident, Quality.FULL)
    assert any(result.failed for result in measured)
    grader = Grader(incident, live, report.probes)
    good = [action for action in allowed_actions(live, POLICY) if grader.verdict([action]).good]
    assert [type(action) for action in good] == [Rollback]


def test_callers_complain_of_what_is_broken() -> None:
    for seed in range(40):
        draw = Draw(f"complaints/{seed}", Split.TRAIN)
        system = System(draw)
        callers = [n.name for n in system.neighbours if n.calls_target]
        heard = complaints(draw, system, system.name, system.service_port)
        assert bool(heard) is bool(callers)
        for clue in heard:
            assert system.name in clue.text
            assert any(clue.source.startswith(f"Pod/{name}-") for name in callers)


def test_what_answers_with_errors_logs_them_itself() -> None:
    for seed in range(20):
        draw = Draw(f"errors/{seed}", Split.TRAIN)
        system = System(draw)
        own = {system.name, *(f"Pod/{pod.name}" for pod in system.pods)}
        found = errors(draw, system)
        assert found
        assert all(any(clue.source.startswith(one) for one in own) for clue in found)
