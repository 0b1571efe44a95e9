"""A rollback is over when the target is as it was: on a cluster whose pods take time to go."""

import json

from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome
from tests.support.testbed import Testbed, never_verified, restart

PATIENCE_SECONDS = 240


def test_the_pods_of_an_attempt_are_gone_when_the_next_one_begins(shop: Testbed) -> None:
    """The pods of a restart terminate for seconds; the second attempt must not see them."""
    shop.break_catalog()
    shop.policy(
        maxAttempts=2,
        actions=[{"name": "Restart"}, {"name": "Scale"}],
        verification={"windowSeconds": 2, "timeoutSeconds": 8, "baselineSamples": 1},
    )
    scale = {"kind": "Deployment", "name": "catalog", "namespace": shop.namespace}
    task = {"kubernetes.core.k8s_scale": scale | {"replicas": 2}}
    shop.model.say({"content": [restart()]}, {"content": [task]})
    before = shop.spec_of("deployment", "catalog")["replicas"]
    ended = shop.ended(shop.report("settles"), PATIENCE_SECONDS)
    never_verified(ended)
    assert ended.status.outcome is Outcome.ROLLED_BACK, ended.status.message
    assert shop.spec_of("deployment", "catalog")["replicas"] == before
    for attempt in ended.status.attempts:
        window = attempt.rollback_verification
        assert window is not None
        assert window.verdict is ProbeVerdict.PASSED
        assert window.message.endswith("the target is as it was before"), window.message
        assert [probe.name for probe in window.probes] == ["answers"]
        assert any(neighbour.name == "catalog" for neighbour in window.neighbours)
        assert attempt.target_before is not None
    first, second = ended.status.attempts
    assert first.rollback_verification is not None
    assert first.rollback_verification.completion_time is not None
    assert second.start_time >= first.rollback_verification.completion_time
    pods = shop.kubectl.list("pods", shop.namespace, "app=catalog")
    assert not [pod for pod in pods if pod["metadata"].get("deletionTimestamp")]
    prompts = [json.dumps(request["messages"]) for request in shop.model.recorded_requests()]
    assert len(prompts) == 2
    assert "terminating" not in prompts[1].lower()
