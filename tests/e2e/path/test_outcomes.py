"""Each way in which a remediation can end, on a real cluster, from report to record."""

import pytest

from reme_api.conditions import Status, find_condition
from reme_api.reasons import ConditionType, Outcome, Reason, Step
from reme_api.remediation import Remediation
from tests.support.testbed import Testbed, never_verified, restart, rollback

pytestmark = pytest.mark.cluster


def succeeded(remediation: Remediation) -> Status:
    """Return the status of the summary condition."""
    condition = find_condition(remediation.status.conditions, ConditionType.SUCCEEDED)
    assert condition is not None
    return condition.status


def test_the_right_playbook_is_verified(shop: Testbed) -> None:
    shop.break_catalog()
    shop.model.play(rollback())
    ended = shop.ended(shop.report("right"))
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    assert succeeded(ended) is Status.TRUE
    (attempt,) = ended.status.attempts
    assert attempt.run is not None
    assert attempt.run.reason is Reason.RUN_SUCCEEDED
    assert attempt.generation is not None
    assert attempt.generation.prompt is not None
    assert attempt.generation.completion_tokens > 0
    steps = {t.step for t in [*ended.status.timings, *attempt.timings]}
    assert {Step.BASELINE, Step.GENERATE, Step.VALIDATE, Step.EXECUTE, Step.VERIFY} <= steps
    env = shop.spec_of("deployment", "catalog")["template"]["spec"]["containers"][0]["env"]
    assert {"name": "FAIL_PERCENT", "value": "0"} in env
    shop.until("clean-up", lambda: not shop.leftovers(ended))


def test_a_useless_playbook_is_never_called_verified(shop: Testbed) -> None:
    shop.break_catalog()
    shop.model.play(restart())
    ended = shop.ended(shop.report("useless"))
    never_verified(ended)
    assert ended.status.outcome in {Outcome.ROLLED_BACK, Outcome.UNVERIFIED}, ended.status.message
    assert succeeded(ended) is Status.FALSE
    shop.until("clean-up", lambda: not shop.leftovers(ended))


def test_a_repair_in_the_wrong_field_is_undone(shop: Testbed) -> None:
    shop.break_catalog()
    before = shop.spec_of("deployment", "catalog")["replicas"]
    scale = {"kind": "Deployment", "name": "catalog", "namespace": shop.namespace}
    shop.model.play({"kubernetes.core.k8s_scale": scale | {"replicas": 2}})
    ended = shop.ended(shop.report("scaled"))
    never_verified(ended)
    assert ended.status.outcome is Outcome.ROLLED_BACK, ended.status.message
    assert shop.spec_of("deployment", "catalog")["replicas"] == before


def test_the_second_attempt_learns_from_the_first(shop: Testbed) -> None:
    shop.break_catalog()
    shop.policy(maxAttempts=2)
    shop.model.say({"content": [restart()]}, {"content": [rollback()]})
    ended = shop.ended(shop.report("second"))
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    first, second = ended.status.attempts
    assert first.outcome is not Outcome.VERIFIED
    assert second.outcome is Outcome.VERIFIED
    prompts = [str(r["messages"]) for r in shop.model.recorded_requests()]
    assert len(prompts) == 2
    assert prompts[0] != prompts[1]


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("elsewhere", rollback(namespace="kube-system", name="coredns")),
        ("neighbour", rollback(name="stock")),
        (
            "deletes",
            {
                "kubernetes.core.k8s": {
                    "kind": "Deployment",
                    "name": "catalog",
                    "namespace": "reme-e2e",
                    "state": "absent",
                }
            },
        ),
        ("shell", {"ansible.builtin.shell": "kubectl delete ns reme-e2e"}),
    ],
)
def test_a_harmful_playbook_is_rejected_and_nothing_runs(
    shop: Testbed, name: str, task: dict[str, object]
) -> None:
    shop.break_catalog()
    before = shop.spec_of("deployment", "catalog")
    shop.model.play(task)
    ended = shop.ended(shop.report(f"harmful-{name}"))
    assert ended.status.outcome is Outcome.REJECTED, ended.status.message
    assert ended.status.attempts[0].rejection is not None
    assert all(a.run is None for a in ended.status.attempts)
    assert not shop.jobs(ended)
    assert shop.spec_of("deployment", "catalog") == before


def test_an_abstention_is_an_answer(shop: Testbed) -> None:
    shop.break_catalog()
    shop.model.say({"content": '{"abstain":"too little evidence"}'})
    ended = shop.ended(shop.report("abstains"))
    assert ended.status.outcome is Outcome.ABSTAINED
    assert not shop.jobs(ended)


def test_a_healthy_target_is_left_alone_and_the_model_is_not_asked(shop: Testbed) -> None:
    shop.model.play(restart())
    # An available pod is not yet a served one: the node's rules follow a moment later.
    shop.shop.wait_for_front_door(healthy=True, timeout_seconds=60)
    ended = shop.ended(shop.report("healthy"))
    assert ended.status.outcome is Outcome.NO_ACTION_NEEDED
    assert not ended.status.attempts
    assert not shop.model.recorded_requests()


def test_observe_plans_and_never_runs(shop: Testbed) -> None:
    shop.policy(mode="Observe")
    shop.break_catalog()
    before = shop.spec_of("deployment", "catalog")
    shop.model.play(rollback())
    ended = shop.ended(shop.report("observed"))
    assert ended.status.outcome is Outcome.OBSERVED
    assert ended.status.attempts[0].actions
    assert not shop.jobs(ended)
    assert shop.spec_of("deployment", "catalog") == before


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("empty", {"content": ""}),
        ("prose", {"content": "You should try to restart the service, I think."}),
        ("huge", {"content": "[", "padding_bytes": 10_000_000}),
        ("garbage", {"body": "\x00<html>not an API</html>"}),
        ("truncated", {"content": '[{"kubernetes.core.k8s":{"kind":"Deploy'}),
    ],
)
def test_a_bad_reply_ends_with_a_reason_and_nothing_applied(
    shop: Testbed, name: str, answer: dict[str, object]
) -> None:
    shop.break_catalog()
    before = shop.spec_of("deployment", "catalog")
    shop.model.say(answer)
    ended = shop.ended(shop.report(f"reply-{name}"))
    assert ended.status.outcome in {Outcome.REJECTED, Outcome.FAILED}, ended.status.message
    assert "Traceback" not in ended.model_dump_json()
    assert not shop.jobs(ended)
    assert shop.spec_of("deployment", "catalog") == before
