"""Cgroups are made, filled, emptied and removed alike on version 1 and 2."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reme_cluster.host import cgroups

pytestmark = pytest.mark.cluster

# On a host with version 1, its unused tree of version 2 is good enough for this.
ROOTS = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")]
GROUP = "reme-e2e-cgroups"


@pytest.fixture(params=ROOTS, ids=str)
def root(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path: Path = request.param
    if not path.exists():
        pytest.skip("this host has only one tree")
    monkeypatch.setattr(cgroups, "_ROOT", path)
    cgroups.hierarchies.cache_clear()
    yield path
    cgroups.remove(GROUP)
    cgroups.hierarchies.cache_clear()


def test_a_process_lives_and_ends_in_its_cgroup(root: Path) -> None:
    cgroups.create(f"{GROUP}/node-0/system/sleeper")
    trees = cgroups.hierarchies().trees
    assert all((tree / GROUP / "node-0/system/sleeper").is_dir() for tree in trees)
    join = cgroups.tracking_file(f"{GROUP}/node-0/system/sleeper")
    script = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text('0'); time.sleep(60)"
    inside = subprocess.Popen([sys.executable, "-c", script, str(join)])
    outside = subprocess.Popen(["sleep", "60"])
    try:
        while not cgroups.pids(GROUP):
            assert inside.poll() is None
        assert cgroups.pids(GROUP) == [inside.pid]
        assert cgroups.exist_like("reme-e2e-cg*")

        cgroups.signal_member(outside.pid, GROUP, signal.SIGKILL)
        cgroups.kill(GROUP)

        assert inside.wait(timeout=5) == -signal.SIGKILL
        assert outside.poll() is None
        cgroups.remove(GROUP)
        assert not any((tree / GROUP).exists() for tree in trees)
    finally:
        for process in (inside, outside):
            process.kill()
            process.wait()
