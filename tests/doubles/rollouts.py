"""Rolls Deployments out in time, as their controller and the kubelet do."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.doubles.api_rules import Json
from tests.doubles.fake_api import FakeApi

_HOLDS = ["test/terminating"]  # a finalizer: a pod with a deletion time stays until it is removed


@dataclass
class Rollouts:
    """The controller of Deployments; to be used as a hook of the API."""

    api: FakeApi
    seconds: float = 1.0
    """How long the pods of an older template are still terminating."""
    ready: Callable[[Json], bool] = lambda _: True
    """Whether the pods of a Deployment become ready."""
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    _observed: dict[str, Any] = field(default_factory=dict)
    rolling: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """Take the Deployments as they are for rolled out."""
        for deployment in self.api.all("deployments"):
            self._observed[_key(deployment)] = _pods_of(deployment)
            self._settle(_key(deployment))

    def __call__(self, what: str, obj: Json) -> None:
        """React to one change of the store."""
        if what != "MODIFIED deployments" or self._observed.get(_key(obj)) == _pods_of(obj):
            return
        key = _key(obj)
        self._observed[key] = _pods_of(obj)
        self.rolling.add(key)
        pod = f"{obj['metadata']['name']}-{obj['metadata']['generation']}-old"
        self.api.put("pods", self._terminating(obj, pod))
        self._status(key, replicas=2, updatedReplicas=0)
        # In a context of its own: it does not end with whoever made the change.
        later = asyncio.get_running_loop().call_later
        later(self.seconds, self._end, key, pod, context=Context())

    def _end(self, key: str, pod: str) -> None:
        namespace, _ = key.split("/")
        if self.api.get("pods", namespace, pod) is not None:
            self.api.edit("pods", namespace, pod, {"metadata": {"finalizers": None}})
        self._settle(key)
        self.rolling.discard(key)

    def _settle(self, key: str) -> None:
        namespace, name = key.split("/")
        deployment = self.api.get("deployments", namespace, name)
        if deployment is not None:
            desired = deployment["spec"].get("replicas", 1)
            available = desired if self.ready(deployment) else 0
            self._status(
                key, replicas=desired, updatedReplicas=desired, availableReplicas=available
            )

    def _status(self, key: str, **fields: int) -> None:
        namespace, name = key.split("/")
        deployment = self.api.get("deployments", namespace, name)
        if deployment is not None:
            generation = deployment["metadata"]["generation"]
            status = {"observedGeneration": generation, **fields}
            self.api.edit("deployments", namespace, name, {"status": status})

    def _terminating(self, deployment: Json, name: str) -> Json:
        namespace = deployment["metadata"]["namespace"]
        replica_set = self.api.all("replicasets", namespace)[-1]
        return {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": deployment["spec"]["selector"]["matchLabels"],
                "deletionTimestamp": self.now().isoformat(timespec="seconds"),
                "finalizers": _HOLDS,
                "ownerReferences": [
                    {
                        "uid": replica_set["metadata"]["uid"],
                        "controller": True,
                        "kind": "ReplicaSet",
                        "name": replica_set["metadata"]["name"],
                    }
                ],
            },
            "spec": {},
            "status": {"phase": "Running"},
        }


def _key(deployment: Json) -> str:
    return f"{deployment['metadata']['namespace']}/{deployment['metadata']['name']}"


def _pods_of(deployment: Json) -> tuple[Any, Any]:
    return deployment["spec"]["template"], deployment["spec"].get("replicas")
