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


def test_what_is_deployed_says_what_was_asked_for() -> None:
    for body in manifests(catalog.load("simple-micro"), "shop", flavour="workload"):
        before = json.dumps(body)
        found = with_last_applied(body)
        assert last_applied(found) == body
        assert json.dumps(body) == before
        kept = body["metadata"].get("annotations", {})
        assert found["metadata"]["annotations"] == kept | {
            LAST_APPLIED: found["metadata"]["annotations"][LAST_APPLIED]
        }


@dataclass
class Told:
    """Users who felt one thing after the other, and go on with the last."""

    felts: list[UserSli]
    asked: list[int] = field(default_factory=list)

    async def recent(self, seconds: int) -> UserSli:
        self.asked.append(seconds)
        return self.felts[min(len(self.asked), len(self.felts)) - 1]


def instance(*felts: UserSli) -> tuple[SystemInstance, Told]:
    made = SystemInstance(cast("Cluster", None), catalog.load("simple-micro"), "shop")
    told = Told(list(felts))
    made.users = cast("LoadGenerator", told)
    made.usual_sli = UserSli(ok=40, p50_milliseconds=20)
    return made, told


def test_a_healthy_system_has_nothing_left_of_the_case_before() -> None:
    failing, slow = UserSli(ok=15, failed=5), UserSli(ok=20, p50_milliseconds=900)
    made, told = instance(failing, slow, UserSli(ok=20, p50_milliseconds=30))
    asyncio.run(made.settled(5))
    assert told.asked == [5, 5, 5]


@pytest.mark.parametrize(
    "recent", [UserSli(), UserSli(ok=15, failed=5), UserSli(ok=9, p50_milliseconds=900)]
)
def test_a_system_that_does_not_settle_is_no_healthy_one(recent: UserSli) -> None:
    made, _ = instance(recent)
    with pytest.raises(SystemInstanceError, match="not served"):
        asyncio.run(made.settled(5, timeout_seconds=0.1))
