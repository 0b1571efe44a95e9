"""Whether a service answers: asked through its Service, and pod by pod."""

import asyncio
import contextlib
import time
from typing import NamedTuple

from reme_benchmark.injection.agent_client import AgentsError
from reme_benchmark.injection.specs import Target
from reme_benchmark.kube.cluster import Object
from reme_benchmark.scenarios.faults.model import NetworkGood, Serves
from reme_benchmark.scoring import pods
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.service_state import Service, UnmeasuredError, service, vantage
from reme_kube.errors import UnavailableError

_ANSWER_SECONDS = 2.0
"""As long as users wait."""
_BATCH = 4
"""Requests at a time: what is broken is known before all of them timed out."""
_PROXY_REFUSALS = ("no endpoints available", "error trying to reach service", "dial tcp")


class Asked(NamedTuple):
    """What became of some requests."""

    sent: int
    milliseconds: list[float]  # of those that were answered well
    why: str = ""  # of one that was not

    @property
    def percent(self) -> float:
        """Share that was answered well."""
        return 100 * len(self.milliseconds) / self.sent if self.sent else 0.0

    @property
    def median(self) -> float | None:
        """The middle of the times, or nothing without answers."""
        times = sorted(self.milliseconds)
        return times[len(times) // 2] if times else None

    def __str__(self) -> str:
        middle = "" if self.median is None else f", median {self.median:.0f} ms"
        return f"{len(self.milliseconds)} of {self.sent} answered{middle}"


async def serves(check: Serves, context: CaseContext) -> tuple[bool, str, str]:
    """Return whether requests by way of the Service are answered, what was seen, and why not.

    Raises:
        UnmeasuredError: nobody could ask.
        ClusterError: the API server does not answer.
    """
    found = await service(context, check.service)
    before = context.before.objects.get(f"Service/{check.service}")
    if before is None:
        raise UnmeasuredError(f"there was no Service {check.service}")
    now = await context.cluster.get("Service", check.service, context.namespace)
    if now is None:
        return False, "", f"Service {check.service} does not exist"
    if why := await _astray(context, check.service, found):
        return False, "", why
    port = int(before["spec"]["ports"][0]["port"])
    asked = await _ask(context, check, now, port)
    good = asked.percent >= check.min_percent
    if good and check.max_milliseconds is not None:
        assert asked.median is not None or check.min_percent <= 0
        if asked.median is None or asked.median > check.max_milliseconds:
            return False, str(asked), f"slower than {check.max_milliseconds:g} ms"
    return good, str(asked), "" if good else asked.why or "not answered"


async def _astray(context: CaseContext, name: str, found: Service) -> str:
    """Return why the Service does not lead to the service's own pods, and only to them."""
    slices = await context.cluster.list(
        "EndpointSlice", context.namespace, {"kubernetes.io/service-name": name}
    )
    led, own = pods.endpoints(slices, name), {p["metadata"]["name"] for p in found.pods}
    if not led:
        return f"Service {name} has no endpoint that is ready"
    if foreign := sorted(led - own):
        # An endpoint that is about to go is forgotten a moment later than its pod.
        for pod in foreign:
            still = await context.cluster.get("Pod", pod, context.namespace)
            if still and not still["metadata"].get("deletionTimestamp"):
                return f"Service {name} leads to {pod}, which is none of its pods"
    return ""


async def _ask(context: CaseContext, check: Serves, now: Object, port: int) -> Asked:
    address = now["spec"].get("clusterIP")
    if address not in (None, "", "None"):
        seen = await vantage(context, check.service)
        where = f"http://{address}:{port}{check.path}"
        if seen is not None:
            with contextlib.suppress(AgentsError):
                return await ask_from(context, seen, where, check.requests, _ANSWER_SECONDS)
    return await ask_by_proxy(context, check.service, port, check.path, check.requests)


async def ask_from(
    context: CaseContext, seen: Target, where: str, count: int, answer_seconds: float
) -> Asked:
    """Ask from a container's network, one request after the other.

    Raises:
        AgentsError: no agent is on that node.
    """
    got = await context.agents.network(seen, where, count=count, timeout_seconds=answer_seconds)
    why = ", ".join(f"{n} times {name}" for name, n in (got.get("errors") or {}).items())
    return Asked(int(got["sent"]), [float(t) for t in got["milliseconds"]], why)


async def ask_by_proxy(context: CaseContext, name: str, port: int, path: str, count: int) -> Asked:
    """Ask through the API server's proxy, all at once; it chooses an endpoint for each."""
    where = f"/api/v1/namespaces/{context.namespace}/services/http:{name}:{port}/proxy{path}"
    times, why = [], ""

    async def one() -> str:
        begun = time.monotonic()
        try:
            answer = await context.cluster.api.get_raw(where, _ANSWER_SECONDS)
        except UnavailableError as error:
            return str(error).rpartition(": ")[2]
        if answer.status < 400:
            times.append((time.monotonic() - begun) * 1000)
            return ""
        text = answer.content[:200].decode(errors="replace")
        return next((w for w in _PROXY_REFUSALS if w in text), f"answered {answer.status}")

    for said in await asyncio.gather(*(one() for _ in range(count))):
        why = why or said
    return Asked(count, times, why)


async def network_good(check: NetworkGood, context: CaseContext) -> tuple[bool, str, str]:
    """Return whether each pod answers requests straight to it, what was seen, and why not.

    A request that needs longer than may be counts as lost: TCP repeats what is lost, and would
    make half of all packets look like a slow service.

    Raises:
        UnmeasuredError: there is no pod to ask, or nobody who could.
    """
    found = await service(context, check.service)
    seen = await vantage(context, check.service)
    if seen is None:
        raise UnmeasuredError("no container is there to ask from")
    if not found.ready:
        return False, "", "no pod is ready"
    timeout = max(1.0, 2 * check.max_milliseconds / 1000)
    worst = Asked(0, [])
    for pod in found.ready:
        asked = Asked(0, [])
        while asked.sent < check.requests:
            count = min(_BATCH, check.requests - asked.sent)
            more = await ask_from(context, seen, _straight(pod, found.before), count, timeout)
            in_time = [t for t in more.milliseconds if t <= 3 * check.max_milliseconds]
            asked = Asked(
                asked.sent + more.sent, asked.milliseconds + in_time, asked.why or more.why
            )
            lost = asked.sent - len(asked.milliseconds)
            if 100 * lost / check.requests > check.max_loss_percent:
                return False, str(asked), f"{lost} of {asked.sent} requests were lost"
        if asked.median is None or asked.median > check.max_milliseconds:
            return False, str(asked), f"slower than {check.max_milliseconds:g} ms"
        worst = max(worst, asked, key=lambda a: a.median or 0)
    return True, str(worst), ""


def _straight(pod: Object, before: Object) -> str:
    """Return where a pod says whether it is ready, by the template from before the fault."""
    container = before["spec"]["template"]["spec"]["containers"][0]
    ports = {p.get("name"): p["containerPort"] for p in container.get("ports") or ()}
    http = (container.get("readinessProbe") or {}).get("httpGet") or {}
    port = http.get("port") or next(iter(ports.values()), 80)
    port = ports.get(port, port)
    address = f"{pod['status']['podIP']}:{port}"
    return f"http://{address}{http.get('path', '/')}" if http else address
