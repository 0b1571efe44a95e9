"""Makes one pod fail by replacing its images with one that does nothing, and restores them.

The pod is changed and not its workload, which would roll out new pods. An annotation of the pod
holds the original images, so that a later run can restore them too.
"""

import contextlib
import json

from reme_benchmark.kube.cluster import Cluster, Object
from reme_kube.errors import NotFoundError

IMAGE = "localhost/reme-cluster/pause:1"
"""On a cluster without this image the pull fails, and the pod fails as well."""
ANNOTATION = "reme.dev/pod-fail-images"


async def replace_images(cluster: Cluster, namespace: str, pod: str, image: str = IMAGE) -> None:
    """Replace the image of every container of a pod, unless that was done before.

    Raises:
        NotFoundError: the pod does not exist.
    """
    pod_object = await cluster.get("Pod", pod, namespace)
    if pod_object is None:
        raise NotFoundError(f"pod {namespace}/{pod} does not exist")
    if original_images(pod_object):
        return
    images = {c["name"]: c["image"] for c in pod_object["spec"]["containers"]}
    body = {
        "metadata": {"annotations": {ANNOTATION: json.dumps(images)}},
        "spec": {"containers": [{"name": name, "image": image} for name in images]},
    }
    await cluster.patch("Pod", pod, namespace, body)


async def restore(cluster: Cluster, namespace: str, pod: str) -> bool:
    """Restore the original images of a pod; return whether they had been replaced."""
    pod_object = await cluster.get("Pod", pod, namespace)
    images = original_images(pod_object) if pod_object else {}
    if not images:
        return False
    body = {
        "metadata": {"annotations": {ANNOTATION: None}},
        "spec": {"containers": [{"name": name, "image": was} for name, was in images.items()]},
    }
    try:
        await cluster.patch("Pod", pod, namespace, body)
    except NotFoundError:
        return False  # another pod took its place
    return True


async def sweep(cluster: Cluster, namespace: str = "") -> list[str]:
    """Restore all failed pods, in one namespace or all; return them as namespace/name."""
    swept = []
    for pod in await cluster.list("Pod", namespace):
        if original_images(pod):
            place, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
            if await restore(cluster, place, name):
                swept.append(f"{place}/{name}")
    return swept


def original_images(pod: Object) -> dict[str, str]:
    """Return the original images of a pod by container; empty when they were not replaced."""
    text = pod["metadata"].get("annotations", {}).get(ANNOTATION, "")
    with contextlib.suppress(ValueError):
        images = json.loads(text)
        if isinstance(images, dict):
            return {str(name): str(image) for name, image in images.items()}
    return {}
