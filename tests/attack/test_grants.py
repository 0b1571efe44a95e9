"""A run whose grant is attacked: without one, RBAC and the bounds alone would hold it."""

from typing import Any

import pytest

from tests.attack.attack import MERGE
from tests.attack.environment import AttackEnvironment
from tests.attack.object_attacks import deployment
from tests.attack.test_tokens import bearer, minted, restart, stays, write
from tests.attack.verdicts import Verdict, stopped_by
from tests.e2e.sandbox.conftest import Identity, Reply, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

GRANTS = "a run's grant"
ROOT = Identity("root", ("system:masters",), None)


@pytest.fixture
def note(verdicts: list[Verdict]) -> Any:
    def noted(name: str, reply: Reply) -> str:
        who = stopped_by(reply.status, reply.message)
        verdicts.append(Verdict(GRANTS, name, who, reply.message))
        return who

    return noted


def test_a_grant_outlives_every_attempt_to_take_it_away(
    environment: AttackEnvironment, note: Any
) -> None:
    admission = environment.admission
    _, run, pod = stays(environment)
    collection = f"/apis/reme.dev/v1alpha1/namespaces/{admission.system}/rungrants"
    wider = {"spec": {"rules": [], "notAfter": "2199-01-01T00:00:00Z"}}
    attempts = {
        "an administrator deletes it": ("DELETE", f"{collection}/{run}", None, ROOT),
        "an administrator deletes all": ("DELETE", collection, None, ROOT),
        "an administrator widens it": ("PATCH", f"{collection}/{run}", wider, ROOT),
        "the operator widens it": ("PATCH", f"{collection}/{run}", wider, admission.operator),
    }
    for name, (method, path, body, by) in attempts.items():
        reply = admission.api(method, path, body, by=by, content_type=MERGE if body else "")
        who = note(name, reply)
        assert who == "admission: grant protection" or "operator" in name, (name, reply)
        assert who.startswith("admission"), (name, reply)
    # The run is as free, and as bound, as before.
    stolen = bearer(environment, minted(environment, run, pod).body["status"]["token"])
    eventually(lambda: write(environment, stolen, run, dry=True).status == 200)
    other = deployment("other").replace("{shop}", admission.shop)
    reply = stolen("PATCH", other, restart(run), content_type="application/merge-patch+json")
    assert note("a write beyond it, after all of that", reply) == "admission: run admission"
