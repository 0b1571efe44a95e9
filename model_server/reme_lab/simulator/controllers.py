"""What the controllers of workloads do until they have nothing left to do."""

from reme_lab.simulator.deployments import deployment
from reme_lab.simulator.stateful_sets import daemon_set, stateful_set
from reme_lab.simulator.workload_pods import PodControl
from reme_lab.simulator.world import World
from reme_playbook.snapshot.object_ref import ObjectRef

_CONTROLLERS = {
    "Deployment": deployment,
    "StatefulSet": stateful_set,
    "DaemonSet": daemon_set,
}


def run_controller(world: World, key: ObjectRef) -> World:
    """Return the world when the controller of this workload has done what it can."""
    work = PodControl(world, key)
    _CONTROLLERS[key.kind](work)
    return work.done()
