import pytest

from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.image import SetImage
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale
from reme_playbook.actions.service import PatchServiceSelector
from reme_playbook.execution.render import render, tasks
from tests.unit.playbook.builders import CART, SERVICE, STOCK, key

IMAGE = SetImage(target=CART, container="server", image="cart:1")
ENV = SetEnv(target=CART, container="server", variable="A", value="1")


def test_the_form_for_models_is_short() -> None:
    assert tasks([Rollback(target=CART)]) == [
        {
            "kubernetes.core.k8s_rollback": {
                "kind": "Deployment",
                "name": "cart",
                "namespace": "shop",
            }
        }
    ]


def test_a_play_runs_on_this_host_and_gathers_nothing() -> None:
    (play,) = render([IMAGE])
    assert {k: v for k, v in play.items() if k != "tasks"} == {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
    }


def test_a_patch_is_never_tried_again_as_another_kind_of_patch() -> None:
    (play,) = render([IMAGE])
    assert play["tasks"] == [
        {
            "name": "Set the image of container server of Deployment cart",
            "kubernetes.core.k8s": {
                "api_version": "apps/v1",
                "kind": "Deployment",
                "name": "cart",
                "namespace": "shop",
                "state": "patched",
                "definition": {
                    "spec": {
                        "template": {
                            "spec": {"containers": [{"name": "server", "image": "cart:1"}]}
                        }
                    }
                },
                "merge_type": ["strategic-merge"],
            },
        }
    ]


def test_a_rollback_runs_the_module_that_knows_whose_revisions_are_whose() -> None:
    (play,) = render([Rollback(target=CART, revision=3)])
    (task,) = play["tasks"]
    assert task["reme_rollback"] == {
        "api_version": "apps/v1",
        "kind": "Deployment",
        "name": "cart",
        "namespace": "shop",
        "revision": 3,
    }
    assert "kubernetes.core.k8s_rollback" not in str(render([Rollback(target=CART)]))


def test_a_scale_does_not_wait_and_a_deletion_has_no_definition() -> None:
    (play,) = render([Scale(target=CART, replicas=3), DeletePod(target=key("Pod", "p"))])
    scale, deletion = play["tasks"]
    assert scale["kubernetes.core.k8s_scale"]["wait"] is False
    assert deletion["kubernetes.core.k8s"] == {
        "api_version": "v1",
        "kind": "Pod",
        "name": "p",
        "namespace": "shop",
        "state": "absent",
    }


def test_patches_of_one_object_are_one_task_and_so_one_rollout() -> None:
    (play,) = render([IMAGE, ENV, Restart(target=CART), Scale(target=CART, replicas=2)])
    first, second = play["tasks"]
    template = first["kubernetes.core.k8s"]["definition"]["spec"]["template"]
    assert template == {
        "spec": {
            "containers": [
                {"name": "server", "image": "cart:1", "env": [{"name": "A", "value": "1"}]}
            ]
        },
        "metadata": {"annotations": {"reme.dev/restarted-at": "now"}},
    }
    assert "kubernetes.core.k8s_scale" in second


def test_patches_of_different_objects_stay_apart() -> None:
    selector = PatchServiceSelector(target=SERVICE, selector={"app": "cart"})
    (play,) = render([IMAGE, selector, Restart(target=STOCK)])
    assert len(play["tasks"]) == 3


@pytest.mark.parametrize("run_id", ["", "a b", "{{ x }}", "a\n", "x" * 64, "-a"])
def test_a_run_id_is_a_plain_word(run_id: str) -> None:
    with pytest.raises(ValueError, match="run id"):
        render([Restart(target=CART)], run_id=run_id)


def test_the_run_id_marks_a_restart() -> None:
    (play,) = render([Restart(target=CART)], run_id="reme-0123abcd-1")
    assert "'reme.dev/restarted-at': 'reme-0123abcd-1'" in str(play)
