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
    remediation_policy_spec, values = spec(profile=profile), PROFILES[profile]
    assert remediation_policy_spec.max_attempts == values["max_attempts"]
    assert remediation_policy_spec.max_disruption is values["max_disruption"]
    assert (
        remediation_policy_spec.budgets.model_dump(include=set(values["budgets"]), by_alias=False)
        == values["budgets"]
    )
    assert remediation_policy_spec.evidence.model_dump(by_alias=False) == values["evidence"]
    assert [a.name for a in remediation_policy_spec.actions] == [
        rule["name"] for rule in values["actions"]
    ]


def test_without_a_profile_nothing_is_allowed() -> None:
    remediation_policy_spec = spec()
    assert remediation_policy_spec.actions == []
    assert (
        remediation_policy_spec.budgets.max_concurrent,
        remediation_policy_spec.budgets.max_per_hour,
    ) == (1, 12)
    assert remediation_policy_spec.max_disruption is Disruption.HIGH
    assert remediation_policy_spec.evidence.min_persistence_seconds == 0


def test_what_the_policy_says_itself_goes_first() -> None:
    remediation_policy_spec = spec(
        profile="Conservative",
        maxAttempts=4,
        maxDisruption="None",
        actions=[{"name": "Restart"}],
        budgets={"maxPerHour": 99},
        evidence={"requireProbeFailure": False},
    )
    assert remediation_policy_spec.max_attempts == 4
    assert remediation_policy_spec.max_disruption is Disruption.NONE
    assert [a.name for a in remediation_policy_spec.actions] == [ActionName.RESTART]
    assert remediation_policy_spec.budgets.max_per_hour == 99
    assert remediation_policy_spec.budgets.cooldown_seconds == 900
    assert remediation_policy_spec.evidence.require_probe_failure is False
    assert remediation_policy_spec.evidence.min_confidence_percent == 50
    assert remediation_policy_spec.evidence.min_persistence_seconds == 60


def test_a_value_that_is_what_there_is_without_a_profile_still_goes_first() -> None:
    remediation_policy_spec = spec(profile="Broad", budgets={"maxConcurrent": 1}, maxAttempts=2)
    assert remediation_policy_spec.budgets.max_concurrent == 1
    assert remediation_policy_spec.max_attempts == 2


@pytest.mark.parametrize("profile", Profile)
def test_the_snapshot_of_a_policy_says_the_same_when_it_is_read_again(profile: Profile) -> None:
    remediation_policy_spec = spec(profile=profile, budgets={"maxPerHour": 3})
    assert (
        RemediationPolicySpec.model_validate(remediation_policy_spec.wire())
        == remediation_policy_spec
    )


def test_a_policy_that_is_over_before_its_profile_lets_it_begin_can_still_be_read() -> None:
    remediation_policy_spec = spec(profile="Conservative", deadlineSeconds=45)
    assert (
        RemediationPolicySpec.model_validate(remediation_policy_spec.wire())
        == remediation_policy_spec
    )
    assert (
        remediation_policy_spec.evidence.min_persistence_seconds,
        remediation_policy_spec.deadline_seconds,
    ) == (60, 45)


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
    for values in PROFILES.values():
        for name, value in values.items():
            field = fields["".join([name.split("_")[0], *map(str.title, name.split("_")[1:])])]
            assert not field.get("default"), name
            if isinstance(value, dict):
                assert all("default" not in part for part in field["properties"].values()), name


def test_disruptions_have_an_order() -> None:
    assert Disruption.HIGH.exceeds(Disruption.MEDIUM)
    assert Disruption.LOW.exceeds(Disruption.NONE)
    assert not Disruption.LOW.exceeds(Disruption.LOW)
