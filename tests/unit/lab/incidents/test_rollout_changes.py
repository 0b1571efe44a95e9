"""Rollouts that changed how pods run: only a rollback repairs them, in the simulator too."""

from itertools import count

import pytest

from reme_lab.incidents import snapshot
from reme_lab.incidents.background_noise import caller_logs, error_logs
from reme_lab.incidents.faults.rollout_changes import CHANGES, Change, bad_change
from reme_lab.incidents.grader import Grader
from reme_lab.incidents.incident import POLICY
from reme_lab.incidents.report import ReportQuality, write_report
from reme_lab.incidents.rng import Rng, Split
from reme_lab.incidents.system import System
from reme_playbook.actions.rollback import Rollback
from reme_playbook.policy.action_space import allowed_actions


@pytest.mark.parametrize("change", CHANGES, ids=[one.types[0] for one in CHANGES])
def test_only_the_rollback_repairs_it(change: Change) -> None:
    for seed in count():
        rng = Rng(f"change/{seed}", Split.TRAIN)
        system = System(rng)
        incident = bad_change(rng, system)
        if incident.fault_types == change.types and system.kind == "Deployment":
            break
    live = snapshot.snapshot_of(system)
    report, measured = write_report(rng, incident, ReportQuality.FULL)
    assert any(result.failed for result in measured)
    grader = Grader(incident, live, report.probes)
    good = [action for action in allowed_actions(live, POLICY) if grader.verdict([action]).good]
    assert [type(action) for action in good] == [Rollback]


def test_callers_complain_of_what_is_broken() -> None:
    for seed in range(40):
        rng = Rng(f"complaints/{seed}", Split.TRAIN)
        system = System(rng)
        callers = [n.name for n in system.neighbours if n.calls_target]
        heard = caller_logs(rng, system, system.name, system.service_port)
        assert bool(heard) is bool(callers)
        for evidence in heard:
            assert system.name in evidence.text
            assert any(evidence.source.startswith(f"Pod/{name}-") for name in callers)


def test_what_answers_with_errors_logs_them_itself() -> None:
    for seed in range(20):
        rng = Rng(f"errors/{seed}", Split.TRAIN)
        system = System(rng)
        own = {system.name, *(f"Pod/{pod.name}" for pod in system.pods)}
        logs = error_logs(rng, system)
        assert logs
        assert all(any(evidence.source.startswith(one) for one in own) for evidence in logs)
