"""Many reports at once on a real cluster: the worst first, one per cause, few at a time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Remediation
from reme_benchmark.harness.scripted_model_client import ScriptedModel
from reme_cluster.kubectl import Kubectl
from tests.attack.installed.fleet import Fleet, Object
from tests.attack.installed.storm_observer import StormObserver, most_within, touched
from tests.attack.installed.tables import show, table
from tests.e2e.sandbox.conftest import Api

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]

ROOT = "svc-root"
BROKEN = {
    # The severity and confidence of what is reported of each: the order in which to act.
    ROOT: ("Critical", 90),
    "svc-b": ("High", 90),
    "svc-c": ("High", 40),
    "svc-d": ("Medium", 50),
    "svc-e": ("Low", 80),
    "svc-f": ("Low", 20),
}
CALLERS = ("web-1", "web-2", "web-3", "web-4")
AT_ONCE, PERCENT, WINDOW_SECONDS = 2, 50, 60
MOST_TOUCHED = (len(BROKEN) + len(CALLERS)) * PERCENT // 100


@pytest.fixture(scope="module")
def fleet(kubectl: Kubectl, scripted: ScriptedModel, installed: None) -> Iterator[Fleet]:
    made = Fleet(kubectl, scripted, "reme-storm")
    try:
        made.deploy({**dict.fromkeys(BROKEN, ""), **dict.fromkeys(CALLERS, ROOT)})
        made.policy(
            actions=[{"name": "SetEnv"}],
            budgets={
                "cooldownSeconds": 0,
                "maxConcurrent": AT_ONCE,
                "maxPerHour": 1000,
                "maxWorkloadsPercent": PERCENT,
                "workloadsWindowSeconds": WINDOW_SECONDS,
            },
        )
        yield made
    finally:
        made.remove()


def reports(fleet: Fleet) -> list[Object]:
    """Return two reports of each that is broken, and three of each that only calls the worst."""
    items = []
    # The mildest are filed first: who comes first must not be who is served first.
    for name in CALLERS:
        for number in range(3):
            fault = {"type": "errors", "severity": "Low", "summary": "Some requests fail."}
            text = f"GET http://{ROOT}:8080/: status 500"
            evidence = [{"kind": "Log", "source": f"{name}-pod", "text": text}]
            items.append(fleet.report(f"{name}-{number}", name, fault=fault, evidence=evidence))
    for name, (severity, sure) in reversed(BROKEN.items()):
        for number in range(2):
            worst = {"type": "bad-rollout", "severity": severity, "confidencePercent": sure}
            items.append(fleet.report(f"{name}-{number}", name, fault=worst))
    return items


def file_at_once(fleet: Fleet, api: Api, objects: list[Object]) -> list[Object]:
    """Create all of them, as many at a time as the API server takes."""
    path = f"/apis/reme.dev/v1alpha1/namespaces/{fleet.namespace}/diagnosisreports"
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda body: api("POST", path, body), objects))
    assert all(reply.status == 201 for reply in replies), replies
    return [reply.body for reply in replies]


def acted_on(ended: list[Remediation]) -> list[tuple[str, datetime]]:
    """Return when each of the broken was first acted on, in order; in that of the worst within one
    second, which is as exactly as creations are told.
    """
    times: dict[str, datetime] = {}
    for remediation in ended:
        name, at = remediation.spec.target.name, remediation.metadata.creation_timestamp
        if name in BROKEN and at is not None:
            times[name] = min(at, times.get(name, at))
    return sorted(times.items(), key=lambda pair: (pair[1], list(BROKEN).index(pair[0])))


def test_a_storm_is_weathered(fleet: Fleet, api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.model.say(*(fleet.answer(name, fleet.repair(name)) for name in BROKEN))
    fleet.fail(*BROKEN)
    objects = reports(fleet)
    with StormObserver(api, fleet.namespace) as witness:
        filed = file_at_once(fleet, api, objects)
        # Creation times are whole seconds: from the next one on, all of them were there.
        complete = max(datetime.fromisoformat(r["metadata"]["creationTimestamp"]) for r in filed)
        complete += timedelta(seconds=1)
        uids = {r["metadata"]["uid"]: r["metadata"]["name"] for r in filed}
        answered = fleet.ended(set(uids), 900)
    ended = list(answered.values())
    runs = touched(ended)
    first = acted_on(ended)
    late = [name for name, at in first if at > complete]
    outcomes = [r.status.outcome for r in ended]
    same_cause = [n for n, why in witness.waited.items() if Reason.SAME_CAUSE in why]
    most_open = max(sum(s.open.values()) for s in witness.samples)
    most_of_one = max(n for s in witness.samples for n in [*s.open.values(), 0])
    most_jobs = max(s.jobs for s in witness.samples)
    widest = most_within(runs, timedelta(seconds=WINDOW_SECONDS))
    lasted = max(r.status.completion_time for r in ended if r.status.completion_time) - min(
        r.metadata.creation_timestamp for r in ended if r.metadata.creation_timestamp
    )
    rows: list[tuple[object, ...]] = [
        ("reports at once", len(filed), ""),
        ("answered in the end", len(ended), f"{len(filed)}"),
        ("of these Verified", outcomes.count(Outcome.VERIFIED), f"{len(BROKEN)}"),
        ("of these NoActionNeeded", outcomes.count(Outcome.NO_ACTION_NEEDED), "the others"),
        ("of these Abstained", outcomes.count(Outcome.ABSTAINED), f"at most {AT_ONCE}"),
        ("runs", len(runs), f"{len(BROKEN)}: one for each cause"),
        ("waited for another with the same cause", len(same_cause), "at least 1"),
        ("remediations open at once", most_open, f"at most {AT_ONCE}"),
        ("of one target", most_of_one, "at most 1"),
        ("Jobs at once", most_jobs, f"at most {AT_ONCE}"),
        (f"workloads touched within {WINDOW_SECONDS} s", widest, f"at most {MOST_TOUCHED}"),
        ("looks of the witness", len(witness.samples), ""),
        ("looks that saw a storm", sum(s.storm for s in witness.samples), "at least 1"),
        ("acted on, in this order", " ".join(name for name, _ in first), "worst first"),
        ("from the first to the last, s", lasted.total_seconds(), ""),
    ]
    for reason in sorted({w for why in witness.waited.values() for w in why}):
        count = sum(reason in why for why in witness.waited.values())
        rows.append((f"reports that ever waited: {reason}", count, ""))
    show(capsys, "storm", "A storm", table(("what", "seen", "bound"), rows))

    # The first of the callers may have come before anybody knew of the storm: the model abstains.
    early = outcomes.count(Outcome.ABSTAINED)
    assert early <= AT_ONCE, outcomes
    assert outcomes.count(Outcome.VERIFIED) == len(BROKEN), outcomes
    assert outcomes.count(Outcome.NO_ACTION_NEEDED) == len(filed) - len(BROKEN) - early, outcomes
    assert sorted(name for _, name in runs) == sorted(BROKEN), runs
    assert most_open <= AT_ONCE
    assert most_of_one <= 1
    assert most_jobs <= AT_ONCE
    assert widest <= MOST_TOUCHED
    assert any(s.storm for s in witness.samples)
    assert same_cause
    assert late == sorted(late, key=list(BROKEN).index), late
    assert len(late) >= len(BROKEN) - AT_ONCE
