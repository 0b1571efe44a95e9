"""The two baselines: to do nothing, and to restart whatever the report names."""

from reme_benchmark.methods.base import Simple, Task
from reme_benchmark.methods.changes import restart, rolled_out
from reme_benchmark.scoring.records import MethodReport


class Noop(Simple):
    """Does nothing: whatever is scored then is the instrument's fault."""

    name = "noop"

    async def repair(self, task: Task) -> MethodReport:
        """Return at once."""
        kind, name = task.target
        return MethodReport(outcome="NoAction", message=f"nothing is done about {kind}/{name}")


class RestartOnly(Simple):
    """Restarts the reported workload and waits for it, as people do first."""

    name = "restart"

    async def repair(self, task: Task) -> MethodReport:
        """Restart the workload."""
        kind, name = task.target
        await restart(task.cluster, kind, name, task.namespace)
        done = await rolled_out(task.cluster, kind, name, task.namespace, 45)
        return MethodReport(
            outcome="Restarted" if done else "RestartedNotReady",
            acted=True,
            attempts=1,
            message=f"restarted {kind}/{name}",
        )
