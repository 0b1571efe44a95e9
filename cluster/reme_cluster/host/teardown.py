"""Removes a cluster completely, also an incomplete one."""

import contextlib
import os
import shutil

from reme_cluster import progress
from reme_cluster.host import cgroups, namespaces, network, subnets
from reme_cluster.host.layout import Layout
from reme_cluster.lock import exclusive
from reme_cluster.settings import Settings


def remove(settings: Settings, layout: Layout | None) -> None:
    """End all processes, then remove the interface, the cgroups and the files.

    May be interrupted and repeated. Without a layout, when `up` was killed early, there are
    only files.

    Raises:
        ClusterError: a process, the interface or a cgroup cannot be removed.
    """
    if layout:
        with progress.step("end all processes"):
            # All processes are below this cgroup, also those of pods. Mounts and interfaces of
            # nodes end with the last process. No clean end is needed: the files are removed.
            cgroups.kill(layout.cgroup)
        with progress.step("remove interface and cgroups"):
            network.disconnect(layout.network)
            cgroups.remove(layout.cgroup)
    with progress.step("remove files"):
        # Renamed first, so that the rest of an interrupted removal is not a cluster.
        removed = settings.state_root / f".{settings.name}.removed-{os.getpid()}"
        settings.state_dir.rename(removed)
        sweep(settings)
        _remove_shared(settings)


def sweep(settings: Settings) -> None:
    """Remove the files of an interrupted removal."""
    for leftover in settings.state_root.glob(f".{settings.name}.removed-*"):
        shutil.rmtree(leftover)


def _remove_shared(settings: Settings) -> None:
    """Remove the directories that clusters share, after the last cluster of this host."""
    with exclusive(subnets.CHOOSING_LOCK, "the shared directories", wait_seconds=120):
        mount_points = () if cgroups.exist_like("reme-*") else namespaces.MOUNT_POINTS
        for directory in (settings.state_root, *mount_points):
            with contextlib.suppress(OSError):  # not empty: others use it
                directory.rmdir()
