"""MicroRemed's own verdict, reimplemented from its description with its weaknesses.

One good sample suffices; a container without a limit passes; metrics of deleted pods are not
missed; a write that fails at once counts as fast; three surviving requests count as a healthy
network. Differences: the long waits are a parameter, the network check connects to the cluster's
DNS by TCP instead of pinging 8.8.8.8 (a connection that repeated its first packet counts as a lost
ping), and the disk check writes to the service's own volume.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from reme_benchmark.injection.agent_client import AgentsError
from reme_benchmark.kube.cluster import Object
from reme_benchmark.scenarios.faults.model import Published
from reme_benchmark.scenarios.systems.render import USERS_PORT, users_namespace
from reme_benchmark.scoring import container_usage, service_state
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.records import Measured, Verdict
from reme_benchmark.scoring.snapshot import ready
from reme_kube.clock import Clock, SystemClock
from reme_kube.errors import ClusterError, InvalidError
from reme_playbook.snapshot import quantity

WAITING_SECONDS = 60.0
"""MicroRemed's 300 s: for pods to become ready, and for CPU and pod failures to disappear."""
_SHORT_SECONDS = 10.0
_POLL_SECONDS = 2.0
_SHARE = 0.5
_DISK_BYTES = 10 * 2**20
_DISK_SECONDS = 2.0
_DISK_BYTES_PER_SECOND = 10_000_000
_PINGS = 3
_PING_SECONDS = 2.0
_PING_MILLISECONDS = 1000.0

CheckResult = tuple[bool, str]


async def judge_microremed(
    context: CaseContext, *, waiting_seconds: float = WAITING_SECONDS, clock: Clock | None = None
) -> Verdict | None:
    """Return MicroRemed's verdict; None where it has no check for the fault.

    Changes nothing, so that it can run together with the strict oracle.
    """
    fault = context.fault
    if fault is None or fault.published is None:
        return None
    judge = _MicroRemedChecks(context, clock or SystemClock(), waiting_seconds)
    await judge.wait_for_pods()
    checks: dict[Published, tuple[tuple[Callable[[], Awaitable[CheckResult]], float], ...]] = {
        Published.CPU: ((judge.cpu, waiting_seconds),),
        Published.MEMORY: ((judge.memory, _SHORT_SECONDS),),
        Published.DISK: ((judge.disk, _SHORT_SECONDS),),
        Published.NETWORK_LOSS: ((judge.network, _SHORT_SECONDS),),
        Published.NETWORK_DELAY: ((judge.network, _SHORT_SECONDS),),
        Published.POD_FAIL: ((judge.pods_work, waiting_seconds),),
        Published.CONFIG: ((judge.cpu, _SHORT_SECONDS), (judge.memory, _SHORT_SECONDS)),
    }
    ok = True
    for check, seconds in checks[fault.published]:
        ok = ok and await judge.once(check, seconds)
    failing = [m for m in judge.measured if not m.ok]
    reasons = [f"{m.name}: {m.message or m.value}" for m in failing]
    return Verdict(passed=ok, measured=judge.measured, reasons=reasons)


@dataclass
class _MicroRemedChecks:
    context: CaseContext
    clock: Clock
    waiting_seconds: float
    measured: list[Measured] = field(default_factory=list)
    listed_pods: list[Object] | None = None  # listed once per check, as MicroRemed does

    async def wait_for_pods(self) -> None:
        """Wait until all pods of the service are ready, or the time is over."""
        until = self.clock.monotonic() + self.waiting_seconds
        while self.clock.monotonic() < until:
            try:
                pods = await self._pods()
                if pods and all(ready(p) for p in pods):
                    return
            except ClusterError:
                pass  # MicroRemed waits on errors too
            await self.clock.sleep(_POLL_SECONDS)

    async def once(self, check: Callable[[], Awaitable[CheckResult]], seconds: float) -> bool:
        """Return whether the check passes once within the time."""
        started, value, self.listed_pods = self.clock.monotonic(), "", None
        name = f"published {check.__name__.replace('_', ' ')}"
        while True:
            try:
                ok, value = await check()
            except (AgentsError, ClusterError) as error:
                ok, value = False, f"not readable: {error}"[:300]
            if ok or self.clock.monotonic() - started >= seconds:
                break
            await self.clock.sleep(_POLL_SECONDS)
        message = "" if ok else f"{value} (measured for {seconds:.0f} s)"
        self.measured.append(Measured(name=name, ok=ok, value=value, message=message))
        return ok

    async def cpu(self) -> CheckResult:
        """Check that every known container uses less than half of its CPU limit."""
        return await self._usage("cpu", quantity.cpu_millicores)

    async def memory(self) -> CheckResult:
        """Check that every known container uses less than half of its memory limit."""
        return await self._usage("memory", quantity.memory_bytes)

    async def _usage(self, resource: str, amount: Callable[[str], int]) -> CheckResult:
        if self.listed_pods is None:
            self.listed_pods = await self._pods()
        known = {
            (pod["metadata"]["name"], c["name"]): (c.get("resources") or {}).get("limits") or {}
            for pod in self.listed_pods
            for c in pod["spec"]["containers"]
            if "busybox" not in c["name"] and "sidecar" not in c["name"]
        }
        rows = await self.context.cluster.list("PodMetrics", self.context.namespace, self._labels())
        if not rows:
            return False, "no metrics"
        highest = 0.0
        for row in rows:
            for used in row.get("containers") or ():
                limit = known.get((row["metadata"]["name"], used["name"]), {}).get(resource)
                if limit:
                    highest = max(highest, amount(used["usage"][resource]) / amount(limit))
        return highest < _SHARE, f"{100 * highest:.0f}% of the {resource} limit"

    async def pods_work(self) -> CheckResult:
        """Check that all pods are ready and that there are metrics."""
        pods = await self._pods()
        failing = [p["metadata"]["name"] for p in pods if not ready(p)]
        if failing or not pods:
            return False, f"pod {failing[0]} is not ready" if failing else "no pod"
        rows = await self.context.cluster.list("PodMetrics", self.context.namespace, self._labels())
        return bool(rows), f"{len(pods)} pods ready, {len(rows)} with metrics"

    async def disk(self) -> CheckResult:
        """Check that ten mebibytes are written fast enough, or fail to be written."""
        _, before = self.context.before.workload(self.context.case.service)
        template = before["spec"]["template"]["spec"]
        try:
            folder = container_usage.writable_volume(template, template["containers"][0])
        except service_state.UnmeasuredError:
            folder = "/var/log"
        for pod in await self._pods():
            target = service_state.containers(pod).get(template["containers"][0]["name"])
            if target is None:
                return False, f"{pod['metadata']['name']} is not running"
            try:
                answer = await self.context.agents.disk(
                    target, folder, size=_DISK_BYTES, seconds=_DISK_SECONDS
                )
            except InvalidError as error:
                return True, f"the write failed at once, which counts as fast: {error}"[:300]
            speed = answer["bytes_per_second"]
            if answer["bytes"] < _DISK_BYTES or speed < _DISK_BYTES_PER_SECOND:
                return False, f"{speed / 1e6:.1f} MB/s"
        return True, "written"

    async def network(self) -> CheckResult:
        """Check that three connections from the first pod succeed within a second each."""
        pods = await self._pods()
        target = next((t for p in pods for t in service_state.containers(p).values()), None)
        if target is None:
            return False, "no container is running"
        answer = await self.context.agents.network(
            target, await self._remote_address(), count=_PINGS, timeout_seconds=_PING_SECONDS
        )
        # TCP repeats a lost packet after one second, so a slower connection lost one.
        times = [t for t in answer["milliseconds"] if t <= _PING_MILLISECONDS]
        average = f", {sum(times) / len(times):.0f} ms on average" if times else ""
        return len(times) == _PINGS, f"{len(times)} of {_PINGS} answered{average}"

    async def _remote_address(self) -> str:
        """Return an address outside the service: the cluster's DNS, or a load generator."""
        dns = await self.context.cluster.get("Service", "kube-dns", "kube-system")
        if dns is not None:
            return f"{dns['spec']['clusterIP']}:53"
        home = users_namespace(self.context.namespace)
        pods = await self.context.cluster.list("Pod", home)
        address = next((p["status"].get("podIP") for p in pods if ready(p)), None)
        if address is None:
            raise AgentsError("the cluster has no DNS service and no load generator to connect to")
        return f"{address}:{USERS_PORT}"

    def _labels(self) -> dict[str, str]:
        _, before = self.context.before.workload(self.context.case.service)
        labels: dict[str, str] = before["spec"]["selector"].get("matchLabels") or {}
        return labels

    async def _pods(self) -> list[Object]:
        return await self.context.cluster.list("Pod", self.context.namespace, self._labels())
