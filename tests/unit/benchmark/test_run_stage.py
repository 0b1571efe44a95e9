"""How a system is put into the cluster."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import cast

import pytest

from reme_benchmark.harness.system_instance import Stage, StageError, as_applied
from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.scenarios.systems import catalog
from reme_benchmark.scenarios.systems.render import manifests
from reme_benchmark.scoring.user_sli import Felt, Users
from reme_playbook.snapshot.snapshot import LAST_APPLIED, last_applied


def test_what_is_deployed_says_what_was_asked_for() -> None:
    for body in manifests(catalog.load("simple-micro"), "shop", flavour="workload"):
        before = json.dumps(body)
        found = as_applied(body)
        assert last_applied(found) == body
        assert json.dumps(body) == before
        kept = body["metadata"].get("annotations", {})
        assert found["metadata"]["annotations"] == kept | {
            LAST_APPLIED: found["metadata"]["annotations"][LAST_APPLIED]
        }


@dataclass
class Told:
    """Users who felt one thing after the other, and go on with the last."""

    felts: list[Felt]
    asked: list[int] = field(default_factory=list)

    async def felt(self, seconds: int) -> Felt:
        self.asked.append(seconds)
        return self.felts[min(len(self.asked), len(self.felts)) - 1]


def stage(*felts: Felt) -> tuple[Stage, Told]:
    made = Stage(cast("Cluster", None), catalog.load("simple-micro"), "shop")
    told = Told(list(felts))
    made.users = cast("Users", told)
    made.usual = Felt(ok=40, p50_milliseconds=20)
    return made, told


def test_a_healthy_system_has_nothing_left_of_the_case_before() -> None:
    failing, slow = Felt(ok=15, failed=5), Felt(ok=20, p50_milliseconds=900)
    made, told = stage(failing, slow, Felt(ok=20, p50_milliseconds=30))
    asyncio.run(made.settled(5))
    assert told.asked == [5, 5, 5]


@pytest.mark.parametrize("felt", [Felt(), Felt(ok=15, failed=5), Felt(ok=9, p50_milliseconds=900)])
def test_a_system_that_does_not_settle_is_no_healthy_one(felt: Felt) -> None:
    made, _ = stage(felt)
    with pytest.raises(StageError, match="not served"):
        asyncio.run(made.settled(5, timeout_seconds=0.1))
