"""Removes every trace of a cluster, also one that is half there."""

import contextlib
import os
import shutil

from reme_cluster import progress
from reme_cluster.host import cgroups, namespaces, network, subnets
from reme_cluster.host.layout import Layout
from reme_cluster.lock import exclusive
from reme_cluster.settings import Settings


def remove(settings: Settings, layout: Layout | None) -> None:
    """End all processes, then remove interface, cgroups and files.

    May be interrupted and run again. Without a layout (`up` was killed in its first instant)
    there are only files.

    Raises:
        ClusterError: the kernel does not let something go.
    """
    if layout:
        with progress.step("end all processes"):
            # Everything is below this cgroup, pods too; mounts and the nodes' own interfaces
            # go with the last process. Nothing needs to end well: the files go, too.
            cgroups.kill(layout.cgroup)
        with progress.step("remove interface and cgroups"):
            network.disconnect(layout.network)
            cgroups.remove(layout.cgroup)
    with progress.step("remove files"):
        # Renamed first: what is left of an interrupted removal is no cluster any more.
        removed = settings.state_root / f".{settings.name}.removed-{os.getpid()}"
        settings.state_dir.rename(removed)
        sweep(settings)
        _remove_shared(settings)


def sweep(settings: Settings) -> None:
    """Remove files that an interrupted removal left."""
    for leftover in settings.state_root.glob(f".{settings.name}.removed-*"):
        shutil.rmtree(leftover)


def _remove_shared(settings: Settings) -> None:
    """Remove the directories that clusters share, after the last cluster of this host."""
    with exclusive(subnets.CHOOSING_LOCK, "the last steps", wait_seconds=120):
        mount_points = () if cgroups.exist_like("reme-*") else namespaces.MOUNT_POINTS
        for directory in (settings.state_root, *mount_points):
            with contextlib.suppress(OSError):  # not empty, so not only ours
                directory.rmdir()
