"""What measurements read: one service of a situation as it is now, and who can look at it."""

from dataclasses import dataclass

from reme_benchmark.injection.agent_client import target_in
from reme_benchmark.injection.specs import Target
from reme_benchmark.kube.cluster import Object
from reme_benchmark.scenarios.systems.render import USERS, users_namespace
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.snapshot import ready
from reme_kube.errors import ClusterError, NotFoundError


class UnmeasuredError(Exception):
    """Nothing can be said; the message says why."""


@dataclass(frozen=True)
class Service:
    """A workload now and as it was before the fault, with its pods."""

    key: str  # Kind/name
    now: Object | None
    before: Object
    pods: list[Object]  # that it should have, by the labels from before; none that is ending

    @property
    def name(self) -> str:
        """Its name."""
        return self.key.partition("/")[2]

    @property
    def ready(self) -> list[Object]:
        """Its pods that are ready."""
        return [p for p in self.pods if ready(p)]


async def service(context: CaseContext, name: str) -> Service:
    """Return a service of the situation.

    Raises:
        UnmeasuredError: there was none before the fault.
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
    found = await context.cluster.list("Pod", context.namespace, labels)
    alive = [p for p in found if not p["metadata"].get("deletionTimestamp")]
    return Service(key, now, before, alive)


def containers(pod: Object) -> dict[str, Target]:
    """Return the running containers of a pod by name, as the agent knows them."""
    names = [c["name"] for c in pod["spec"]["containers"]]
    return {name: found for name in names if (found := _running(pod, name))}


def _running(pod: Object, name: str) -> Target | None:
    try:
        return target_in(pod, name)
    except NotFoundError:
        return None


async def vantage(context: CaseContext, name: str) -> Target | None:
    """Return a container from which the service is asked: its caller's, or the users' own.

    So requests take the way that real ones take, through the rules of the node and the policies
    of the network; the API server's proxy knows neither.
    """
    for caller in context.system.callers(name):
        try:
            found = await service(context, caller)
        except UnmeasuredError:
            continue
        for pod in found.ready:
            if seen := _running(pod, ""):
                return seen
    try:
        users = await context.cluster.list(
            "Pod", users_namespace(context.namespace), {"app": USERS}
        )
    except ClusterError:
        return None
    return next((seen for pod in users if ready(pod) and (seen := _running(pod, ""))), None)
