"""What a reader is given, and how it registers itself."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from reme_kube.clock import Clock
from reme_kube.protocols import Cluster
from reme_model.prompt.redact import redact
from reme_operator.investigation.prometheus import MetricsSource
from reme_operator.probes.sample import Prober
from reme_playbook.inspections.base import Inspection
from reme_playbook.snapshot.finding import Finding
from reme_playbook.snapshot.snapshot import ClusterSnapshot


@dataclass(frozen=True, slots=True)
class Sources:
    """What readers read from, and how long one of them may take."""

    cluster: Cluster
    clock: Clock
    seconds: float = 10.0
    prober: Prober | None = None  # without one no requests are sent
    prometheus: MetricsSource | None = None


I = TypeVar("I", bound=Inspection)  # noqa: E741
Reader = Callable[[I, ClusterSnapshot, Sources], Awaitable[Iterable[Finding]]]

READERS: dict[type[Inspection], Reader[Any]] = {}
"""The reader of each inspection."""


def reads(inspection: type[I]) -> Callable[[Reader[I]], Reader[I]]:
    """Register a function as the reader of an inspection."""

    def register(reader: Reader[I]) -> Reader[I]:
        assert inspection not in READERS, f"{inspection.NAME} has two readers"
        READERS[inspection] = reader
        return reader

    return register


def redacted(value: Any) -> Any:
    """Return JSON with every string redacted, before anything of it is cut."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redacted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(inner) for inner in value]
    return value
