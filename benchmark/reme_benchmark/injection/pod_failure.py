"""Makes one pod fail by giving it an image that does nothing, and gives it back.

On the pod and not on its workload, which would roll out others. What a container had is kept in an
annotation of the pod, so that also a later run can undo it.
"""

import contextlib
import json

from reme_benchmark.kube.cluster import Cluster, Object
from reme_kube.errors import NotFoundError

IMAGE = "localhost/reme-cluster/pause:1"
"""On a cluster that does not have it the image cannot be pulled, and the pod fails as well."""
ANNOTATION = "reme.dev/pod-fail-images"


async def swap(cluster: Cluster, namespace: str, pod: str, image: str = IMAGE) -> None:
    """Replace the image of every container of a pod; one that is replaced already stays so.

    Raises:
        NotFoundError: there is no such pod.

    """
    found = await cluster.get("Pod", pod, namespace)
    if found is None:
        raise NotFoundError(f"pod {namespace}/{pod} is not there")
    if kept(found):
        return
    images = {c["name"]: c["image"] for c in found["spec"]["containers"]}
    body = {
        "metadata": {"annotations": {ANNOTATION: json.dumps(images)}},
        "spec": {"containers": [{"name": name, "image": image} for name in images]},
    }
    await cluster.patch("Pod", pod, namespace, body)


async def undo(cluster: Cluster, namespace: str, pod: str) -> bool:
    """Give a pod its images back; return whether there was anything to give."""
    found = await cluster.get("Pod", pod, namespace)
    images = kept(found) if found else {}
    if not images:
        return False
    body = {
        "metadata": {"annotations": {ANNOTATION: None}},
        "spec": {"containers": [{"name": name, "image": was} for name, was in images.items()]},
    }
    try:
        await cluster.patch("Pod", pod, namespace, body)
    except NotFoundError:
        return False  # it was replaced meanwhile
    return True


async def sweep(cluster: Cluster, namespace: str = "") -> list[str]:
    """Undo what an earlier run left, in one namespace or all; return the pods as namespace/name."""
    swept = []
    for pod in await cluster.list("Pod", namespace):
        if kept(pod):
            place, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
            if await undo(cluster, place, name):
                swept.append(f"{place}/{name}")
    return swept


def kept(pod: Object) -> dict[str, str]:
    """Return the images that a pod had before, by container; empty when it was left alone."""
    text = pod["metadata"].get("annotations", {}).get(ANNOTATION, "")
    with contextlib.suppress(ValueError):
        images = json.loads(text)
        if isinstance(images, dict):
            return {str(name): str(image) for name, image in images.items()}
    return {}
