"""Going back to an earlier pod template."""

from typing import Any

import pytest

from reme_playbook.snapshot.revisions import (
    RevisionNotFoundError,
    own_revisions,
    select_revision,
    template_patch,
)

DEPLOYMENT: dict[str, Any] = {
    "metadata": {"uid": "u1", "resourceVersion": "7"},
    "spec": {
        "template": {
            "metadata": {"labels": {"app": "cart"}},
            "spec": {"containers": [{"name": "app", "image": "bad"}]},
        }
    },
}


def replica_set(number: int, image: str, owner: str = "u1", **annotations: str) -> dict[str, Any]:
    return {
        "metadata": {
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "ownerReferences": [{"uid": owner}],
            "creationTimestamp": f"2026-01-01T00:00:{number:02}Z",
        },
        "spec": {
            "template": {
                "metadata": {
                    "labels": {"app": "cart", "pod-template-hash": "x"},
                    "creationTimestamp": None,
                    "annotations": annotations,
                },
                "spec": {"containers": [{"name": "app", "image": image}]},
            }
        },
    }


def controller_revision(number: int, image: str) -> dict[str, Any]:
    template = {
        "$patch": "replace",
        "metadata": {"labels": {"app": "cart"}},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }
    return {
        "metadata": {"ownerReferences": [{"uid": "u1"}]},
        "revision": number,
        "data": {"spec": {"template": template}},
    }


def test_the_newest_that_differs_is_chosen() -> None:
    restarted = replica_set(4, "bad", **{"reme.dev/restarted-at": "now"})
    history = [replica_set(1, "old"), replica_set(2, "good"), replica_set(3, "bad"), restarted]
    known = own_revisions(DEPLOYMENT, "Deployment", history)
    assert [r.number for r in known] == [4, 3, 2, 1]
    assert select_revision(DEPLOYMENT, known, None).number == 2
    assert select_revision(DEPLOYMENT, known, 1).number == 1


def test_another_workloads_history_is_not_ours() -> None:
    history = [replica_set(1, "theirs", owner="u2"), {"metadata": {}}, replica_set(2, "bad")]
    known = own_revisions(DEPLOYMENT, "Deployment", history)
    assert [r.number for r in known] == [2]
    with pytest.raises(RevisionNotFoundError):
        select_revision(DEPLOYMENT, known, None)
    with pytest.raises(RevisionNotFoundError, match="no revision 1"):
        select_revision(DEPLOYMENT, known, 1)


def test_an_object_that_is_gone_owns_nothing() -> None:
    assert own_revisions({}, "Deployment", [replica_set(1, "a", owner="")]) == ()


def test_the_template_is_replaced_as_a_whole_and_only_if_nobody_wrote_meanwhile() -> None:
    known = own_revisions(DEPLOYMENT, "Deployment", [replica_set(1, "good")])
    test, replace = template_patch(DEPLOYMENT, known[0])
    assert test == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    assert replace["op"] == "replace"
    assert replace["path"] == "/spec/template"
    assert replace["value"]["metadata"] == {"labels": {"app": "cart"}, "annotations": {}}
    assert replace["value"]["spec"]["containers"][0]["image"] == "good"


def test_other_kinds_keep_their_history_elsewhere() -> None:
    history = [controller_revision(1, "good"), controller_revision(2, "bad")]
    known = own_revisions(DEPLOYMENT, "StatefulSet", history)
    assert select_revision(DEPLOYMENT, known, None).number == 1
    assert (
        "$patch"
        not in template_patch(DEPLOYMENT, select_revision(DEPLOYMENT, known, None))[1]["value"]
    )


@pytest.mark.parametrize("number", ["\u00b2", "\uff11", "9" * 5000, "1_0", "", "-1"])
def test_a_revision_without_a_number_is_not_one(number: str) -> None:
    """Annotations of ReplicaSets are text that anybody may have written."""
    odd = replica_set(3, "odd")
    odd["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = number
    known = own_revisions(DEPLOYMENT, "Deployment", [odd, replica_set(2, "good")])
    assert [revision.number for revision in known] == [2]
