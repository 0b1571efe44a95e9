"""The small shop that the demonstration and the timings break and watch."""

import json
import time
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from reme_cluster.errors import CommandError
from reme_cluster.kubectl import Kubectl, Object

NAMESPACE = "shop"
SERVICES = ("front", "catalog", "cart", "stock", "load")


class ShopError(Exception):
    """The shop did not come up, or could not be measured."""


def manifest(name: str, *, namespace: str = NAMESPACE) -> list[Object]:
    """Return the objects of a file of this package, moved to another namespace when asked."""
    text = (resources.files("reme_benchmark") / "manifests" / name).read_text()
    objects = [o for o in yaml.safe_load_all(text) if o]
    if namespace != NAMESPACE:
        for item in objects:
            key = "name" if item["kind"] == "Namespace" else "namespace"
            item["metadata"][key] = namespace
    return objects


@dataclass(frozen=True)
class FrontDoor:
    """What users felt over some seconds."""

    ok: int
    failed: int
    p50_milliseconds: float | None

    @property
    def percent(self) -> float:
        """Share of the requests that succeeded; 0 when there were none."""
        return 100 * self.ok / (self.ok + self.failed) if self.ok + self.failed else 0.0

    def __str__(self) -> str:
        """Say it in a few words."""
        middle = f", median {self.p50_milliseconds:.0f} ms" if self.p50_milliseconds else ""
        return f"{self.percent:.0f}% of {self.ok + self.failed} requests answered{middle}"


@dataclass(frozen=True)
class Shop:
    """The shop in one namespace of one cluster."""

    kubectl: Kubectl
    namespace: str = NAMESPACE

    def deploy(self, timeout_seconds: int = 180) -> None:
        """Bring the shop to its healthy state, whatever it was before.

        Raises:
            ShopError: a service is not available within the timeout.
        """
        self.kubectl.apply(*manifest("shop.yaml", namespace=self.namespace))
        for service in SERVICES:
            try:
                self.kubectl.wait_for_rollout(
                    "deployment", service, self.namespace, timeout_seconds
                )
            except CommandError as error:
                raise ShopError(f"{service} does not become available: {error}") from error

    def set_env(self, service: str, **values: str) -> None:
        """Roll out a service with other settings, as a bad release would."""
        env = [{"name": k, "value": v} for k, v in values.items()]
        self._patch_container(service, {"env": env})

    def set_memory_limit(self, service: str, limit: str) -> None:
        """Roll out a service with another memory limit; the request goes with it."""
        self._patch_container(
            service, {"resources": {"limits": {"memory": limit}, "requests": {"memory": "16Mi"}}}
        )

    def _patch_container(self, service: str, fields: dict[str, Any]) -> None:
        patch = {"spec": {"template": {"spec": {"containers": [{"name": service, **fields}]}}}}
        self.kubectl.patch("deployment", service, self.namespace, patch)

    def front_door(self, seconds: int = 5) -> FrontDoor:
        """Return what users felt over the last whole seconds."""
        path = f"/api/v1/namespaces/{self.namespace}/services/http:load:8080/proxy/seconds"
        try:
            rows = json.loads(self.kubectl.raw(path))
        except (CommandError, ValueError):
            return FrontDoor(0, 0, None)
        now = int(time.time())
        # The two youngest seconds still have requests open: they would look better than they are.
        rows = [r for r in rows if now - seconds - 2 <= r["time"] < now - 2]
        middles = sorted(r["p50_milliseconds"] for r in rows if r["p50_milliseconds"] is not None)
        return FrontDoor(
            sum(r["ok"] for r in rows),
            sum(r["failed"] for r in rows),
            middles[len(middles) // 2] if middles else None,
        )

    def wait_for_front_door(self, *, healthy: bool, timeout_seconds: int) -> FrontDoor:
        """Wait until users are served (or are not); return what the front door answered.

        Raises:
            ShopError: not within the timeout.
        """
        until = time.monotonic() + timeout_seconds
        while time.monotonic() < until:
            front_door = self.front_door(3)
            if front_door.ok + front_door.failed >= 4 and (
                front_door.percent > 95 if healthy else front_door.percent < 50
            ):
                return front_door
            time.sleep(1)
        expected = "serve its customers" if healthy else "fail"
        raise ShopError(
            f"the shop did not {expected} within {timeout_seconds} s: {self.front_door()}"
        )
