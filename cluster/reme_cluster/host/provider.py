"""The provider of clusters on this host; holds a lock during each change."""

import json
from collections.abc import Sequence
from pathlib import Path

from reme_cluster import api_dump, binaries, progress
from reme_cluster.host import prerequisites, saved_state, startup, status, subnets, teardown
from reme_cluster.host.images import load as load_images
from reme_cluster.kubectl import Kubectl
from reme_cluster.lock import exclusive
from reme_cluster.provider import Status, UpOptions
from reme_cluster.settings import Settings


class HostProvider:
    """A cluster of namespaces and plain processes on this host."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def kubeconfig(self) -> Path:
        """The file that gives full access."""
        return self._settings.state_dir / "kubeconfig"

    def up(self, options: UpOptions) -> None:
        """Start the parts of the cluster that do not run.

        Raises:
            PrerequisiteError: this host lacks something, and nothing was changed.
            ClusterError: a part does not start.
        """
        with progress.step("check prerequisites"):
            prerequisites.ensure(self._settings)
        programs = binaries.build(self._settings.cache, binaries.HOST_BINARIES)
        with exclusive(self._settings.state_dir / "lock", f"cluster {self._settings.name}"):
            teardown.sweep(self._settings)
            # Held until the route exists, which shows other clusters that the subnet is used.
            with exclusive(subnets.CHOOSING_LOCK, "the choice of a subnet", wait_seconds=120):
                layout = saved_state.decide_layout(self._settings, options)
                holders = startup.make_nodes(layout)
            start = startup.Startup(layout, programs, holders, options.timeout_seconds)
            start.run()
            if options.metrics:
                start.wait_for_metrics()

    def down(self) -> None:
        """Remove the cluster if it exists.

        Raises:
            ClusterError: a process, an interface or a cgroup cannot be removed.
        """
        teardown.sweep(self._settings)
        if not self._settings.state_dir.exists():
            progress.say(f"no cluster {self._settings.name}")
            return
        with exclusive(self._settings.state_dir / "lock", f"cluster {self._settings.name}"):
            teardown.remove(self._settings, saved_state.find(self._settings))

    def status(self) -> Status:
        """Return the status without changing the cluster."""
        return status.status(self._settings)

    def load(self, images: Sequence[str]) -> None:
        """Load images into every node's containerd."""
        layout = saved_state.load(self._settings)
        lock = self._settings.state_dir / "load.lock"
        with exclusive(lock, "the load of images", wait_seconds=1800):
            load_images(layout, images)

    def logs(self, component: str | None, lines: int) -> str:
        """Return the end of one component's log, or of all."""
        return status.logs(saved_state.load(self._settings), component, lines)

    def collect(self, directory: Path) -> None:
        """Write all logs and the objects of the API server to a directory."""
        layout = saved_state.load(self._settings)
        status.copy_logs(layout, directory)
        (directory / "status.json").write_text(json.dumps(self.status().as_json(), indent=2))
        program = binaries.path(self._settings.cache, "kubectl")
        api_dump.write_dump(Kubectl.of_cluster(program, layout.kubeconfig), directory)
