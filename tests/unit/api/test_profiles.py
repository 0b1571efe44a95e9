"""A profile fills in what is left out, and nothing else."""

from typing import Any

import pytest

from reme_api.actions import ActionName, Disruption
from reme_api.crd_generator import KINDS, definition
from reme_api.policy import Mode, RemediationPolicySpec
from reme_api.profiles import PROFILES, Profile


def spec(**fields: Any) -> RemediationPolicySpec:
    return RemediationPolicySpec.model_validate(fields)


@pytest.mark.parametrize("profile", Profile)
def test_a_profile_never_says_how_far_reme_may_go(profile: Profile) -> None:
    assert spec(profile=profile).mode is Mode.OBSERVE
    assert "mode" not in PROFILES[profile]


@pytest.mark.parametrize("profile", Profile)
def test_what_a_profile_says_is_taken(profile: Profile) -> None:
    found, said = spec(profile=profile), PROFILES[profile]
    assert found.max_attempts == said["max_attempts"]
    assert found.max_disruption is said["max_disruption"]
    assert found.budgets.model_dump(include=set(said["budgets"]), by_alias=False) == said["budgets"]
    assert found.evidence.model_dump(by_alias=False) == said["evidence"]
    assert [a.name for a in found.actions] == [rule["name"] for rule in said["actions"]]


def test_without_a_profile_nothing_is_allowed() -> None:
    found = spec()
    assert found.actions == []
    assert (found.budgets.max_concurrent, found.budgets.max_per_hour) == (1, 12)
    assert found.max_disruption is Disruption.HIGH
    assert found.evidence.min_persistence_seconds == 0


def test_what_the_policy_says_itself_goes_first() -> None:
    found = spec(
        profile="Conservative",
        maxAttempts=4,
        maxDisruption="None",
        actions=[{"name": "Restart"}],
        budgets={"maxPerHour": 99},
        evidence={"requireProbeFailure": False},
    )
    assert found.max_attempts == 4
    assert found.max_disruption is Disruption.NONE
    assert [a.name for a in found.actions] == [ActionName.RESTART]
    assert found.budgets.max_per_hour == 99
    assert found.budgets.cooldown_seconds == 900
    assert found.evidence.require_probe_failure is False
    assert found.evidence.min_confidence_percent == 50
    assert found.evidence.min_persistence_seconds == 60


def test_a_value_that_is_what_there_is_without_a_profile_still_goes_first() -> None:
    found = spec(profile="Broad", budgets={"maxConcurrent": 1}, maxAttempts=2)
    assert found.budgets.max_concurrent == 1
    assert found.max_attempts == 2


@pytest.mark.parametrize("profile", Profile)
def test_the_snapshot_of_a_policy_says_the_same_when_it_is_read_again(profile: Profile) -> None:
    found = spec(profile=profile, budgets={"maxPerHour": 3})
    assert RemediationPolicySpec.model_validate(found.wire()) == found


def test_a_policy_that_is_over_before_its_profile_lets_it_begin_can_still_be_read() -> None:
    found = spec(profile="Conservative", deadlineSeconds=45)
    assert RemediationPolicySpec.model_validate(found.wire()) == found
    assert (found.evidence.min_persistence_seconds, found.deadline_seconds) == (60, 45)


def test_each_profile_allows_what_the_one_before_it_does() -> None:
    names = [{a.name for a in spec(profile=p).actions} for p in Profile]
    assert names[0] < names[1] < names[2] == set(ActionName)
    disruptions = [spec(profile=p).max_disruption for p in Profile]
    assert not disruptions[0].exceeds(disruptions[1])
    assert not disruptions[1].exceeds(disruptions[2])
    lasting = [spec(profile=p).evidence.min_persistence_seconds for p in Profile]
    assert lasting == sorted(lasting, reverse=True)


def test_two_policies_do_not_share_the_actions_of_a_profile() -> None:
    first = spec(profile="Standard")
    first.actions.clear()
    assert spec(profile="Standard").actions


def test_the_api_server_fills_in_nothing_that_a_profile_does() -> None:
    (kind,) = [k for k in KINDS if k.model.KIND == "RemediationPolicy"]
    schema = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    fields = schema["properties"]["spec"]["properties"]
    for said in PROFILES.values():
        for name, value in said.items():
            field = fields["".join([name.split("_")[0], *map(str.title, name.split("_")[1:])])]
            assert not field.get("default"), name
            if isinstance(value, dict):
                assert all("default" not in part for part in field["properties"].values()), name


def test_disruptions_have_an_order() -> None:
    assert Disruption.HIGH.exceeds(Disruption.MEDIUM)
    assert Disruption.LOW.exceeds(Disruption.NONE)
    assert not Disruption.LOW.exceeds(Disruption.LOW)
