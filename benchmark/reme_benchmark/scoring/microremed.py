"""MicroRemed's own verdict, re-implemented from its description with what can be fooled in it.

One good sample is enough; a container without a limit passes; metrics of pods that are gone are
not missed; a write that fails at once is a fast one; three requests that survive are a healthy
network. Other than there: the long waits are a parameter, the network check connects to the
cluster's DNS by TCP instead of pinging 8.8.8.8 (a connection that had to repeat its first packet
counts as a lost ping), and the disk check writes to the service's own volume.
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
"""Instead of MicroRemed's 300: for pods to be ready, and for CPU and pod failures to be gone."""
_SHORT_SECONDS = 10.0
_POLL_SECONDS = 2.0
_SHARE = 0.5
_DISK_BYTES = 10 * 2**20
_DISK_SECONDS = 2.0
_DISK_BYTES_PER_SECOND = 10_000_000
_PINGS = 3
_PING_SECONDS = 2.0
_PING_MILLISECONDS = 1000.0

Seen = tuple[bool, str]


async def judge_microremed(
    context: CaseContext, *, waiting_seconds: float = WAITING_SECONDS, clock: Clock | None = None
) -> Verdict | None:
    """Return what MicroRemed would have said; nothing where it has no check for the fault.

    Changes nothing, so that it may run beside the strict oracle.
    """
    fault = context.fault
    if fault is None or fault.published is None:
        return None
    judge = _Published(context, clock or SystemClock(), waiting_seconds)
    await judge.wait_for_pods()
    checks: dict[Published, tuple[tuple[Callable[[], Awaitable[Seen]], float], ...]] = {
        Published.CPU: ((judge.cpu, waiting_seconds),),
        Published.MEMORY: ((judge.memory, _SHORT_SECONDS),),
        Published.DISK: ((judge.disk, _SHORT_SECONDS),),
        Published.NETWORK_LOSS: ((judge.network, _SHORT_SECONDS),),
        Published.NETWORK_DELAY: ((judge.network, _SHORT_SECONDS),),
        Published.POD_FAIL: ((judge.pods_work, waiting_seconds),),
        Published.CONFIG: ((judge.cpu, _SHORT_SECONDS), (judge.memory, _SHORT_SECONDS)),
    }
    good = True
    for check, seconds in checks[fault.published]:
        good = good and await judge.once(check, seconds)
    bad = [m for m in judge.measured if not m.ok]
    reasons = [f"{m.name}: {m.message or m.value}" for m in bad]
    return Verdict(passed=good, measured=judge.measured, reasons=reasons)


@dataclass
class _Published:
    context: CaseContext
    clock: Clock
    waiting_seconds: float
    measured: list[Measured] = field(default_factory=list)
    listed: list[Object] | None = None  # once for each check, as there

    async def wait_for_pods(self) -> None:
        """Wait until all pods of the service are ready; go on in any case."""
        until = self.clock.monotonic() + self.waiting_seconds
        while self.clock.monotonic() < until:
            try:
                pods = await self._pods()
                if pods and all(ready(p) for p in pods):
                    return
            except ClusterError:
                pass  # as there: an error is one more reason to wait
            await self.clock.sleep(_POLL_SECONDS)

    async def once(self, check: Callable[[], Awaitable[Seen]], seconds: float) -> bool:
        """Return whether the check holds once within the time."""
        begun, said, self.listed = self.clock.monotonic(), "", None
        name = f"published {check.__name__.replace('_', ' ')}"
        while True:
            try:
                good, said = await check()
            except (AgentsError, ClusterError) as error:
                good, said = False, f"not readable: {error}"[:300]
            if good or self.clock.monotonic() - begun >= seconds:
                break
            await self.clock.sleep(_POLL_SECONDS)
        message = "" if good else f"{said} (looked for {seconds:.0f} s)"
        self.measured.append(Measured(name=name, ok=good, value=said, message=message))
        return good

    async def cpu(self) -> Seen:
        """Whether every known container with a limit uses less than half of it."""
        return await self._usage("cpu", quantity.cpu_millicores)

    async def memory(self) -> Seen:
        """Whether every known container with a limit uses less than half of it."""
        return await self._usage("memory", quantity.memory_bytes)

    async def _usage(self, resource: str, amount: Callable[[str], int]) -> Seen:
        if self.listed is None:
            self.listed = await self._pods()
        known = {
            (pod["metadata"]["name"], c["name"]): (c.get("resources") or {}).get("limits") or {}
            for pod in self.listed
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

    async def pods_work(self) -> Seen:
        """Whether all pods are ready and there are metrics of them."""
        pods = await self._pods()
        bad = [p["metadata"]["name"] for p in pods if not ready(p)]
        if bad or not pods:
            return False, f"pod {bad[0]} is not ready" if bad else "no pod"
        rows = await self.context.cluster.list("PodMetrics", self.context.namespace, self._labels())
        return bool(rows), f"{len(pods)} pods ready, {len(rows)} with metrics"

    async def disk(self) -> Seen:
        """Whether ten mebibytes are written fast enough, or not at all."""
        _, before = self.context.before.workload(self.context.case.service)
        template = before["spec"]["template"]["spec"]
        try:
            folder = container_usage.folder_of(template, template["containers"][0])
        except service_state.UnmeasuredError:
            folder = "/var/log"
        for pod in await self._pods():
            target = service_state.containers(pod).get(template["containers"][0]["name"])
            if target is None:
                return False, f"{pod['metadata']['name']} does not run"
            try:
                got = await self.context.agents.disk(
                    target, folder, size=_DISK_BYTES, seconds=_DISK_SECONDS
                )
            except InvalidError as error:
                return True, f"the write failed at once, which takes no time: {error}"[:300]
            speed = got["bytes_per_second"]
            if got["bytes"] < _DISK_BYTES or speed < _DISK_BYTES_PER_SECOND:
                return False, f"{speed / 1e6:.1f} MB/s"
        return True, "written"

    async def network(self) -> Seen:
        """Whether three connections from the first pod come about, in a second on average."""
        pods = await self._pods()
        target = next((t for p in pods for t in service_state.containers(p).values()), None)
        if target is None:
            return False, "no container runs"
        got = await self.context.agents.network(
            target, await self._far(), count=_PINGS, timeout_seconds=_PING_SECONDS
        )
        # The first repetition comes after a second: what took longer lost a packet.
        times = [t for t in got["milliseconds"] if t <= _PING_MILLISECONDS]
        good = len(times) == _PINGS
        average = f", {sum(times) / len(times):.0f} ms on average" if times else ""
        return good, f"{len(times)} of {_PINGS} answered{average}"

    async def _far(self) -> str:
        """Return something to connect to that is not the service itself."""
        dns = await self.context.cluster.get("Service", "kube-dns", "kube-system")
        if dns is not None:
            return f"{dns['spec']['clusterIP']}:53"
        home = users_namespace(self.context.namespace)
        pods = await self.context.cluster.list("Pod", home)
        address = next((p["status"].get("podIP") for p in pods if ready(p)), None)
        if address is None:
            raise AgentsError("there is nothing to connect to")
        return f"{address}:{USERS_PORT}"

    def _labels(self) -> dict[str, str]:
        _, before = self.context.before.workload(self.context.case.service)
        labels: dict[str, str] = before["spec"]["selector"].get("matchLabels") or {}
        return labels

    async def _pods(self) -> list[Object]:
        return await self.context.cluster.list("Pod", self.context.namespace, self._labels())
