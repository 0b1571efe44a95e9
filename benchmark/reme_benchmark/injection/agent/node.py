"""The agent's commands on one node. Faults are found in the system; the agent keeps no state."""

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from reme_benchmark.injection.agent import (
    containers,
    disk_limit,
    netem,
    network,
    packet_rules,
    processes,
    stress,
)
from reme_benchmark.injection.agent.cgroups import Tree
from reme_benchmark.injection.agent.containers import Container
from reme_benchmark.injection.agent.errors import AgentError, BusyError
from reme_benchmark.injection.agent.processes import Launcher
from reme_benchmark.injection.fault_tag import FaultTag
from reme_benchmark.injection.specs import (
    NETWORK_KINDS,
    CpuStress,
    DiskLimit,
    Fault,
    MemoryStress,
    PacketLoss,
)

Json = dict[str, Any]
_AFTER_SECONDS = 1.0
"""Helpers end by themselves at their time; the agent removes what they leave so much later."""
_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class FaultTrace:
    """A process, a packet rule or a control group that belongs to a fault."""

    tag: FaultTag
    kind: str
    place: str


@dataclass(slots=True)
class NodeAgent:
    """The faults of one cluster on one node."""

    tree: Tree
    cluster: str
    launcher: Launcher = field(default_factory=Launcher)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _timers: dict[str, threading.Timer] = field(default_factory=dict)

    def resume(self) -> None:
        """Take over the faults of an earlier agent: schedule the end of each."""
        with self._lock:
            for tag in {trace.tag for trace in self.traces()}:
                self._schedule_end(tag)

    def inject(self, fault: Fault) -> Json:
        """Inject a fault; repeating the request changes nothing.

        Raises:
            AgentError: the fault cannot be injected; nothing of it is left.
        """
        start = time.monotonic()
        with self._lock:
            traces = self.traces()
            if known := next((t.tag for t in traces if t.tag.id == fault.id), None):
                return {"id": fault.id, "ends_at": known.ends_at, "repeated": True}
            container = containers.find(self.tree, fault.target.container_id)
            self._refuse_same_kind(traces, container, fault)
            ends_at = int(time.time() + fault.limit_seconds)
            tag = FaultTag(self.cluster, fault.owner, fault.id, fault.spec.kind, ends_at)
            try:
                effect = self._apply(container, fault, tag)
            except Exception:
                self._remove(lambda other: other == tag)
                raise
            self._schedule_end(tag)
        took = round((time.monotonic() - start) * 1000, 1)
        return {"id": fault.id, "ends_at": ends_at, "milliseconds": took, "effect": effect}

    def remove(self, fault_id: str) -> list[str]:
        """Remove a fault from this node; one that does not exist is no error."""
        return self._sweep(lambda tag: tag.id == fault_id)

    def sweep(self, owner: str = "") -> list[str]:
        """Remove the faults of one owner, or all; return their ids."""
        return self._sweep(lambda tag: owner in {"", tag.owner})

    def capabilities(self) -> Json:
        """Return which faults this node's kernel supports, by trying them in a new namespace."""
        queue = packet_rules.supported(packet_rules.queue_rules(packet_rules.UNSERVED_QUEUE))
        has_netem = netem.supported()
        return {
            "cgroup_version": 2 if self.tree.unified else 1,
            "loss": packet_rules.supported(packet_rules.loss_rules(50)),
            "netem": has_netem,
            "delay": queue or has_netem,
            "disk": disk_limit.supported(self.tree),
        }

    def active(self) -> list[Json]:
        """Return the faults on the node, each with its traces."""
        faults: dict[str, Json] = {}
        for trace in self.traces():
            entry = faults.setdefault(trace.tag.id, {**asdict(trace.tag), "traces": []})
            entry["traces"].append({"kind": trace.kind, "place": trace.place})
        return list(faults.values())

    def traces(self) -> list[FaultTrace]:
        """Return everything on the node that carries a tag of this cluster."""
        tagged = processes.tagged_processes()
        limits = disk_limit.limited_groups(self.tree)
        traces = [FaultTrace(tag, "process", str(pid)) for pid, _, tag in tagged]
        traces += [FaultTrace(tag, "rule", str(path)) for path, tag in network.faults()]
        traces += [FaultTrace(tag, "cgroup", str(path)) for path, tag in limits]
        return [trace for trace in traces if trace.tag.cluster == self.cluster]

    def _apply(self, container: Container, fault: Fault, tag: FaultTag) -> Any:
        spec = fault.spec
        if isinstance(spec, CpuStress | MemoryStress):
            return stress.start(self.launcher, container, spec, tag, fault.limit_seconds)
        if isinstance(spec, DiskLimit):
            return disk_limit.limit(container, spec, tag)
        if isinstance(spec, PacketLoss):
            return network.add_loss(container, spec, tag, fault.target)
        return network.add_delay(
            self.launcher, self.tree, container, spec, tag, fault.target, fault.limit_seconds
        )

    def _refuse_same_kind(
        self, traces: list[FaultTrace], container: Container, fault: Fault
    ) -> None:
        """Refuse a second fault of a kind in one container; removing one would remove both."""
        for trace in traces:
            if trace.tag.kind == fault.spec.kind and self._is_in(trace, container):
                raise BusyError(
                    f"{fault.target.pod} has fault {trace.tag.id} of kind {trace.tag.kind}"
                )

    def _is_in(self, trace: FaultTrace, container: Container) -> bool:
        if trace.tag.kind in NETWORK_KINDS:
            pid = trace.place.split("/")[2] if trace.kind == "rule" else ""
            namespace_id = containers.namespace_id
            return bool(pid) and namespace_id(int(pid)) == namespace_id(container.sandbox_pid)
        if trace.kind == "cgroup":
            return container.id in trace.place
        try:
            return container.id in (containers.PROC / trace.place / "cgroup").read_text()
        except OSError:
            return False

    def _sweep(self, chosen: Callable[[FaultTag], bool]) -> list[str]:
        with self._lock:
            ids = {trace.tag.id for trace in self.traces() if chosen(trace.tag)}
            errors = self._remove(lambda tag: tag.cluster == self.cluster and chosen(tag))
            if remaining := {trace.tag.id for trace in self.traces() if chosen(trace.tag)}:
                raise AgentError(
                    f"faults not removed: {', '.join(sorted(remaining))}. {errors}".rstrip()
                )
            for known in ids:
                if timer := self._timers.pop(known, None):
                    timer.cancel()
            return sorted(ids)

    def _remove(self, chosen: Callable[[FaultTag], bool]) -> str:
        """Remove faults as far as possible, and return the errors.

        A pod may end at any moment, and its faults with it: the caller checks what is left.
        """
        work: list[Callable[[], None]] = [lambda: network.remove(chosen)]
        for folder, tag in disk_limit.limited_groups(self.tree):
            if chosen(tag):
                work.append(functools.partial(disk_limit.restore, folder))
        errors = []
        work.append(lambda: processes.end(chosen))
        for step in work:
            try:
                step()
            except AgentError as error:
                errors.append(str(error))
        self.launcher.reap()
        return "; ".join(errors)

    def _schedule_end(self, tag: FaultTag) -> None:
        """Remove a fault at its time, also without a request."""
        self._start_timer(tag.id, max(0.0, tag.ends_at - time.time()) + _AFTER_SECONDS)

    def _start_timer(self, fault_id: str, seconds: float) -> None:
        timer = threading.Timer(seconds, self._expire, [fault_id])
        timer.daemon = True
        self._timers[fault_id] = timer
        timer.start()

    def _expire(self, fault_id: str) -> None:
        try:
            self.remove(fault_id)
        except AgentError as error:
            print(f"cannot remove fault {fault_id}, which has ended: {error}", flush=True)
            self._start_timer(fault_id, _AGAIN_SECONDS)
