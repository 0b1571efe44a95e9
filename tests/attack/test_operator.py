"""The operator itself is taken over, with every right there is: what may it make of a run?"""

from typing import Any

import pytest

from reme_playbook.execution.manifests import RunManifests, manifests
from tests.attack.environment import AttackEnvironment
from tests.attack.verdicts import Verdict, stopped_by
from tests.e2e.sandbox.conftest import Identity, RunAdmission
from tests.e2e.sandbox.test_operator_admission import JOBS, REPORTS, create, follow_up, request

pytestmark = pytest.mark.cluster

OPERATOR = "the operator taken over"


@pytest.fixture(scope="module")
def operator(admission: RunAdmission) -> Identity:
    user = f"system:serviceaccount:{admission.system}:{admission.fullname}-operator"
    return Identity(user, ("system:masters",), None)


def test_no_job_but_a_run_of_reme(
    environment: AttackEnvironment, operator: Identity, verdicts: list[Verdict]
) -> None:
    admission = environment.admission
    run_manifests: RunManifests = manifests(request(admission))
    assert create(admission, operator, run_manifests.job).status == 201
    for name, change in JOBS.items():
        job: Any = manifests(request(admission)).job
        change(job)
        reply = create(admission, operator, job)
        who = stopped_by(reply.status, reply.message)
        verdicts.append(Verdict(OPERATOR, f"a Job: {name}", who, reply.message))
        assert who == "admission: operator admission", (name, reply)


def test_no_report_but_about_a_cause(
    environment: AttackEnvironment, operator: Identity, verdicts: list[Verdict]
) -> None:
    admission = environment.admission
    assert create(admission, operator, follow_up(admission)).status == 201
    for name, change in REPORTS.items():
        report = follow_up(admission)
        change(report)
        reply = create(admission, operator, report)
        who = stopped_by(reply.status, reply.message)
        verdicts.append(Verdict(OPERATOR, f"a report: {name}", who, reply.message))
        assert who == "admission: operator admission", (name, reply)
