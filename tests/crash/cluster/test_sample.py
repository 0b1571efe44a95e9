"""The two crashes of a real cluster that `make test` has time for; test_crashes.py has them all."""

import pytest

from tests.crash.cluster import test_crashes as every
from tests.crash.cluster.conftest import Crashes

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def test_the_operator_is_killed_before_the_job_is_there(crashes: Crashes) -> None:
    every.test_the_operator_is_killed_at_a_boundary(crashes, "run named")


def test_the_operator_is_killed_while_the_run_is_under_way(crashes: Crashes) -> None:
    every.test_the_operator_is_killed_at_a_boundary(crashes, "Job recorded")
