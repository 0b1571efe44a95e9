"""Where a case takes place: what injection, oracles and the diagnosis all need to know."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.model import Fault

if TYPE_CHECKING:
    from reme_benchmark.injection.agent_client import FaultAgents
    from reme_benchmark.scenarios.systems.model import System
    from reme_benchmark.scoring.snapshot import Snapshot
    from reme_benchmark.scoring.user_sli import Users


@dataclass(frozen=True)
class CaseContext:
    """One case in one namespace; `before` is the namespace as it was before the fault."""

    cluster: Cluster
    agents: "FaultAgents"
    users: "Users"
    namespace: str
    system: "System"
    case: Case
    fault: Fault | None  # none: a healthy system
    before: "Snapshot"
    values: dict[str, Any]  # what `${name}` in the fault's data means here
