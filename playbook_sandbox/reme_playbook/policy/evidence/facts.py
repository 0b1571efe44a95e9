"""What a snapshot shows about a target: facts that are computed once, for all evidence rules."""

from collections.abc import Iterator, Mapping
from functools import cached_property

from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.policy.evidence.pods import PodFacts, pod_facts
from reme_playbook.policy.evidence.symptoms import Symptom, symptom_of
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.current_events import current_events
from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.ownership import belongs_to_target
from reme_playbook.snapshot.probe_failures import ProbeFailure, probe_failures
from reme_playbook.snapshot.quantity import cpu_millicores, memory_bytes
from reme_playbook.snapshot.quota_usage import exhausted_amounts
from reme_playbook.snapshot.snapshot import ClusterSnapshot

NEAR_LIMIT_PERCENT = 90
"""A container that uses so much of a limit is short of it."""
_DIFFERS_FACTOR, _DIFFERS_PERCENT = 2, 30
"""Usage above this share of a limit, and so many times that of the other pods, is unusual."""
_SAYS_NOTHING = frozenset(
    {
        FindingKind.NORMAL,
        FindingKind.UNAVAILABLE,
        FindingKind.RECENT_CHANGE,
        FindingKind.EARLIER_CHANGE,
        FindingKind.METRIC,
    }
)
_OF_CONTAINERS = {
    FindingKind.OUT_OF_MEMORY,
    FindingKind.USAGE_HIGH,
    FindingKind.LOG_ERROR,
    FindingKind.INIT_CONTAINER_FAILED,
}


class Evidence:
    """The facts about one snapshot; each is computed when it is first asked for."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        """Take the snapshot."""
        self.snapshot = snapshot

    @cached_property
    def pods(self) -> tuple[PodFacts, ...]:
        """The target's pods without those that are being deleted, by name."""
        return pod_facts(self.snapshot)

    @cached_property
    def present_pods(self) -> tuple[PodFacts, ...]:
        """The pods of the present template."""
        return tuple(pod for pod in self.pods if pod.present)

    def pod(self, name: str) -> PodFacts | None:
        """Return a pod by its name, or None."""
        return next((pod for pod in self.pods if pod.view.name == name), None)

    @cached_property
    def failing_from_start(self) -> tuple[PodFacts, ...]:
        """The pods of the present template, if none of them was ever ready for its sake."""
        pods = self.present_pods
        same = all(pod.never_ready and pod.as_template for pod in pods)
        return pods if same and not all(pod.starting for pod in pods) else ()

    @cached_property
    def unplaced(self) -> tuple[PodFacts, ...]:
        """The pods of the present template that no node takes."""
        return tuple(pod for pod in self.present_pods if pod.view.unscheduled)

    @cached_property
    def probe_failures(self) -> tuple[ProbeFailure, ...]:
        """The kubelet's probes that fail now."""
        return probe_failures(self.snapshot)

    @cached_property
    def symptoms(self) -> Mapping[str, Symptom]:
        """Why the pods of the present template are not ready, by the pod's name."""
        return {
            pod.view.name: symptom_of(pod, self.probe_failures)
            for pod in self.present_pods
            if not pod.view.ready
        }

    @cached_property
    def all_well(self) -> bool:
        """Whether every desired pod is ready, of the present template, and like the others."""
        count = self.snapshot.replicas
        return (
            count.ready >= count.desired > 0
            and bool(self.pods)
            and not self.snapshot.paused
            and not (self.short_of_cpu or self.short_of_memory or self.killed_for_memory)
            and all(pod.view.ready and pod.present and not self.differs(pod) for pod in self.pods)
            and not self._findings_of_own
        )

    def differs(self, pod: PodFacts) -> bool:
        """Return whether something tells this pod from the target's other pods."""
        if not pod.as_template or pod.view.name in self._singled_out:
            return True
        others = [other for other in self.pods if other is not pod]
        restarts = max((other.view.restarts for other in others), default=0)
        return pod.view.restarts > restarts or any(
            self._uses_more(pod, others, resource) for resource in ("cpu", "memory")
        )

    @cached_property
    def _singled_out(self) -> frozenset[str]:
        """The pods that the report, a warning or an inspection is about, unless all are."""
        names = {pod.view.name for pod in self.pods}
        groups = (
            set(self.snapshot.named_pods),
            {e.name for e in current_events(self.snapshot) if e.warning and e.kind == "Pod"},
            {
                finding.subject.name
                for finding in self.snapshot.findings
                if finding.subject.kind == "Pod" and finding.kind not in _SAYS_NOTHING
            },
        )
        return frozenset(name for group in groups if not names <= group for name in group & names)

    @cached_property
    def _findings_of_own(self) -> bool:
        """Whether an inspection found something wrong with the target's own pods."""
        names = {pod.view.name for pod in self.pods}
        return any(
            finding.kind in _OF_CONTAINERS - {FindingKind.LOG_ERROR}
            and (finding.subject == self.snapshot.target or finding.subject.name in names)
            for finding in self.snapshot.findings
        )

    # Usage

    @cached_property
    def _percent(self) -> Mapping[str, Mapping[tuple[str, str], int]]:
        """The share of its limit that a container uses, by resource, then pod and container."""
        shares: dict[str, dict[tuple[str, str], int]] = {"cpu": {}, "memory": {}}
        limits = {
            view.name: (
                cpu_millicores(view.resources.cpu_limit) if view.resources.cpu_limit else 0,
                memory_bytes(view.resources.memory_limit) if view.resources.memory_limit else 0,
            )
            for view in self.snapshot.containers
        }
        for place, used in self.snapshot.usage.items():
            cpu, memory = limits.get(place[1], (0, 0))
            if cpu:
                shares["cpu"][place] = 100 * used.cpu_millicores // cpu
            if memory:
                shares["memory"][place] = 100 * used.memory_bytes // memory
        return shares

    def highest_percent(self, limit: str, container: str) -> int | None:
        """Return the highest share of a limit; None unless every pod that is ready is measured."""
        shares = self._percent[limit.removesuffix("_limit")]
        names = [pod.view.name for pod in self.pods if pod.view.ready]
        measured = [shares[name, container] for name in names if (name, container) in shares]
        return max(measured) if measured and len(measured) == len(names) else None

    @cached_property
    def short_of_cpu(self) -> frozenset[str]:
        """The containers that use nearly all of their CPU limit."""
        return self._short_of("cpu")

    @cached_property
    def short_of_memory(self) -> frozenset[str]:
        """The containers that use nearly all of their memory limit."""
        return self._short_of("memory")

    def _short_of(self, resource: str) -> frozenset[str]:
        shares = self._percent[resource].items()
        return frozenset(name for (_, name), share in shares if share >= NEAR_LIMIT_PERCENT)

    @cached_property
    def killed_for_memory(self) -> frozenset[str]:
        """The containers that were killed for memory in some pod of the present template."""
        return frozenset(name for pod in self.present_pods for name in pod.killed)

    def _uses_more(self, pod: PodFacts, others: list[PodFacts], resource: str) -> bool:
        def highest(names: set[str]) -> int:
            shares = (s for (name, _), s in self._percent[resource].items() if name in names)
            return max(shares, default=0)

        own = highest({pod.view.name})
        if own < _DIFFERS_PERCENT:
            return False
        return own >= _DIFFERS_FACTOR * highest({other.view.name for other in others})

    # What surrounds the pods

    @cached_property
    def full_quotas(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The quotas that keep pods from being created, with the amounts that are used up."""
        snapshot = self.snapshot
        amounts = ((view.name, exhausted_amounts(view, snapshot)) for view in snapshot.quotas)
        return tuple((name, keys) for name, keys in amounts if keys)

    @cached_property
    def unserved_service(self) -> str:
        """What is wrong with the target's only Service, if it does not lead to the pods."""
        return next(self._unserved(), "")

    def _unserved(self) -> Iterator[str]:
        snapshot = self.snapshot
        declared = [port for view in snapshot.containers for port in view.ports]
        ports = {port.number for port in declared} | {port.name for port in declared if port.name}
        leading = [service for service in snapshot.services if service.selects_target]
        for service in leading:
            if ports and service.ports and not any(p.target_port in ports for p in service.ports):
                yield f"Service {service.name} leads to a port that no container has"
        for key in () if leading else sorted(snapshot.objects):
            if key.kind == "Service" and belongs_to_target(key, snapshot):
                yield f"{key} selects none of them"

    @cached_property
    def config_may_be_repaired(self) -> bool:
        """Whether a value of a ConfigMap could be set, which pods read when they start."""
        return any(True for _ in SetConfigValue.candidates(self.snapshot))

    @cached_property
    def earlier_replicas(self) -> tuple[int, ...]:
        """The numbers of replicas that the target had before."""
        return earlier_values.replica_counts(self.snapshot)
