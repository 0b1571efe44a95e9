"""The token of a run: how long it lives, what it is bound to, and what is left of it afterwards."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reme_playbook.execution.manifests import RunManifests
from tests.attack.attack import STRATEGIC, Attack, Object
from tests.attack.environment import Grounds
from tests.attack.object_attacks import RESTART, deployment
from tests.attack.verdicts import Verdict, stopped_by
from tests.e2e.sandbox.conftest import Api, Reply, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

TOKENS = "tokens and time"
LONGEST = timedelta(hours=1, seconds=60)
"""What the kubelet asks for is ten minutes; some API servers stretch that, up to an hour."""


def restart(run: str) -> Object:
    found: Object = json.loads(json.dumps(RESTART).replace("by force", run))
    return found


def minted(grounds: Grounds, run: str, pod: Object | None = None) -> Reply:
    """Return a token for the identity as an administrator may ask for it, bound to a pod or not."""
    spec: Object = {"expirationSeconds": 600}
    if pod:
        meta = pod["metadata"]
        reference = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        spec["boundObjectRef"] = reference
    ask = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{grounds.fence.system}/serviceaccounts/{run}/token"
    return grounds.fence.api("POST", path, ask)


def bearer(grounds: Grounds, token: str) -> Api:
    """Return the API server as somebody outside of the cluster with that token asks it."""
    api = grounds.fence.api
    return replace(api, token=token, context=api.anonymous())


def write(grounds: Grounds, ask: Api, run: str, *, dry: bool = False) -> Reply:
    path = deployment().replace("{shop}", grounds.fence.shop) + ("?dryRun=All" if dry else "")
    return ask("PATCH", path, restart(run), content_type=STRATEGIC)


def stays(grounds: Grounds, seconds: float = 120) -> tuple[RunManifests, str, Object]:
    """Return a run, its name and its pod, which does nothing for as long as it is let."""
    made = grounds.taken(grounds.run(), stay=seconds)
    run = grounds.start(made)
    (pod,) = eventually(
        lambda: [p for p in grounds.sandboxes.pods(run) if p["status"].get("phase") == "Running"],
        60,
    )
    return made, run, pod


@pytest.fixture
def note(verdicts: list[Verdict]) -> Any:
    def noted(name: str, reply: Reply) -> str:
        who = stopped_by(reply.status, reply.message)
        verdicts.append(Verdict(TOKENS, name, who, reply.message))
        return who

    return noted


def test_a_token_lives_as_long_as_its_pod_and_no_longer(grounds: Grounds, note: Any) -> None:
    _, run, pod = stays(grounds)
    log = eventually(lambda: grounds.sandboxes.log(run).strip(), 30)
    claims = json.loads(json.loads(log.splitlines()[0])["message"])
    assert claims["exp"] - claims["iat"] <= LONGEST.total_seconds()
    assert claims["kubernetes.io"]["pod"]["uid"] == pod["metadata"]["uid"]

    token = minted(grounds, run, pod).body["status"]["token"]
    stolen = bearer(grounds, token)
    # It works, also from elsewhere: what comes after is then due to the pod alone.
    eventually(lambda: write(grounds, stolen, run, dry=True).status == 200)

    loose = bearer(grounds, minted(grounds, run).body["status"]["token"])
    assert note("a token that is bound to no pod", write(grounds, loose, run)).startswith(
        "admission"
    )
    other = grounds.sandboxes.key("Deployment", "other").name
    path = f"/apis/apps/v1/namespaces/{grounds.fence.shop}/deployments/{other}"
    beyond = stolen("PATCH", path, restart(run), content_type=STRATEGIC)
    assert note("a stolen token, beyond its grant", beyond) == "admission: fence"

    path = f"/api/v1/namespaces/{grounds.fence.system}/pods/{pod['metadata']['name']}"
    grounds.fence.api("DELETE", f"{path}?gracePeriodSeconds=0")
    eventually(lambda: write(grounds, stolen, run, dry=True).status == 401, 60)
    replay = write(grounds, stolen, run)
    assert note("a token that outlives its pod", replay) == "authentication"


def test_a_token_ends_with_its_identity(grounds: Grounds, note: Any) -> None:
    _, run, pod = stays(grounds)
    stolen = bearer(grounds, minted(grounds, run, pod).body["status"]["token"])
    eventually(lambda: write(grounds, stolen, run, dry=True).status == 200)
    path = f"/api/v1/namespaces/{grounds.fence.system}/serviceaccounts/{run}"
    assert grounds.fence.api("DELETE", path).status == 200
    eventually(lambda: write(grounds, stolen, run, dry=True).status == 401, 60)
    gone = write(grounds, stolen, run)
    assert note("a token whose identity is gone", gone) == "authentication"


def test_a_run_that_is_stopped_can_write_no_more(grounds: Grounds, note: Any) -> None:
    """As the operator stops one: the bindings first, then the grant."""
    made, run, pod = stays(grounds)
    stolen = bearer(grounds, minted(grounds, run, pod).body["status"]["token"])
    eventually(lambda: write(grounds, stolen, run, dry=True).status == 200)
    begun = time.monotonic()
    for binding in made.role_bindings:
        meta = binding["metadata"]
        place = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
        kind = f"{binding['kind'].lower()}s"
        path = f"/apis/rbac.authorization.k8s.io/v1{place}/{kind}/{meta['name']}"
        assert grounds.fence.api("DELETE", path).status == 200
    eventually(lambda: write(grounds, stolen, run, dry=True).status == 403, 30)
    assert time.monotonic() - begun < 5
    grants = f"/apis/reme.dev/v1alpha1/namespaces/{grounds.fence.system}/rungrants/{run}"
    assert grounds.fence.api("DELETE", grants, by=grounds.fence.operator).status == 200
    stopped = write(grounds, stolen, run)
    assert note("a token whose rights were taken", stopped) == "RBAC"


def test_nothing_is_written_after_the_deadline(grounds: Grounds, note: Any) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    made = grounds.run(created=long_ago)
    run = made.job["metadata"]["name"]
    late = Attack("", "late", "PATCH", deployment(), restart(run))
    made = grounds.taken(made, controls=[grounds.request(late, run)])
    grounds.start(made)
    answer = grounds.answers(run)["late"]
    assert "has ended" in answer.message
    who = note("a granted write after the deadline", Reply(answer.status, vars(answer)))
    assert who == "admission: fence"
