"""Investigations on the command line: the rounds in `show`, and their replay."""

from hashlib import sha256
from typing import Any

from reme_api.base import ArtifactReference
from reme_api.investigation import Choice, InspectionName, InspectionRecord, InvestigationRound
from reme_api.remediation import Remediation
from reme_operator.investigation.coordinator import (
    Candidate,
    CoordinatorChoice,
    CoordinatorView,
    StoredChoice,
    Symptom,
)
from reme_operator.investigation.rules_coordinator import choose_by_rules
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.doubles.builders import NOW, executed, later, remediation
from tests.integration.cli.conftest import NAME, Cluster

CART = ObjectRef("Deployment", "shop", "cart")
LOGS = Candidate(
    name=InspectionName.CONTAINER_LOGS, subject=CART, label="ContainerLogs Deployment/cart"
)
VIEW = CoordinatorView(
    target=CART,
    rounds_left=3,
    max_inspections=4,
    symptoms=frozenset({Symptom.CRASHING}),
    candidates=(LOGS,),
)
RECORD = InspectionRecord(
    name=InspectionName.CONTAINER_LOGS,
    arguments='{"subject":{"kind":"Deployment","name":"cart"}}',
    result="LogError",
    finding="no such table: orders\x1b[31m",
)


def stored(cluster: Cluster, number: int, choice: CoordinatorChoice, **fields: Any) -> Any:
    text = StoredChoice(view=VIEW, choice=choice).model_dump_json()
    name = f"{NAME}-1-round-{number}-choice"
    cluster.stores(name, **{"choice.json": text})
    digest = f"sha256:{sha256(text.encode()).hexdigest()}"
    base: dict[str, Any] = {
        "number": number,
        "start_time": later(number),
        "completion_time": later(number + 0.5),
        "coordinator": choice.coordinator,
        "choice": choice.choice,
        "message": choice.message,
        "view": ArtifactReference(name=name, key="choice.json", digest=digest),
    }
    return InvestigationRound(**(base | fields))


def investigated(cluster: Cluster, second: CoordinatorChoice) -> Remediation:
    first = choose_by_rules(VIEW)
    reference = ArtifactReference(name="r", key="k", digest="sha256:" + "0" * 64)
    rounds = [
        stored(cluster, 1, first, inspections=[RECORD], results=reference, start_time=NOW),
        stored(cluster, 2, second),
    ]
    one = remediation(executed(investigation=rounds), method="ThinkRemed")
    cluster.holds(one)
    return one


def test_show_has_the_rounds_and_their_main_findings(cluster: Cluster) -> None:
    investigated(cluster, CoordinatorChoice(choice=Choice.ACT, message="enough is known"))
    shown = cluster.run("show", NAME)
    assert "round 1    Inspect (by rules): symptoms: Crashing" in shown
    assert "LogError: no such table: orders\\x1b[31m" in shown
    assert "round 2    Act (by rules): enough is known" in shown


def test_a_replay_says_where_the_rules_choose_the_same_and_where_not(cluster: Cluster) -> None:
    by_model = CoordinatorChoice(choice=Choice.ACT, coordinator="tiny")
    investigated(cluster, by_model)
    shown = cluster.run("replay", NAME)
    assert "round 1    Inspect: ContainerLogs Deployment/cart (by rules)" in shown
    assert "the rules choose the same" in shown
    assert "round 2    Act (by tiny)" in shown
    assert "the rules differ: Inspect: ContainerLogs Deployment/cart" in shown
    assert "ChooseRound 1, RunRound 1, ChooseRound 2, Generate: the same" in shown


def test_a_replay_tells_of_a_changed_artifact(cluster: Cluster) -> None:
    investigated(cluster, CoordinatorChoice(choice=Choice.ACT))
    cluster.stores(f"{NAME}-1-round-1-choice", **{"choice.json": "{}"})
    assert "not replayed: its artifact does not match its digest" in cluster.run("replay", NAME)


def test_without_an_investigation_there_is_nothing_to_replay(cluster: Cluster) -> None:
    cluster.holds(remediation(executed()))
    assert "No investigation is recorded" in cluster.outputs("replay", NAME)[1]
