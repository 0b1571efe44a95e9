"""A run that the kill switch stops can write nothing more before anybody writes down why."""

from typing import Any

from reme_api.reasons import Outcome, Reason
from tests.doubles.shop import RELEASE, file_report, open_shop, rollback
from tests.integration.operator.conftest import World


async def test_its_rights_go_before_the_record_is_written(world: World) -> None:
    open_shop(world.api)
    world.model.say([rollback()])
    world.runner.seconds = 20.0
    switch = {
        "metadata": {"name": "reme-stop", "namespace": RELEASE},
        "data": {"inFlight": "Abort"},
    }

    def turned_on() -> None:
        world.api.put("configmaps", switch)

    world.runner.before = turned_on
    happened: list[str] = []

    def note(what: str, obj: dict[str, Any]) -> None:
        if what == "DELETED rolebindings":
            happened.append("rights gone")
        attempts = obj.get("status", {}).get("attempts") or [{}]
        if what == "MODIFIED remediations" and attempts[-1].get("reason") == Reason.KILL_SWITCH:
            happened.append("written down")

    world.api.hooks.append(note)
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: "written down" in happened, 40)
        assert happened[0] == "rights gone"
        assert not world.api.all("rolebindings")
        world.runner.before = None
        world.runner.seconds = 0.2
        world.api.remove("configmaps", RELEASE, "reme-stop")
        ended = await world.ended(30)
    assert (ended.status.outcome, ended.status.reason) == (Outcome.CANCELLED, Reason.KILL_SWITCH)
