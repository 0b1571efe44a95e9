"""Provides a cluster on this host: one lock around each change, the work is elsewhere."""

import json
from collections.abc import Sequence
from pathlib import Path

from reme_cluster import api_dump, binaries, progress
from reme_cluster.host import images, prerequisites, saved_state, startup, status, subnets, teardown
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
        """Bring the cluster up; running parts stay as they are.

        Raises:
            PrerequisiteError: this host lacks something, and nothing was changed.
            ClusterError: some part does not come up.
        """
        with progress.step("check prerequisites"):
            prerequisites.ensure(self._settings)
        programs = binaries.build(self._settings.cache, binaries.HOST_BINARIES)
        with exclusive(self._settings.state_dir / "lock", f"cluster {self._settings.name}"):
            teardown.sweep(self._settings)
            # Held until the route is there, by which others see that the subnet is taken.
            with exclusive(subnets.CHOOSING_LOCK, "choosing a subnet", wait_seconds=120):
                layout = saved_state.settle(self._settings, options)
                holders = startup.connect(layout)
            run = startup.Start(layout, programs, holders, options.timeout_seconds)
            run.run()
            if options.metrics:
                run.wait_metrics()

    def down(self) -> None:
        """Remove the cluster; nothing to do if there is none.

        Raises:
            ClusterError: the kernel does not let something go.
        """
        teardown.sweep(self._settings)
        if not self._settings.state_dir.exists():
            progress.say(f"no cluster {self._settings.name}")
            return
        with exclusive(self._settings.state_dir / "lock", f"cluster {self._settings.name}"):
            teardown.remove(self._settings, saved_state.find(self._settings))

    def status(self) -> Status:
        """Look at the cluster without changing it."""
        return status.status(self._settings)

    def load(self, images_: Sequence[str]) -> None:
        """Bring images into every node's containerd."""
        layout = saved_state.load(self._settings)
        with exclusive(self._settings.state_dir / "load.lock", "loading images", wait_seconds=1800):
            images.load(layout, images_)

    def logs(self, component: str | None, lines: int) -> str:
        """Return the end of one component's log, or of all."""
        return status.logs(saved_state.load(self._settings), component, lines)

    def collect(self, directory: Path) -> None:
        """Copy all logs and what the API server knows into a directory."""
        layout = saved_state.load(self._settings)
        status.copy_logs(layout, directory)
        (directory / "status.json").write_text(json.dumps(self.status().as_json(), indent=2))
        program = binaries.path(self._settings.cache, "kubectl")
        api_dump.from_api_server(Kubectl(program, layout.kubeconfig), directory)
