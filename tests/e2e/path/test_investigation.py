"""Method ThinkRemed on a real cluster: look, then act, follow the cause, or give up."""

import subprocess
import sys

import pytest

from reme_api.investigation import Choice, InspectionName
from reme_api.reasons import Outcome, Reason, Step
from reme_api.remediation import Remediation
from tests.support.testbed import Testbed, rollback

pytestmark = pytest.mark.cluster

THINK = {"method": "ThinkRemed"}
FRONT = [{"name": "answers", "http": {"service": "front", "port": 8080, "path": "/"}}]


def replay(shop: Testbed, remediation: Remediation) -> str:
    words = ["replay", remediation.metadata.name, "-n", shop.namespace]
    done = subprocess.run(
        [sys.executable, "-m", "reme_operator.cli.main", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_inspects_then_acts(shop: Testbed) -> None:
    shop.break_catalog()
    shop.policy(**THINK)
    shop.model.play(rollback())
    ended = shop.ended(shop.report("look"))
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    (attempt,) = ended.status.attempts
    choices = [entry.choice for entry in attempt.investigation]
    assert choices[0] is Choice.INSPECT
    assert choices[-1] is Choice.ACT
    performed = [one for entry in attempt.investigation for one in entry.inspections]
    logs = [one for one in performed if one.name is InspectionName.CONTAINER_LOGS]
    assert logs
    assert all(one.result != "Unavailable" for one in logs), logs
    (seconds,) = [t.duration_milliseconds for t in attempt.timings if t.step is Step.INVESTIGATE]
    assert seconds < 20_000
    shown = replay(shop, ended)
    assert "differ" not in shown
    assert "the same" in shown


def test_the_cause_is_followed_to_the_workload_that_is_called(shop: Testbed) -> None:
    shop.break_catalog()
    shop.policy(**THINK)
    shop.model.play(rollback("catalog", shop.namespace))
    target = {"kind": "Deployment", "name": "front"}
    ended = shop.ended(shop.report("front-fails", "front", target=target, probes=FRONT), 300)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    assert ended.status.reason is Reason.CAUSE_REPAIRED
    assert ended.status.follow_up is not None
    assert ended.status.follow_up.cause.name == "catalog"
    last = ended.status.attempts[-1]
    assert last.run is None  # nothing was done to the reported workload
    assert last.investigation[-1].choice is Choice.FOLLOW_CAUSE
    assert "differ" not in replay(shop, ended)


def test_a_cause_that_may_not_be_followed_is_named(shop: Testbed) -> None:
    shop.break_catalog()
    shop.policy(**THINK, investigation={"followCause": False})
    shop.model.play(rollback())
    target = {"kind": "Deployment", "name": "front"}
    ended = shop.ended(shop.report("front-names", "front", target=target, probes=FRONT))
    assert ended.status.outcome is Outcome.ABSTAINED, ended.status.message
    assert ended.status.reason is Reason.FAULT_ELSEWHERE
    assert "Deployment catalog" in ended.status.message
    assert shop.model.recorded_requests() == []
