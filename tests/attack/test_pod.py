"""A run's pod is taken over: what can whoever holds it do, by raw calls and in the machine?"""

import json
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from tests.attack.attack import Attack, Object
from tests.attack.cluster_hashes import differences
from tests.attack.environment import Answer, AttackEnvironment, Request, of_the_run
from tests.attack.field_attacks import FIELDS, VALUES
from tests.attack.host_attacks import (
    CONNECTIONS,
    HOST,
    HOST_ATTACKS,
    NETWORK,
    NETWORK_ATTACKS,
    HostAttack,
    connection,
)
from tests.attack.object_attacks import OBJECTS, RESTART, deployment
from tests.attack.rbac_attacks import CLUSTER_ATTACKS, POD_ATTACKS, READS, RIGHTS_ATTACKS
from tests.attack.validation import PASSED, rejecting_rule, shop_snapshot
from tests.attack.verdicts import ESCAPED, OPEN, Verdict, stopped_by
from tests.e2e.sandbox.conftest import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ATTACKS: tuple[Attack, ...] = (
    *OBJECTS,
    *FIELDS,
    *VALUES,
    *RIGHTS_ATTACKS,
    *READS,
    *POD_ATTACKS,
    *CLUSTER_ATTACKS,
)
"""Every attempt; most of them would be harmful, and each must be refused."""


class Outcome(NamedTuple):
    """What the pods of an honest and of a carelessly empowered run were answered."""

    honest: dict[str, Answer]
    careless: dict[str, Answer]
    changed: list[str]


def controls(environment: AttackEnvironment, run: str) -> list[Request]:
    """Return writes that are granted: were they refused too, all the refusals would be empty."""
    mark: Object = json.loads(json.dumps(RESTART).replace("by force", run))
    granted = (
        Attack("", "control: restart", "PATCH", deployment(), mark),
        Attack("", "control: scale", "PATCH", deployment(sub="/scale"), {"spec": {"replicas": 3}}),
        Attack("", "control: delete", "DELETE", "/api/v1/namespaces/{shop}/pods/cart-0"),
    )
    return [environment.request(attack, run, dry=True) for attack in granted]


def asks_admission(attack: Attack) -> bool:
    return not attack.reads and not attack.rbac_only


@pytest.fixture(scope="module")
def attacks(pytestconfig: pytest.Config) -> Sequence[Attack]:
    share = pytestconfig.getoption("--share")
    return [attack for attack in ATTACKS if attack.smoke or not share]


@pytest.fixture(scope="module")
def outcome(environment: AttackEnvironment, attacks: Sequence[Attack]) -> Outcome:
    honest, careless = environment.run(), environment.run()
    name, other = honest.job["metadata"]["name"], careless.job["metadata"]["name"]
    _empower(environment, other)
    requests = [environment.request(attack, name) for attack in attacks]
    dry = [
        environment.request(attack, other, dry=True) for attack in attacks if asks_admission(attack)
    ]
    machine = [*HOST_ATTACKS, *_network(environment)]
    first = environment.taken(honest, requests, controls(environment, name), machine)
    second = environment.taken(careless, dry, controls(environment, other))
    for manifests in (first, second):
        environment.sandboxes.prepare(manifests)
    before = environment.at_rest()
    for manifests in (first, second):
        environment.sandboxes.create(manifests.job)
    answers = environment.answers(name), environment.answers(other)
    changed = [
        change
        for change in differences(before, environment.at_rest())
        if not of_the_run(change, name) and not of_the_run(change, other)
    ]
    return Outcome(*answers, changed)


def _network(environment: AttackEnvironment) -> list[HostAttack]:
    """Return the attempts on the network, and what it takes to see whether it is closed."""
    nodes = environment.admission.api("GET", "/api/v1/nodes").body["items"]
    addresses = [a["address"] for n in nodes for a in n.get("status", {}).get("addresses", [])]
    dns = environment.admission.api("GET", "/api/v1/namespaces/kube-system/services/kube-dns")
    names = {"{address}": addresses[0], "{dns}": dns.body["spec"]["clusterIP"]}
    return [
        *(a._replace(code=a.code.replace("{address}", addresses[0])) for a in NETWORK_ATTACKS),
        *(
            HostAttack(name, connection(names[host], port))
            for name, (host, port) in CONNECTIONS.items()
        ),
    ]


def _empower(environment: AttackEnvironment, run: str) -> None:
    """Bind a run to cluster-admin, as a careless administrator might: only admission is left."""
    admission = environment.admission
    head = {"name": f"careless-{admission.mark}"}
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": head,
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": run, "namespace": admission.system}],
    }
    reply = admission.api("POST", f"/apis/{group}/v1/clusterrolebindings", binding)
    assert reply.status == 201, reply
    ask = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{admission.system}:{run}",
            "resourceAttributes": {"verb": "delete", "resource": "nodes"},
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    eventually(lambda: admission.api("POST", path, ask).body["status"]["allowed"])


def test_the_rights_are_those_of_an_honest_run(outcome: Outcome) -> None:
    for answers in (outcome.honest, outcome.careless):
        for name in ("control: restart", "control: scale", "control: delete"):
            assert answers[name].status == 200, answers[name]


def test_every_attempt_is_refused(
    environment: AttackEnvironment,
    outcome: Outcome,
    attacks: Sequence[Attack],
    verdicts: list[Verdict],
) -> None:
    live, places = shop_snapshot(environment.admission), environment.places("reme-00000000-1")
    for attack in attacks:
        honest, careless = outcome.honest[attack.name], outcome.careless.get(attack.name)
        verdicts.append(
            Verdict(
                attack.group,
                attack.name,
                stopped_by(honest.status, honest.message),
                honest.message,
                rejecting_rule(places.fill(attack.playbook()), live, places.system),
                stopped_by(careless.status, careless.message) if careless else "",
            )
        )
    for group, host_attacks, who in (
        (HOST, HOST_ATTACKS, "the pod's confinement"),
        (NETWORK, NETWORK_ATTACKS, "who is asked, or nobody there"),
    ):
        for one in host_attacks:
            answer = outcome.honest[one.name]
            stopped = ESCAPED if answer.status == 200 else who
            verdicts.append(Verdict(group, one.name, stopped, answer.message))
    assert not [v.name for v in verdicts if v.escaped]
    assert not [v for v in verdicts if v.stopped_by.startswith("unclear")]
    assert not [v.name for v in verdicts if v.gate == PASSED]


def test_the_network_is_closed_where_it_can_be(
    environment: AttackEnvironment, outcome: Outcome, verdicts: list[Verdict]
) -> None:
    """The policy is there and selects the pod; whether it is enforced is up to the cluster."""
    admission = environment.admission
    path = f"/apis/networking.k8s.io/v1/namespaces/{admission.system}/networkpolicies"
    labels = environment.run().job["spec"]["template"]["metadata"]["labels"]
    (policy,) = [
        item
        for item in admission.api("GET", path).body["items"]
        if item["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    ]
    assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    assert not policy["spec"].get("ingress")
    for name in CONNECTIONS:
        answer = outcome.honest[name]
        who = OPEN if answer.status == 200 else "NetworkPolicy"
        verdicts.append(Verdict(NETWORK, name, who, answer.message))


def test_nothing_in_the_cluster_has_changed(outcome: Outcome) -> None:
    assert not outcome.changed
