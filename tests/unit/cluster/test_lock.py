import os
import subprocess
import sys
from pathlib import Path

import pytest

from reme_cluster.errors import BusyError
from reme_cluster.lock import exclusive


def test_the_error_names_the_holder_of_the_lock(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock", "the thing"),
        pytest.raises(BusyError, match=rf"the thing: .*process {os.getpid()}"),
        exclusive(tmp_path / "lock", "the thing"),
    ):
        pass


def test_the_lock_is_released_at_the_end(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "lock", "the thing"):
            pass


def test_the_lock_of_a_killed_process_is_released(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys\n"
        "from reme_cluster.lock import exclusive\n"
        "with exclusive(pathlib.Path(sys.argv[1]), 'x'):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "lock")], check=False)

    with exclusive(tmp_path / "lock", "the thing"):
        pass


def test_a_lock_on_a_deleted_file_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "cluster" / "lock"
    with exclusive(path, "down"):
        path.unlink()
        with exclusive(path, "up"):
            assert path.exists()
