"""Whether a node could take the pods of the target, and what keeps them away from it."""

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.related_views import NodeView
from reme_playbook.snapshot.snapshot import ClusterSnapshot


def fits_node(view: NodeView, snapshot: ClusterSnapshot) -> bool:
    """Return whether the node is ready and has the labels that the target's pods ask for."""
    selector = snapshot.node_selector.items()
    return view.ready and all(view.labels.get(key) == value for key, value in selector)


def repels(view: NodeView, key: str, effect: str, snapshot: ClusterSnapshot) -> bool:
    """Return whether a taint of the node keeps the target's pods away."""
    if effect == "PreferNoSchedule":
        return False
    value = next((t.value for t in view.taints if (t.key, t.effect) == (key, effect)), "")
    return not any(
        unstructured.text(toleration, "effect") in ("", effect)
        and (
            unstructured.text(toleration, "key") in ("", key)
            if unstructured.text(toleration, "operator") == "Exists"
            else (unstructured.text(toleration, "key"), unstructured.text(toleration, "value"))
            == (key, value)
        )
        for toleration in unstructured.items(snapshot.template, "spec", "tolerations")
    )
