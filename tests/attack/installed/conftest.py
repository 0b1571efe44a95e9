"""reme as it is installed, asked through the API; a scripted model says what a test wants."""

from collections.abc import Iterator

import pytest

from reme_benchmark.harness.scripted_model_client import ScriptedModel
from reme_cluster.kubectl import Kubectl
from tests.attack.installed.fleet import Fleet
from tests.attack.installed.injection_campaign import InjectionCampaign
from tests.attack.installed.injection_planter import Planter
from tests.e2e.path.conftest import installed, scripted
from tests.e2e.sandbox.conftest import Api

__all__ = ["installed", "scripted"]


@pytest.fixture(scope="module")
def played(
    kubectl: Kubectl, scripted: ScriptedModel, installed: None, api: Api
) -> Iterator[InjectionCampaign]:
    fleet = Fleet(kubectl, scripted, "reme-injected")
    injection_campaign = InjectionCampaign(fleet, api, Planter(fleet, api))
    try:
        injection_campaign.ground()
        yield injection_campaign
    finally:
        injection_campaign.remove()
