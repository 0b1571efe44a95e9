"""What the operator grants a run: the values that it will write, and the template of a rollback."""

from typing import Any

import pytest

from reme_api.reasons import Outcome
from reme_api.run_grant import RunGrantSpec
from tests.doubles.shop import GOOD, file_report, open_shop, rollback
from tests.integration.operator.conftest import World


async def test_a_rollback_is_granted_the_template_that_it_goes_back_to(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shop(world.api)
    world.model.say([rollback()])
    granted: list[Any] = []
    save = world.api._save

    def record_grant(key: tuple[str, str, str], value: Any, before: Any) -> Any:
        if key[0] == "rungrants":
            granted.append(value)
        return save(key, value, before)

    monkeypatch.setattr(world.api, "_save", record_grant)
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(40)
    assert ended.status.outcome is Outcome.VERIFIED
    assert granted
    for grant in granted:
        rules = RunGrantSpec.model_validate(grant["spec"]).rules
        (rule,) = (r for r in rules if r.resource == "deployments")
        (container,) = rule.values["spec.template"]["spec"]["containers"]
        assert container["image"] == GOOD
