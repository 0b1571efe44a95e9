"""Checks whether a service answers requests, through its Service and pod by pod."""

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
from reme_benchmark.scoring.service_state import (
    CheckResult,
    ServiceState,
    UnmeasuredError,
    find_client_container,
    read_service,
)
from reme_kube.errors import UnavailableError

_ANSWER_SECONDS = 2.0
"""The timeout of the load generator's requests."""
_BATCH = 4
"""Requests at a time, so that a broken pod is known before all requests timed out."""
_PROXY_REFUSALS = ("no endpoints available", "error trying to reach service", "dial tcp")


class RequestStats(NamedTuple):
    """Counts and durations of some requests."""

    sent: int
    milliseconds: list[float]  # of successful requests
    error: str = ""  # of one failed request

    @property
    def percent(self) -> float:
        """Share of successful requests."""
        return 100 * len(self.milliseconds) / self.sent if self.sent else 0.0

    @property
    def median(self) -> float | None:
        """Median duration; None without a successful request."""
        times = sorted(self.milliseconds)
        return times[len(times) // 2] if times else None

    def __str__(self) -> str:
        middle = "" if self.median is None else f", median {self.median:.0f} ms"
        return f"{len(self.milliseconds)} of {self.sent} answered{middle}"


async def check_serves(check: Serves, context: CaseContext) -> CheckResult:
    """Check that requests through the Service are answered.

    Raises:
        UnmeasuredError: no container could send requests.
        ClusterError: the API server does not answer.
    """
    state = await read_service(context, check.service)
    before = context.before.objects.get(f"Service/{check.service}")
    if before is None:
        raise UnmeasuredError(f"Service {check.service} did not exist before the fault")
    now = await context.cluster.get("Service", check.service, context.namespace)
    if now is None:
        return CheckResult(False, "", f"Service {check.service} does not exist")
    if fault := await _endpoint_fault(context, check.service, state):
        return CheckResult(False, "", fault)
    port = int(before["spec"]["ports"][0]["port"])
    stats = await _send_requests(context, check, now, port)
    ok = stats.percent >= check.min_percent
    if ok and check.max_milliseconds is not None:
        assert stats.median is not None or check.min_percent <= 0
        if stats.median is None or stats.median > check.max_milliseconds:
            reason = f"slower than {check.max_milliseconds:g} ms"
            return CheckResult(False, str(stats), reason)
    return CheckResult(ok, str(stats), "" if ok else stats.error or "not answered")


async def _endpoint_fault(context: CaseContext, name: str, state: ServiceState) -> str:
    """Return why the endpoints of the Service are not exactly the service's own pods."""
    slices = await context.cluster.list(
        "EndpointSlice", context.namespace, {"kubernetes.io/service-name": name}
    )
    endpoints, own = pods.endpoints(slices, name), {p["metadata"]["name"] for p in state.pods}
    if not endpoints:
        return f"Service {name} has no ready endpoint"
    for pod in sorted(endpoints - own):
        # An endpoint exists a moment longer than its pod.
        existing = await context.cluster.get("Pod", pod, context.namespace)
        if existing and not existing["metadata"].get("deletionTimestamp"):
            return f"Service {name} has the endpoint {pod}, which is not one of its pods"
    return ""


async def _send_requests(
    context: CaseContext, check: Serves, now: Object, port: int
) -> RequestStats:
    address = now["spec"].get("clusterIP")
    if address not in (None, "", "None"):
        client = await find_client_container(context, check.service)
        url = f"http://{address}:{port}{check.path}"
        if client is not None:
            with contextlib.suppress(AgentsError):
                return await request_from(context, client, url, check.requests, _ANSWER_SECONDS)
    return await request_through_proxy(context, check.service, port, check.path, check.requests)


async def request_from(
    context: CaseContext, client: Target, url: str, count: int, answer_seconds: float
) -> RequestStats:
    """Send requests from a container's network, one after the other.

    Raises:
        AgentsError: no agent runs on that node.
    """
    answer = await context.agents.network(client, url, count=count, timeout_seconds=answer_seconds)
    error = ", ".join(f"{n} times {name}" for name, n in (answer.get("errors") or {}).items())
    return RequestStats(int(answer["sent"]), [float(t) for t in answer["milliseconds"]], error)


async def request_through_proxy(
    context: CaseContext, name: str, port: int, path: str, count: int
) -> RequestStats:
    """Send requests through the API server's proxy, all at once; it selects the endpoints."""
    url = f"/api/v1/namespaces/{context.namespace}/services/http:{name}:{port}/proxy{path}"
    times: list[float] = []

    async def one() -> str:
        started = time.monotonic()
        try:
            answer = await context.cluster.api.get_raw(url, _ANSWER_SECONDS)
        except UnavailableError as error:
            return str(error).rpartition(": ")[2]
        if answer.status < 400:
            times.append((time.monotonic() - started) * 1000)
            return ""
        text = answer.content[:200].decode(errors="replace")
        return next((w for w in _PROXY_REFUSALS if w in text), f"answered {answer.status}")

    errors = await asyncio.gather(*(one() for _ in range(count)))
    return RequestStats(count, times, next(filter(None, errors), ""))


async def check_network(check: NetworkGood, context: CaseContext) -> CheckResult:
    """Check that each pod answers requests that are sent to it directly.

    A request that takes too long counts as lost: TCP repeats lost packets, and a loss of half of
    all packets would look like a slow service.

    Raises:
        UnmeasuredError: no container could send requests.
    """
    state = await read_service(context, check.service)
    client = await find_client_container(context, check.service)
    if client is None:
        raise UnmeasuredError("no container runs that could send requests")
    if not state.ready:
        return CheckResult(False, "", "no pod is ready")
    timeout = max(1.0, 2 * check.max_milliseconds / 1000)
    worst = RequestStats(0, [])
    for pod in state.ready:
        stats, url = RequestStats(0, []), _pod_url(pod, state.before)
        while stats.sent < check.requests:
            count = min(_BATCH, check.requests - stats.sent)
            more = await request_from(context, client, url, count, timeout)
            in_time = [t for t in more.milliseconds if t <= 3 * check.max_milliseconds]
            stats = RequestStats(
                stats.sent + more.sent, stats.milliseconds + in_time, stats.error or more.error
            )
            lost = stats.sent - len(stats.milliseconds)
            if 100 * lost / check.requests > check.max_loss_percent:
                reason = f"{lost} of {stats.sent} requests were lost"
                return CheckResult(False, str(stats), reason)
        if stats.median is None or stats.median > check.max_milliseconds:
            reason = f"slower than {check.max_milliseconds:g} ms"
            return CheckResult(False, str(stats), reason)
        worst = max(worst, stats, key=lambda s: s.median or 0)
    return CheckResult(True, str(worst), "")


def _pod_url(pod: Object, before: Object) -> str:
    """Return the URL of a pod's readiness probe, by the template from before the fault."""
    container = before["spec"]["template"]["spec"]["containers"][0]
    ports = {p.get("name"): p["containerPort"] for p in container.get("ports") or ()}
    http = (container.get("readinessProbe") or {}).get("httpGet") or {}
    port = http.get("port") or next(iter(ports.values()), 80)
    port = ports.get(port, port)
    address = f"{pod['status']['podIP']}:{port}"
    return f"http://{address}{http.get('path', '/')}" if http else address
