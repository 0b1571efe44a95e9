"""The cluster that the end-to-end tests run on: the one that KUBECONFIG names."""

import os

import pytest

from reme_cluster.kubectl import Kubectl


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    if not os.environ.get("KUBECONFIG"):
        pytest.fail("KUBECONFIG is not set: run these tests through `make test-e2e`")
    return Kubectl.from_environment()
