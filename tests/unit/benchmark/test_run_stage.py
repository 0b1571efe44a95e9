"""How a system is put into the cluster."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import cast

import pytest

from reme_benchmark.harness.system_instance import (
    SystemInstance,
    SystemInstanceError,
    with_last_applied,
)
from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.scenarios.systems import catalog
from reme_benchmark.scenarios.systems.render import manifests
from reme_benchmark.scoring.user_sli import LoadGenerator, UserSli
from reme_playbook.snapshot.snapshot import LAST_APPLIED, last_applied


def test_deployed_objects_have_the_last_applied_annotation() -> None:
    for body in manifests(catalog.load("simple-micro"), "shop", flavour="workload"):
        before = json.dumps(body)
        annotated = with_last_applied(body)
        assert last_applied(annotated) == body
        assert json.dumps(body) == before
        annotations = body["metadata"].get("annotations", {})
        assert annotated["metadata"]["annotations"] == annotations | {
            LAST_APPLIED: annotated["metadata"]["annotations"][LAST_APPLIED]
        }


@dataclass
class FakeLoadGenerator:
    """Returns the SLIs in turn, and repeats the last one."""

    slis: list[UserSli]
    windows: list[int] = field(default_factory=list)

    async def recent(self, seconds: int) -> UserSli:
        self.windows.append(seconds)
        return self.slis[min(len(self.windows), len(self.slis)) - 1]


def instance(*slis: UserSli) -> tuple[SystemInstance, FakeLoadGenerator]:
    made = SystemInstance(cast("Cluster", None), catalog.load("simple-micro"), "shop")
    users = FakeLoadGenerator(list(slis))
    made.users = cast("LoadGenerator", users)
    made.usual_sli = UserSli(ok=40, p50_milliseconds=20)
    return made, users


def test_a_system_settles_when_its_sli_is_usual_again() -> None:
    failing, slow = UserSli(ok=15, failed=5), UserSli(ok=20, p50_milliseconds=900)
    made, users = instance(failing, slow, UserSli(ok=20, p50_milliseconds=30))
    asyncio.run(made.settled(5))
    assert users.windows == [5, 5, 5]


@pytest.mark.parametrize(
    "recent", [UserSli(), UserSli(ok=15, failed=5), UserSli(ok=9, p50_milliseconds=900)]
)
def test_a_system_that_does_not_settle_is_no_healthy_one(recent: UserSli) -> None:
    made, _ = instance(recent)
    with pytest.raises(SystemInstanceError, match="not served"):
        asyncio.run(made.settled(5, timeout_seconds=0.1))
