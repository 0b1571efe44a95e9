"""Brings a system up and takes it down, as anybody with kubectl could."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from reme_benchmark.kube.kubectl import Kubectl, KubectlError, Object
from reme_benchmark.scenarios.systems.model import System
from reme_benchmark.scenarios.systems.render import (
    IMAGE,
    USERS,
    USERS_PORT,
    Flavour,
    manifests,
    users,
    users_namespace,
)

_KINDS = "deployments.apps,statefulsets.apps"


class DeployError(Exception):
    """A system did not come up or go away in time; the message says what is missing."""


@dataclass(frozen=True)
class Progress:
    """How many workloads of a system are as they should be."""

    ready: int
    waiting: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether there are workloads, and none is waited for."""
        return self.ready > 0 and not self.waiting


@dataclass(frozen=True)
class Felt:
    """What users felt over some seconds."""

    ok: int
    failed: int
    p50_milliseconds: float | None
    p95_milliseconds: float | None

    def __str__(self) -> str:
        """Say it in a few words."""
        asked = self.ok + self.failed
        share = f"{100 * self.ok / asked:.0f}%" if asked else "none"
        middle = f", median {self.p50_milliseconds:.0f} ms" if self.p50_milliseconds else ""
        return f"{share} of {asked} requests answered{middle}"


def rolled_out(workload: Object) -> bool:
    """Return whether a Deployment or StatefulSet serves its newest template with all replicas."""
    spec, status = workload["spec"], workload.get("status", {})
    wanted = spec.get("replicas", 1)
    # Older status says nothing of the newest template; more replicas than wanted are old ones.
    seen = bool(status.get("observedGeneration", 0) >= workload["metadata"]["generation"])
    newest = min(status.get("updatedReplicas", 0), status.get("readyReplicas", 0))
    return seen and newest >= wanted >= status.get("replicas", 0)


def progress(kubectl: Kubectl, *namespaces: str) -> Progress:
    """Return how far the workloads of some namespaces are."""
    found = [w for namespace in namespaces for w in kubectl.list(_KINDS, namespace)]
    waiting = sorted(w["metadata"]["name"] for w in found if not rolled_out(w))
    return Progress(len(found) - len(waiting), tuple(waiting))


def up(
    kubectl: Kubectl,
    system: System,
    namespace: str,
    *,
    flavour: Flavour = "workload",
    image: str = IMAGE,
    with_users: bool = True,
    timeout_seconds: float = 300,
    show: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Bring a system's own objects to their published state, and wait until they are ready.

    What others put beside them, such as a quota or a network policy, stays.

    Raises:
        DeployError: it is not ready within the timeout.
        KubectlError: the API server refused it.
    """
    until = time.monotonic() + timeout_seconds
    put(kubectl, manifests(system, namespace, flavour=flavour, image=image))
    namespaces = [namespace]
    if with_users:
        put(kubectl, users(system, namespace, flavour=flavour, image=image))
        namespaces.append(users_namespace(namespace))
    while not (now := progress(kubectl, *namespaces)).complete:
        show(now)
        if time.monotonic() > until:
            named = ", ".join(now.waiting[:8])
            raise DeployError(
                f"{system.name} is not ready after {timeout_seconds:.0f} s, waiting for "
                f"{len(now.waiting)}: {named}"
            )
        time.sleep(1)
    show(now)


def put(kubectl: Kubectl, objects: list[Object]) -> None:
    """Create objects; those that are there already become exactly what is given.

    Raises:
        KubectlError: the API server refused it.
    """
    columns = "custom-columns=K:.kind,S:.metadata.namespace,N:.metadata.name"
    lines = kubectl.run(
        "get", "-f", "-", "--ignore-not-found", "--no-headers", "-o", columns,
        stdin=yaml.safe_dump_all(objects),
    ).splitlines()  # fmt: skip
    there = {tuple(line.split()) for line in lines}
    if missing := [o for o in objects if _key(o) not in there]:
        kubectl.apply(*missing)
    # An apply would leave what somebody else added, such as one more variable: replace does not.
    kept = [o for o in objects if _key(o) in there and o["kind"] != "Namespace"]
    if kept:
        kubectl.run("replace", "-f", "-", stdin=yaml.safe_dump_all(kept), timeout_seconds=120)


def _key(item: Object) -> tuple[str, ...]:
    metadata = item["metadata"]
    return (item["kind"], metadata.get("namespace", "<none>"), metadata["name"])


def down(kubectl: Kubectl, namespace: str, *, timeout_seconds: float = 180) -> None:
    """Delete a system's namespaces, and wait until they are gone.

    Raises:
        DeployError: they are still there after the timeout.
    """
    names = (users_namespace(namespace), namespace)
    for name in names:
        kubectl.delete("namespace", name, wait=False)
    until = time.monotonic() + timeout_seconds
    while left := [name for name in names if kubectl.get("namespace", name)]:
        if time.monotonic() > until:
            raise DeployError(f"still there after {timeout_seconds:.0f} s: {', '.join(left)}")
        time.sleep(1)


def felt(kubectl: Kubectl, namespace: str, seconds: int = 10) -> Felt:
    """Return what users of a system felt over the last settled seconds.

    Raises:
        DeployError: the load generator does not answer.
    """
    home = users_namespace(namespace)
    path = f"/api/v1/namespaces/{home}/services/http:{USERS}:{USERS_PORT}/proxy/window"
    try:
        record = json.loads(kubectl.raw(f"{path}?seconds={seconds}"))
    except (KubectlError, ValueError) as error:
        raise DeployError(f"the users of {namespace} do not answer: {error}") from error
    return Felt(
        record["ok"], record["failed"], record["p50_milliseconds"], record["p95_milliseconds"]
    )
