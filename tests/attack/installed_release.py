"""The fence of the release that is installed, instead of one of the tests' own."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from reme_cluster.kubectl import Kubectl
from tests.e2e.sandbox.conftest import CHART, Api, RunAdmission, eventually
from tests.support.testbed import RELEASE, SYSTEM

_OPERATOR = f"{RELEASE}-operator"
_MADE = "app.kubernetes.io/managed-by=reme,reme.dev/remediation-name=e2e"
_KINDS = ("jobs", "rolebindings", "serviceaccounts", "configmaps", "rungrants.reme.dev")


@contextmanager
def admission_of_release(kubectl: Kubectl, api: Api) -> Iterator[RunAdmission]:
    """Yield it, with a shop of its own to attack; the operator is away meanwhile.

    There is no remediation behind the runs that are attacked, and the operator would clear them
    away as orphans in the midst of it.
    """
    mark = secrets.token_hex(3)
    run_admission = RunAdmission(kubectl, api, SYSTEM, f"shop-{mark}", RELEASE)
    policy = (
        f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{RELEASE}-run-admission"
    )
    assert api("GET", policy).status == 200, "the chart is not installed"
    try:
        _operators(kubectl, 0)
        kubectl.run("create", "namespace", run_admission.shop)
        account = f"/api/v1/namespaces/{run_admission.shop}/serviceaccounts/default"
        eventually(lambda: api("GET", account).status == 200)
        shop = CHART.parents[1] / "tests" / "e2e" / "sandbox" / "shop.yaml"
        kubectl.run("apply", "-n", run_admission.shop, "-f", str(shop))
        yield run_admission
    finally:
        by = [f"--as={run_admission.operator.user}", "--as-group=system:masters"]
        for kind in _KINDS:
            kubectl.run("delete", kind, "-n", SYSTEM, "-l", _MADE, *by, timeout_seconds=180)
        kubectl.run("delete", "namespace", run_admission.shop, "--ignore-not-found", "--wait=false")
        _operators(kubectl, 1)


def _operators(kubectl: Kubectl, replicas: int) -> None:
    kubectl.run("scale", f"deployment/{_OPERATOR}", "-n", SYSTEM, f"--replicas={replicas}")
    kubectl.run(
        *("rollout", "status", f"deployment/{_OPERATOR}", "-n", SYSTEM, "--timeout=180s"),
        timeout_seconds=190,
    )
