"""The agent's commands on one node: what is there is read from the system, never remembered."""

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
from reme_benchmark.injection.fault_tag import Mark
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
"""Helpers end by themselves at their time; what they leave is looked for so much later."""
_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Trace:
    """One thing of a fault that is on the node: a process, a rule, or a control group."""

    mark: Mark
    kind: str
    place: str


@dataclass(slots=True)
class Node:
    """The faults of one cluster on one node."""

    tree: Tree
    cluster: str
    launcher: Launcher = field(default_factory=Launcher)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _timers: dict[str, threading.Timer] = field(default_factory=dict)

    def resume(self) -> None:
        """Take over what an earlier agent left: what is over goes, the rest gets its end."""
        with self._lock:
            for mark in {trace.mark for trace in self.traces()}:
                self._end_at(mark)

    def inject(self, fault: Fault) -> Json:
        """Put a fault in; one that is there already is answered as if it were new.

        Raises:
            AgentError: it cannot be put in; nothing of it is left.

        """
        began = time.monotonic()
        with self._lock:
            there = self.traces()
            if known := next((t.mark for t in there if t.mark.id == fault.id), None):
                return {"id": fault.id, "ends_at": known.ends_at, "repeated": True}
            container = containers.find(self.tree, fault.target.container_id)
            self._refuse_second(there, container, fault)
            ends_at = int(time.time() + fault.limit_seconds)
            mark = Mark(self.cluster, fault.owner, fault.id, fault.spec.kind, ends_at)
            try:
                effect = self._put_in(container, fault, mark)
            except Exception:
                self._remove(lambda found: found == mark)
                raise
            self._end_at(mark)
        took = round((time.monotonic() - began) * 1000, 1)
        return {"id": fault.id, "ends_at": ends_at, "milliseconds": took, "effect": effect}

    def remove(self, fault_id: str) -> list[str]:
        """Take a fault out wherever it is on this node; one that is not there is no error."""
        return self._sweep(lambda mark: mark.id == fault_id)

    def sweep(self, owner: str = "") -> list[str]:
        """Take out the faults of one owner, or all; return their ids."""
        return self._sweep(lambda mark: owner in {"", mark.owner})

    def able(self) -> Json:
        """Return what this node's kernel can do, by trying it where nobody is."""
        queue = packet_rules.known(packet_rules.queueing(packet_rules.NOBODY))
        has_netem = netem.works()
        return {
            "cgroup_version": 2 if self.tree.unified else 1,
            "loss": packet_rules.known(packet_rules.losing(50)),
            "netem": has_netem,
            "delay": queue or has_netem,
            "disk": disk_limit.possible(self.tree),
        }

    def active(self) -> list[Json]:
        """Return what is on the node, by fault."""
        faults: dict[str, Json] = {}
        for trace in self.traces():
            entry = faults.setdefault(trace.mark.id, {**asdict(trace.mark), "traces": []})
            entry["traces"].append({"kind": trace.kind, "place": trace.place})
        return list(faults.values())

    def traces(self) -> list[Trace]:
        """Look at the system for everything that carries a mark of this cluster."""
        seen = [Trace(mark, "process", str(pid)) for pid, _, mark in processes.marked()]
        seen += [Trace(mark, "rule", str(path)) for path, mark in network.found()]
        seen += [Trace(mark, "cgroup", str(path)) for path, mark in disk_limit.limited(self.tree)]
        return [trace for trace in seen if trace.mark.cluster == self.cluster]

    def _put_in(self, container: Container, fault: Fault, mark: Mark) -> Any:
        spec = fault.spec
        if isinstance(spec, CpuStress | MemoryStress):
            return stress.start(self.launcher, container, spec, mark, fault.limit_seconds)
        if isinstance(spec, DiskLimit):
            return disk_limit.limit(container, spec, mark)
        if isinstance(spec, PacketLoss):
            return network.lose(container, spec, mark, fault.target)
        return network.delay(
            self.launcher, self.tree, container, spec, mark, fault.target, fault.limit_seconds
        )

    def _refuse_second(self, there: list[Trace], container: Container, fault: Fault) -> None:
        """Refuse a fault of a kind that is in the container: one would undo the other."""
        for trace in there:
            if trace.mark.kind == fault.spec.kind and self._is_in(trace, container):
                raise BusyError(
                    f"{fault.target.pod} has fault {trace.mark.id} of kind {trace.mark.kind}"
                )

    def _is_in(self, trace: Trace, container: Container) -> bool:
        if trace.mark.kind in NETWORK_KINDS:
            pid = trace.place.split("/")[2] if trace.kind == "rule" else ""
            network_of = containers.network_of
            return bool(pid) and network_of(int(pid)) == network_of(container.sandbox_pid)
        if trace.kind == "cgroup":
            return container.id in trace.place
        try:
            return container.id in (containers.PROC / trace.place / "cgroup").read_text()
        except OSError:
            return False

    def _sweep(self, chosen: Callable[[Mark], bool]) -> list[str]:
        with self._lock:
            ids = {trace.mark.id for trace in self.traces() if chosen(trace.mark)}
            problems = self._remove(lambda mark: mark.cluster == self.cluster and chosen(mark))
            if left := {trace.mark.id for trace in self.traces() if chosen(trace.mark)}:
                raise AgentError(f"still there: {', '.join(sorted(left))} {problems}".rstrip())
            for known in ids:
                if timer := self._timers.pop(known, None):
                    timer.cancel()
            return sorted(ids)

    def _remove(self, wanted: Callable[[Mark], bool]) -> str:
        """Take out what can be taken out, and return what was in the way of the rest.

        A pod may go at any moment, and its faults with it, so only what stays is a problem.
        """
        work: list[Callable[[], None]] = [lambda: network.remove(wanted)]
        for folder, mark in disk_limit.limited(self.tree):
            if wanted(mark):
                work.append(functools.partial(disk_limit.restore, folder))
        problems = []
        work.append(lambda: processes.end(wanted))
        for step in work:
            try:
                step()
            except AgentError as error:
                problems.append(str(error))
        self.launcher.reap()
        return "; ".join(problems)

    def _end_at(self, mark: Mark) -> None:
        """See to it that a fault ends at its time, also when nobody asks for it."""
        self._wait(mark.id, max(0.0, mark.ends_at - time.time()) + _AFTER_SECONDS)

    def _wait(self, fault_id: str, seconds: float) -> None:
        timer = threading.Timer(seconds, self._over, [fault_id])
        timer.daemon = True
        self._timers[fault_id] = timer
        timer.start()

    def _over(self, fault_id: str) -> None:
        try:
            self.remove(fault_id)
        except AgentError as error:
            print(f"fault {fault_id} is over and does not go: {error}", flush=True)
            self._wait(fault_id, _AGAIN_SECONDS)
