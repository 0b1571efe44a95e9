"""The context of a case, which injection, oracles and diagnosis share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.model import Fault

if TYPE_CHECKING:
    from reme_benchmark.injection.agent_client import FaultAgents
    from reme_benchmark.scenarios.systems.model import System
    from reme_benchmark.scoring.snapshot import Snapshot
    from reme_benchmark.scoring.user_sli import LoadGenerator


@dataclass(frozen=True)
class CaseContext:
    """One case in one namespace."""

    cluster: Cluster
    agents: "FaultAgents"
    users: "LoadGenerator"
    namespace: str
    system: "System"
    case: Case
    fault: Fault | None  # None: a healthy system
    before: "Snapshot"  # of the namespace, before the fault
    values: dict[str, Any]  # of the placeholders `${name}` in the fault's data
