"""The command that locks, and the one that says whether the locks are fresh."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reme_images import locks, wheels
from reme_images.errors import CommandError, ImagesError, PrerequisiteError, StaleLockError

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Lock, or check, as the command line says."""
    parser = argparse.ArgumentParser(prog="python images/lock.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is stale")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    parser.add_argument("--wheels", type=Path, help="directory with torch's wheel ($REME_WHEELS)")
    parser.add_argument("names", nargs="*", help="which locks (default: the stale ones)")
    given = parser.parse_args(arguments)
    try:
        if given.check:
            check(ROOT)
        else:
            lock(ROOT, given.names, wheels.directory(given.wheels), upgrade=given.upgrade)
    except ImagesError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _texts(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (root / "requirements").glob("*.txt")}


def check(root: Path) -> None:
    """Compare every lock with its source; needs no network.

    Raises:
        StaleLockError: at least one does not fit.
    """
    texts = _texts(root)
    known = {file for lock in locks.locks(root) for file in lock.files}
    found = [fault for lock in locks.locks(root) for fault in locks.faults(lock, texts)]
    found += [f"{name}: nothing makes it" for name in sorted(texts.keys() - known)]
    if found:
        raise StaleLockError("\n  ".join(["run `make lock`:", *found]))


def lock(root: Path, names: Sequence[str], wheel_dir: Path | None, *, upgrade: bool) -> None:
    """Write the locks, each with an unchanged version wherever the old one is still allowed.

    Without names, only those are written that do not fit their source, or all to upgrade them.

    Raises:
        PrerequisiteError: uv is not there.
        CommandError: there is no set of versions that fits.
    """
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        raise PrerequisiteError("uv is needed to lock: `pip install uv`")
    for one in locks.locks(root):
        stale = upgrade or any(locks.faults(one, _texts(root)))
        if one.name in names or (stale and not names):
            print(f"  {one.name}", file=sys.stderr, flush=True)
            _compile(uv, root / "requirements", one, wheel_dir, upgrade=upgrade)


def _compile(
    uv: str, folder: Path, one: locks.Lock, wheel_dir: Path | None, *, upgrade: bool
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        source, overrides = Path(scratch, "source.in"), Path(scratch, "overrides.in")
        result = Path(scratch, "result.txt")
        source.write_text("\n".join(one.requirements))
        overrides.write_text("\n".join(one.overrides))
        # uv prefers the versions it finds in the file that it is to write.
        before = [folder / name for name in one.files if (folder / name).exists()]
        result.write_text("".join(path.read_text() for path in before))
        command = [uv, "pip", "compile", "--quiet", "--python-version", "3.11", *one.platform]
        command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
        command += ["--no-emit-find-links", "--override", str(overrides), "--output-file"]
        command += [str(result), str(source)]
        if one.like:
            command += ["--constraint", str(folder / f"{one.like}.txt")]
        if one.apart:
            command += ["--find-links", str(wheel_dir)] if wheel_dir else ["--torch-backend", "cpu"]
        if upgrade:
            command.append("--upgrade")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CommandError(command, done.stderr)
        found = locks.blocks(result.read_text())
    for name in one.apart:
        _write(folder / f"{name}.txt", locks.head(one) + found.pop(name))
    _write(folder / f"{one.name}.txt", locks.head(one) + "".join(found.values()))


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text)
    temporary.replace(path)
