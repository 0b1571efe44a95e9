"""The lines about time: when the fault began against when each thing changed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from reme_model.prompt.sections.timeline import timeline_lines
from reme_playbook.snapshot.dependency import Dependency, DependencyWorkload, Place
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.unit.playbook.rollouts import NAMESPACE, START, Rollout, at, container, template

OLD = template(container(image="cart:1"))
SETTINGS = ObjectRef("ConfigMap", NAMESPACE, "settings")
USES = template(container(envFrom=[{"configMapRef": {"name": "settings"}}]))


def texts(live: ClusterSnapshot) -> list[str]:
    return [line.text for line in timeline_lines(live)]


def changed(minutes: float) -> dict[str, Any]:
    writer = {"manager": "kubectl", "operation": "Update", "time": at(minutes)}
    return {"metadata": {"creationTimestamp": at(-9000), "managedFields": [writer]}}


def test_a_release_an_hour_before_the_fault_is_not_one_a_minute_before() -> None:
    live = Rollout(earlier=[OLD]).live()
    first, *others = live.revisions
    for minutes, age in ((-62, "62 min"), (-1, "60 s")):
        revisions = (replace(first, created=at(minutes)), *others)
        assert texts(replace(live, revisions=revisions)) == [
            f"time: the fault began 3 min ago, {age} after this template came"
        ]


def test_a_fault_that_is_only_reported_may_be_older() -> None:
    (line,) = texts(Rollout(observed=False).live())
    assert line == "time: reported 3 min ago, 2 h after this template came"


def test_without_a_time_nothing_is_said() -> None:
    assert texts(Rollout(fault_start=None).live()) == []
    assert texts(replace(Rollout().live(), collected_at=None)) == []


def test_a_template_to_which_somebody_went_back_has_no_time() -> None:
    live = Rollout(earlier=[OLD]).live()
    first, second = live.revisions
    back = replace(
        live,
        revisions=(replace(first, created=second.created), replace(second, created=first.created)),
    )
    assert texts(back) == ["time: the fault began 3 min ago"]


def test_a_config_map_that_changed_shortly_before_is_named() -> None:
    live = Rollout(template=USES, objects={SETTINGS: changed(-1.5)}).live()
    assert texts(live)[1:] == ["time: ConfigMap settings was changed 90 s before the fault began"]
    for minutes in (-90, 5):
        assert texts(Rollout(template=USES, objects={SETTINGS: changed(minutes)}).live())[1:] == []


def test_what_was_installed_with_the_target_did_not_change() -> None:
    quota = ObjectRef("ResourceQuota", NAMESPACE, "team")
    created = {"metadata": {"creationTimestamp": at(-4)}}
    live = Rollout(objects={quota: created}).live()
    assert texts(live)[1:] == ["time: ResourceQuota team was created 4 min before the fault began"]
    key = live.target
    workload = {**live.workload, "metadata": {"creationTimestamp": at(-4.5)}}
    assert texts(replace(live, objects={**live.objects, key: workload}))[1:] == []


def test_the_nearest_change_of_what_it_calls_comes_first() -> None:
    def stock(minutes: float) -> DependencyWorkload:
        ref = ObjectRef("Deployment", NAMESPACE, f"stock{int(-minutes)}")
        return DependencyWorkload(ref, 1, 1, 1, True, START + timedelta(minutes=minutes))

    called = Dependency(
        host="stock",
        scheme="http",
        port=80,
        mentions=(),
        place=Place.NAMESPACE,
        workloads=(stock(-30), stock(-2), stock(-9)),
    )
    assert texts(Rollout(dependencies=(called,)).live())[1:] == [
        "time: Deployment stock2 was changed 2 min before the fault began",
        "time: Deployment stock9 was changed 9 min before the fault began",
    ]
