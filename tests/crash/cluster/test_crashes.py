"""Crashes on a real cluster: one run for each attempt, a true outcome, nothing left behind."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Remediation, RemediationStatus
from reme_cluster.errors import CommandError
from tests.crash.cluster.conftest import Crashes, ServerOfHost
from tests.crash.cluster.run_observer import attempt
from tests.support.testbed import SYSTEM, rollback

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]

Moment = Callable[[RemediationStatus], object]
HERE = "reme-crash"


def scale(replicas: int) -> dict[str, Any]:
    """Return a task that does not help, so that it is rolled back."""
    where = {"kind": "Deployment", "name": "catalog", "namespace": HERE}
    return {"kubernetes.core.k8s_scale": where | {"replicas": replicas}}


def of(name: str) -> Moment:
    """Return the moment at which a field of the attempt is written."""
    return lambda status: getattr(attempt(status), name, None)


def of_run(name: str, kind: str = "run") -> Moment:
    """Return the moment at which a field of its run, or of its rollback, is written."""
    return lambda status: getattr(getattr(attempt(status), kind, None), name, None)


BOUNDARIES: dict[str, Moment] = {
    "started": lambda status: status.start_time,
    "baseline": lambda status: status.baseline,
    "attempt open": attempt,
    "reply stored": of("generation"),
    "playbook stored": of("playbook"),
    "run named": of_run("name"),
    "Job recorded": of_run("uid"),
    "run recorded": of_run("reason"),
    "cleaned up": of_run("cleaned_up"),
    "verifying": of("verification"),
}
ROLLBACK: dict[str, Moment] = {
    "aborting the attempt": lambda status: (a := attempt(status)) and a.run and a.reason,
    "rollback named": of_run("name", "rollback"),
    "rollback recorded": of_run("reason", "rollback"),
    "rollback verified": of("rollback_verification"),
}


def settled(crashes: Crashes, what: str, report: dict[str, Any]) -> Remediation:
    """Wait for the end; state what must be true of every crash; write the row of the table."""
    testbed, witness = crashes.testbed, crashes.witness

    def clean() -> Remediation | None:
        remediation = testbed.remediation(report)
        if (
            remediation is None
            or remediation.status.outcome is None
            or testbed.leftovers(remediation)
        ):
            return None
        name = remediation.metadata.name
        now = testbed.kubectl.get("remediations.reme.dev", name, testbed.namespace) or {}
        return None if now["metadata"].get("finalizers") else remediation

    ended = Remediation.model_validate(crashes.until("its end, and the clean-up", clean, 540))
    jobs, claims = witness.jobs_of(ended), witness.claims_of(ended)
    runs = {
        run.name: run
        for one in ended.status.attempts
        for run in (one.run, one.rollback)
        if run is not None
    }
    crashes.rows.append(
        (
            what,
            f"{ended.status.outcome} ({ended.status.reason})",
            str(len(ended.status.attempts)),
            ", ".join(str(len(uids)) for uids in jobs.values()) or "none",
            ", ".join(str(len(pods)) for pods in claims.values()) or "none",
            "0",
        )
    )
    assert set(jobs) <= set(runs), "a Job that is in no record"
    assert all(len(uids) == 1 for uids in jobs.values()), jobs
    assert all(len(pods) == 1 for pods in claims.values()), claims
    for name, run in runs.items():
        assert run.reason is not None
        assert run.completion_time is not None
        assert name not in claims or run.reason is not Reason.RUN_NOT_STARTED
    for one in ended.status.attempts:
        assert one.outcome is not None
        assert one.timings
        if one.run is not None:
            assert one.playbook is not None
            assert one.capture is not None
    truthful(crashes, ended)
    return ended


def truthful(crashes: Crashes, ended: Remediation) -> None:
    """State that the outcome is what the target really is like."""
    spec = crashes.testbed.spec_of("deployment", "catalog")
    env = {e["name"]: e["value"] for e in spec["template"]["spec"]["containers"][0]["env"]}
    repaired = env["FAIL_PERCENT"] == "0"
    if ended.status.outcome is Outcome.VERIFIED:
        assert repaired
    elif ended.status.outcome in {Outcome.ROLLED_BACK, Outcome.FAILED, Outcome.CANCELLED}:
        assert not repaired
        assert spec["replicas"] == 1


@pytest.mark.parametrize("moment", list(BOUNDARIES))
def test_the_operator_is_killed_at_a_boundary(crashes: Crashes, moment: str) -> None:
    crashes.testbed.model.say({"content": [rollback(namespace=HERE)], "delay_seconds": 1})
    first = crashes.operators.start()
    report = crashes.testbed.report(f"kill-{moment.lower().replace(' ', '-')}")
    crashes.witness.reaches(report, BOUNDARIES[moment])
    crashes.operators.kill(first)
    crashes.operators.start()
    ended = settled(crashes, f"operator killed: {moment}", report)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    # At most one question is lost with each process that ended.
    (questions,) = crashes.until(
        "the model tells", lambda: (crashes.testbed.model.recorded_requests(),)
    )
    assert len(questions) <= 2 + crashes.operators.restarts


@pytest.mark.parametrize("moment", list(ROLLBACK))
def test_the_operator_is_killed_during_a_rollback(crashes: Crashes, moment: str) -> None:
    # It never helps, so there is no use in waiting for long.
    crashes.testbed.policy(verification={"windowSeconds": 3, "timeoutSeconds": 10})
    crashes.testbed.model.play(scale(2))
    first = crashes.operators.start()
    report = crashes.testbed.report(f"rollback-{moment.lower().replace(' ', '-')}")
    crashes.witness.reaches(report, ROLLBACK[moment])
    crashes.operators.kill(first)
    crashes.operators.start()
    ended = settled(crashes, f"operator killed: {moment}", report)
    assert ended.status.outcome is Outcome.ROLLED_BACK, ended.status.message


def test_the_operator_is_killed_as_soon_as_the_run_is_taken(crashes: Crashes) -> None:
    crashes.testbed.model.play(rollback(namespace=HERE))
    first = crashes.operators.start()
    report = crashes.testbed.report("kill-claimed")
    crashes.witness.claimed(report)
    crashes.operators.kill(first)
    time.sleep(15)  # the run ends while nobody looks
    crashes.operators.start()
    ended = settled(crashes, "operator killed: run taken", report)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message


@pytest.mark.parametrize("how", ["killed", "evicted"])
def test_the_pod_of_a_run_ends(crashes: Crashes, how: str) -> None:
    crashes.testbed.model.play(rollback(namespace=HERE))
    crashes.operators.start()
    report = crashes.testbed.report(f"pod-{how}")
    pod = crashes.witness.claimed(report).pod
    try:
        end_pod(crashes, pod, how)
    except CommandError as error:
        if "NotFound" not in str(error):
            raise
        # On a busy machine it may be faster than kubectl; the row of the table says so.
        how = f"{how}, but had ended"
    ended = settled(crashes, f"pod of the run {how}", report)
    # It may have been done before the end of its pod; then it is said to have been.
    assert ended.status.outcome in {Outcome.VERIFIED, Outcome.ROLLED_BACK}, ended.status.message


def end_pod(crashes: Crashes, pod: str, how: str) -> None:
    kubectl = crashes.testbed.kubectl
    if how == "killed":
        kubectl.run("delete", "pod", pod, "-n", SYSTEM, "--grace-period=0", "--force")
        return
    meta = {"name": pod, "namespace": SYSTEM}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    kubectl.post(f"/api/v1/namespaces/{SYSTEM}/pods/{pod}/eviction", body)


def test_the_disk_of_the_sandbox_is_full(crashes: Crashes) -> None:
    crashes.testbed.model.play(rollback(namespace=HERE))
    crashes.operators.start()
    report = crashes.testbed.report("disk-full")
    run = crashes.witness.job(report)
    crashes.until("its pod runs", lambda: _running(crashes, run), 120)
    fill = "open('/tmp/fill', 'wb').write(bytes(200 << 20))"
    what = "disk of the sandbox full"
    try:
        crashes.testbed.kubectl.run(
            "exec", "-n", SYSTEM, f"job/{run}", "--", "sh", "-c", f'python -c "{fill}" || true'
        )
    except CommandError:
        what += ", but had ended"  # or ended meanwhile
    ended = settled(crashes, what, report)
    assert ended.status.outcome in {Outcome.VERIFIED, Outcome.ROLLED_BACK, Outcome.FAILED}


def _running(crashes: Crashes, run: str) -> bool:
    selector = f"batch.kubernetes.io/job-name={run}"
    pods = crashes.testbed.kubectl.list("pods", SYSTEM, selector)
    return any(p.get("status", {}).get("phase") == "Running" for p in pods)


def test_the_model_server_is_killed_while_it_is_asked(crashes: Crashes) -> None:
    model = crashes.testbed.model
    model.say({"content": [rollback(namespace=HERE)], "delay_seconds": 30})
    crashes.operators.start()
    report = crashes.testbed.report("model-killed")
    crashes.until("the model is asked", model.recorded_requests)
    crashes.testbed.kubectl.run(
        "delete", "pods", "-n", "scripted", "--all", "--grace-period=0", "--force"
    )

    def answer_again() -> bool:
        model.play(rollback(namespace=HERE))
        return True

    crashes.until("the model is back", answer_again)
    ended = settled(crashes, "model server killed", report)
    if ended.status.outcome is Outcome.FAILED:  # it was away for longer than the model is tried
        assert ended.status.reason is Reason.MODEL_UNAVAILABLE, ended.status.message
    else:
        # One that comes back says at first that nothing is scripted: an abstention, and the truth.
        assert ended.status.outcome in {Outcome.VERIFIED, Outcome.ABSTAINED}, ended.status.message


def test_the_leader_stands_still_and_another_takes_over(crashes: Crashes) -> None:
    crashes.testbed.model.play(rollback(namespace=HERE))
    leader = crashes.operators.start()
    report = crashes.testbed.report("frozen")
    crashes.witness.reaches(report, BOUNDARIES["run named"])
    crashes.operators.start()
    with crashes.operators.frozen(leader):
        time.sleep(20)  # longer than the lease: the other one acts by now
    ended = settled(crashes, "leader frozen for 20 s, two replicas", report)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    crashes.until("the first one steps down", lambda: leader.poll() is not None)


def test_the_api_server_is_away_for_20_seconds(crashes: Crashes, api_server: ServerOfHost) -> None:
    crashes.testbed.model.play(rollback(namespace=HERE))
    crashes.operators.start()
    report = crashes.testbed.report("api-away")
    crashes.witness.claimed(report)
    with api_server.away():
        time.sleep(20)
    ended = settled(crashes, "API server away for 20 s", report)
    assert ended.status.outcome in {Outcome.VERIFIED, Outcome.ROLLED_BACK}, ended.status.message
