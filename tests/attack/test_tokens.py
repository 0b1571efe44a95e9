"""The token of a run: how long it lives, what it is bound to, and what is left of it afterwards."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reme_playbook.execution.manifests import RunManifests
from tests.attack.attack import STRATEGIC, Attack, Object
from tests.attack.environment import AttackEnvironment
from tests.attack.object_attacks import RESTART, deployment
from tests.attack.verdicts import Verdict, stopped_by
from tests.e2e.sandbox.conftest import Api, Reply, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

TOKENS = "tokens and time"
LONGEST = timedelta(hours=1, seconds=60)
"""What the kubelet asks for is ten minutes; some API servers stretch that, up to an hour."""


def restart(run: str) -> Object:
    document: Object = json.loads(json.dumps(RESTART).replace("by force", run))
    return document


def minted(environment: AttackEnvironment, run: str, pod: Object | None = None) -> Reply:
    """Return a token for the identity as an administrator may ask for it, bound to a pod or not."""
    spec: Object = {"expirationSeconds": 600}
    if pod:
        meta = pod["metadata"]
        reference = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        spec["boundObjectRef"] = reference
    ask = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{environment.admission.system}/serviceaccounts/{run}/token"
    return environment.admission.api("POST", path, ask)


def bearer(environment: AttackEnvironment, token: str) -> Api:
    """Return the API server as somebody outside of the cluster with that token asks it."""
    api = environment.admission.api
    return replace(api, token=token, context=api.anonymous())


def write(environment: AttackEnvironment, ask: Api, run: str, *, dry: bool = False) -> Reply:
    path = deployment().replace("{shop}", environment.admission.shop) + (
        "?dryRun=All" if dry else ""
    )
    return ask("PATCH", path, restart(run), content_type=STRATEGIC)


def stays(environment: AttackEnvironment, seconds: float = 120) -> tuple[RunManifests, str, Object]:
    """Return a run, its name and its pod, which does nothing for as long as it is let."""
    manifests = environment.taken(environment.run(), stay=seconds)
    run = environment.start(manifests)
    (pod,) = eventually(
        lambda: [
            p for p in environment.sandboxes.pods(run) if p["status"].get("phase") == "Running"
        ],
        60,
    )
    return manifests, run, pod


@pytest.fixture
def note(verdicts: list[Verdict]) -> Any:
    def noted(name: str, reply: Reply) -> str:
        who = stopped_by(reply.status, reply.message)
        verdicts.append(Verdict(TOKENS, name, who, reply.message))
        return who

    return noted


def test_a_token_lives_as_long_as_its_pod_and_no_longer(
    environment: AttackEnvironment, note: Any
) -> None:
    _, run, pod = stays(environment)
    log = eventually(lambda: environment.sandboxes.log(run).strip(), 30)
    claims = json.loads(json.loads(log.splitlines()[0])["message"])
    assert claims["exp"] - claims["iat"] <= LONGEST.total_seconds()
    assert claims["kubernetes.io"]["pod"]["uid"] == pod["metadata"]["uid"]

    token = minted(environment, run, pod).body["status"]["token"]
    stolen = bearer(environment, token)
    # It works, also from elsewhere: what comes after is then due to the pod alone.
    eventually(lambda: write(environment, stolen, run, dry=True).status == 200)

    loose = bearer(environment, minted(environment, run).body["status"]["token"])
    assert note("a token that is bound to no pod", write(environment, loose, run)).startswith(
        "admission"
    )
    other = environment.sandboxes.key("Deployment", "other").name
    path = f"/apis/apps/v1/namespaces/{environment.admission.shop}/deployments/{other}"
    beyond = stolen("PATCH", path, restart(run), content_type=STRATEGIC)
    assert note("a stolen token, beyond its grant", beyond) == "admission: run admission"

    path = f"/api/v1/namespaces/{environment.admission.system}/pods/{pod['metadata']['name']}"
    environment.admission.api("DELETE", f"{path}?gracePeriodSeconds=0")
    eventually(lambda: write(environment, stolen, run, dry=True).status == 401, 60)
    replay = write(environment, stolen, run)
    assert note("a token that outlives its pod", replay) == "authentication"


def test_a_token_ends_with_its_identity(environment: AttackEnvironment, note: Any) -> None:
    _, run, pod = stays(environment)
    stolen = bearer(environment, minted(environment, run, pod).body["status"]["token"])
    eventually(lambda: write(environment, stolen, run, dry=True).status == 200)
    path = f"/api/v1/namespaces/{environment.admission.system}/serviceaccounts/{run}"
    assert environment.admission.api("DELETE", path).status == 200
    eventually(lambda: write(environment, stolen, run, dry=True).status == 401, 60)
    gone = write(environment, stolen, run)
    assert note("a token whose identity is gone", gone) == "authentication"


def test_a_run_that_is_stopped_can_write_no_more(environment: AttackEnvironment, note: Any) -> None:
    """As the operator stops one: the bindings first, then the grant."""
    manifests, run, pod = stays(environment)
    stolen = bearer(environment, minted(environment, run, pod).body["status"]["token"])
    eventually(lambda: write(environment, stolen, run, dry=True).status == 200)
    started_at = time.monotonic()
    for binding in manifests.role_bindings:
        meta = binding["metadata"]
        place = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
        kind = f"{binding['kind'].lower()}s"
        path = f"/apis/rbac.authorization.k8s.io/v1{place}/{kind}/{meta['name']}"
        assert environment.admission.api("DELETE", path).status == 200
    eventually(lambda: write(environment, stolen, run, dry=True).status == 403, 30)
    assert time.monotonic() - started_at < 5
    grants = f"/apis/reme.dev/v1alpha1/namespaces/{environment.admission.system}/rungrants/{run}"
    assert (
        environment.admission.api("DELETE", grants, by=environment.admission.operator).status == 200
    )
    stopped = write(environment, stolen, run)
    assert note("a token whose rights were taken", stopped) == "RBAC"


def test_nothing_is_written_after_the_deadline(environment: AttackEnvironment, note: Any) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    manifests = environment.run(created=long_ago)
    run = manifests.job["metadata"]["name"]
    late = Attack("", "late", "PATCH", deployment(), restart(run))
    manifests = environment.taken(manifests, controls=[environment.request(late, run)])
    environment.start(manifests)
    answer = environment.answers(run)["late"]
    assert "expired at" in answer.message
    who = note("a granted write after the deadline", Reply(answer.status, vars(answer)))
    assert who == "admission: run admission"
