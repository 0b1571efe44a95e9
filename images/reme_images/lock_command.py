"""The command `images/lock.py`: writes the lock files with uv, or checks them."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reme_cluster import commands
from reme_cluster.errors import ClusterError
from reme_cluster.files import write_atomically
from reme_images import locks, wheels
from reme_images.errors import ImagesError, PrerequisiteError, StaleLockError
from reme_images.settings import ROOT


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the lock files and return the exit code."""
    parser = argparse.ArgumentParser(prog="python images/lock.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only report stale locks")
    parser.add_argument("--upgrade", action="store_true", help="use the newest allowed versions")
    parser.add_argument("--wheels", type=Path, help="directory with torch's wheel ($REME_WHEELS)")
    parser.add_argument("names", nargs="*", help="locks to write (default: the stale ones)")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            check(ROOT)
        else:
            wheel_folder = wheels.directory(options.wheels)
            write_locks(ROOT, options.names, wheel_folder, upgrade=options.upgrade)
    except (ImagesError, ClusterError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _texts(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (root / "requirements").glob("*.txt")}


def check(root: Path) -> None:
    """Compare every lock with its source; needs no network.

    Raises:
        StaleLockError: at least one lock does not fit.
    """
    texts = _texts(root)
    all_locks = locks.all_locks(root)
    known = {file for lock in all_locks for file in lock.files}
    problems = [problem for lock in all_locks for problem in locks.problems(lock, texts)]
    problems += [f"{name}: belongs to no lock" for name in sorted(texts.keys() - known)]
    if problems:
        raise StaleLockError("\n  ".join(["run `make lock`:", *problems]))


def write_locks(
    root: Path, names: Sequence[str], wheel_folder: Path | None, *, upgrade: bool
) -> None:
    """Write locks, with an unchanged version wherever the old one is still allowed.

    Without names, only the stale locks are written, or all of them for an upgrade.

    Raises:
        PrerequisiteError: uv is not installed.
        CommandError: no versions satisfy the requirements.
    """
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        raise PrerequisiteError("uv is needed to lock: `pip install uv`")
    for lock in locks.all_locks(root):
        stale = upgrade or any(locks.problems(lock, _texts(root)))
        if lock.name in names or (stale and not names):
            print(f"  {lock.name}", file=sys.stderr, flush=True)
            _compile(uv, root / "requirements", lock, wheel_folder, upgrade=upgrade)


def _compile(
    uv: str, folder: Path, lock: locks.Lock, wheel_folder: Path | None, *, upgrade: bool
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        source, overrides = Path(scratch, "source.in"), Path(scratch, "overrides.in")
        result = Path(scratch, "result.txt")
        source.write_text("\n".join(lock.requirements))
        overrides.write_text("\n".join(lock.overrides))
        # uv prefers the versions in the existing output file.
        old_files = [folder / name for name in lock.files if (folder / name).exists()]
        result.write_text("".join(path.read_text() for path in old_files))
        command = [uv, "pip", "compile", "--quiet", "--python-version", "3.11", *lock.platform]
        command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
        command += ["--no-emit-find-links", "--override", str(overrides), "--output-file"]
        command += [str(result), str(source)]
        if lock.same_versions_as:
            command += ["--constraint", str(folder / f"{lock.same_versions_as}.txt")]
        if lock.separate_packages and wheel_folder:
            command += ["--find-links", str(wheel_folder)]
        elif lock.separate_packages:
            command += ["--torch-backend", "cpu"]
        if upgrade:
            command.append("--upgrade")
        commands.run(command, timeout_seconds=1800)
        lines = locks.package_lines(result.read_text())
    for name in lock.separate_packages:
        write_atomically(folder / f"{name}.txt", locks.header(lock) + lines.pop(name))
    write_atomically(folder / f"{lock.name}.txt", locks.header(lock) + "".join(lines.values()))
