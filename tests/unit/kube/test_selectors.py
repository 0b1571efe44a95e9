import pytest

from reme_kube.errors import UnreadableError
from reme_kube.resources import JOBS, NODES, PODS, RESOURCES, resource_for_manifest
from reme_kube.workloads import label_selector


def test_labels_and_expressions_become_one_selector() -> None:
    selector = {
        "matchLabels": {"app": "cart"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "DoesNotExist"},
            {"key": "zone", "operator": "NotIn", "values": ["z"]},
            {"key": "team", "operator": "Exists"},
        ],
    }
    assert label_selector(selector) == "app=cart,tier in (a,b),!old,zone notin (z),team"


@pytest.mark.parametrize(
    "selector",
    [None, {}, {"matchLabels": {}}, {"matchExpressions": [{"key": "a", "operator": "X"}]}],
)
def test_a_selector_that_would_match_everything_is_refused(selector: dict[str, object]) -> None:
    with pytest.raises(UnreadableError):
        label_selector(selector)


def test_paths() -> None:
    assert PODS.path("shop", "cart-1") == "/api/v1/namespaces/shop/pods/cart-1"
    assert JOBS.path() == "/apis/batch/v1/jobs"
    assert JOBS.path("shop", "run", "status") == "/apis/batch/v1/namespaces/shop/jobs/run/status"
    assert NODES.path("shop", "n1") == "/api/v1/nodes/n1", "a kind that has no namespaces"
    assert RESOURCES["Node"] is NODES


def test_a_kind_that_the_operator_never_creates_is_refused() -> None:
    assert resource_for_manifest({"apiVersion": "batch/v1", "kind": "Job"}) is JOBS
    with pytest.raises(ValueError, match="does not create v1 Secret"):
        resource_for_manifest({"apiVersion": "v1", "kind": "Secret"})
