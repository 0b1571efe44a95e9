"""What a method is given, and what it must give back."""

from dataclasses import dataclass
from typing import Any, Protocol

from reme_benchmark.kube.cluster import Cluster, Object
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.records import MethodReport


@dataclass(frozen=True)
class Task:
    """One case as a method sees it: a report, and a cluster in which it is true.

    `situation` is the harness's own knowledge. Only `oracle` and the cheats look into it, which is
    what makes them a bound and an attack, and no methods.
    """

    report: Object  # a DiagnosisReport, not yet created
    deadline_seconds: float
    context: CaseContext

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.context.cluster

    @property
    def namespace(self) -> str:
        """Where the report and its target are."""
        return self.context.namespace

    @property
    def target(self) -> tuple[str, str]:
        """Kind and name of the reported workload."""
        target = self.report["spec"]["target"]
        return str(target["kind"]), str(target["name"])


class Method(Protocol):
    """Something that repairs, or says why it does not."""

    @property
    def name(self) -> str:
        """Its name, as results call it."""
        ...

    @property
    def options(self) -> dict[str, Any]:
        """What was chosen of it, for the record."""
        ...

    @property
    def acts(self) -> bool:
        """Whether it may change anything; what only tells what it would do is not judged."""
        ...

    async def prepare(self, cluster: Cluster, namespaces: tuple[str, ...]) -> None:
        """Make ready once, before the first case.

        Raises:
            MethodError: it cannot be used here, and why.
        """
        ...

    async def repair(self, task: Task) -> MethodReport:
        """Repair, and say what was done; what it says decides nothing."""
        ...

    async def close(self) -> None:
        """Leave nothing behind."""
        ...


class MethodError(Exception):
    """The method cannot be used here; the message says why and what to do."""


class Simple:
    """A method without options and without anything to prepare."""

    name = ""
    acts = True

    @property
    def options(self) -> dict[str, Any]:
        """Return nothing: there is no choice."""
        return {}

    async def prepare(self, cluster: Cluster, namespaces: tuple[str, ...]) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""
