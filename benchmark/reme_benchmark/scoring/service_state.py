"""Reads the current state of a service, and finds containers from which it can be called."""

from dataclasses import dataclass
from typing import NamedTuple

from reme_benchmark.injection.agent_client import target_in
from reme_benchmark.injection.specs import Target
from reme_benchmark.kube.cluster import Object
from reme_benchmark.scenarios.systems.render import USERS, users_namespace
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.snapshot import ready
from reme_kube.errors import ClusterError, NotFoundError


class UnmeasuredError(Exception):
    """A check cannot be measured; the message says why."""


class CheckResult(NamedTuple):
    """The outcome of one check: whether it holds, the measured value, and why it does not hold."""

    ok: bool
    value: str
    reason: str


@dataclass(frozen=True)
class ServiceState:
    """A workload now and as it was before the fault, with its pods."""

    key: str  # Kind/name
    now: Object | None
    before: Object
    pods: list[Object]  # selected by the labels from before, without terminating ones

    @property
    def name(self) -> str:
        """The name of the workload."""
        return self.key.partition("/")[2]

    @property
    def ready(self) -> list[Object]:
        """The ready pods."""
        return [p for p in self.pods if ready(p)]


async def read_service(context: CaseContext, name: str) -> ServiceState:
    """Return the state of a service.

    Raises:
        UnmeasuredError: it did not exist before the fault.
    """
    try:
        key, before = context.before.workload(name)
    except LookupError as error:
        raise UnmeasuredError(str(error)) from error
    kind = key.partition("/")[0]
    now = await context.cluster.get(kind, name, context.namespace)
    if now is not None:
        now.setdefault("kind", kind)
    labels = before["spec"]["selector"].get("matchLabels") or {}
    pods = await context.cluster.list("Pod", context.namespace, labels)
    alive = [p for p in pods if not p["metadata"].get("deletionTimestamp")]
    return ServiceState(key, now, before, alive)


def containers(pod: Object) -> dict[str, Target]:
    """Return the running containers of a pod by name, as targets of the fault agent."""
    names = [c["name"] for c in pod["spec"]["containers"]]
    return {name: target for name in names if (target := _running(pod, name))}


def _running(pod: Object, name: str) -> Target | None:
    try:
        return target_in(pod, name)
    except NotFoundError:
        return None


async def find_client_container(context: CaseContext, name: str) -> Target | None:
    """Return a container that can call the service: of a caller, or of the load generator.

    Its requests pass the node's Service rules and the NetworkPolicies as real requests do; those of
    the API server's proxy do not. None when no such container runs.
    """
    for caller in context.system.callers(name):
        try:
            state = await read_service(context, caller)
        except UnmeasuredError:
            continue
        for pod in state.ready:
            if target := _running(pod, ""):
                return target
    try:
        users = await context.cluster.list(
            "Pod", users_namespace(context.namespace), {"app": USERS}
        )
    except ClusterError:
        return None
    return next((t for pod in users if ready(pod) and (t := _running(pod, ""))), None)
