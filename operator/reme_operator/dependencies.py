"""What the operator's parts need of each other and of the outside, made once per process."""

from collections.abc import Callable
from dataclasses import dataclass, field

from reme_kube.clock import Clock
from reme_kube.protocols import Cluster
from reme_model.inference.generation import PlaybookModel
from reme_operator.errors import LeadershipLostError
from reme_operator.investigation.coordinator import Coordinator
from reme_operator.investigation.inspector import Inspector
from reme_operator.kill_switch.watch import KillSwitch
from reme_operator.probes.sample import Prober
from reme_operator.settings import OperatorSettings
from reme_operator.telemetry.health import Health
from reme_operator.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The clients, the settings and the telemetry; tests put others in their place."""

    cluster: Cluster
    prober: Prober
    model: PlaybookModel
    coordinator: Coordinator
    inspector: Inspector
    clock: Clock
    settings: OperatorSettings
    metrics: Metrics
    health: Health
    leading: Callable[[], bool] = lambda: True
    active_runs: set[str] = field(default_factory=set)  # names of the runs that have a Job now
    switch: KillSwitch = field(default_factory=lambda: KillSwitch(None))

    def require_leadership(self) -> None:
        """Return if this process holds the lease; called before every write.

        Raises:
            LeadershipLostError: it does not; another process may be writing.

        """
        if not self.leading():
            raise LeadershipLostError("lost leader election")
