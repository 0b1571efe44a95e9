"""Removes unused files from the environment of an image: `python slim.py IMAGE FOLDER`.

Runs inside the build, with the interpreter of the image, and compiles the rest. When a removed
file is needed after all, the check of the image fails with ImportError.
"""

import compileall
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from py_compile import PycInvalidationMode

# In every image: files that build or test packages.
UNUSED_EVERYWHERE = (
    "*/tests",
    "*/testing/tests",
    "*/include",
    "*.dist-info/RECORD",
    "pip",
    "pip-*",
    "_virtualenv.*",
)
# By image, below site-packages.
UNUSED: dict[str, tuple[str, ...]] = {
    # The client for asyncio, and the tests of Ansible.
    "sandbox": ("kubernetes/aio", "ansible_test"),
    # Clients for DHCP, and other operating systems.
    "tools": ("pyroute2/dhcp", "pyroute2/bsd", "pyroute2/fixtures"),
    # The tests, headers and build tools of torch; the vocabularies of other models.
    "model": (
        "torch/test",
        "torch/include",
        "torch/share",
        "torch/bin/*[Tt]est*",
        "torch/bin/protoc*",
        "torch/bin/*.ptl",
        "torch/lib/*_test.so",
        "mistral_common/data",
    ),
}
# Generated code, and most of the environment: compiled without docstrings and without source.
WITHOUT_SOURCE: dict[str, tuple[str, ...]] = {"sandbox": ("kubernetes",)}
# Of hundreds of models one is served: the others are compiled when they are imported.
NOT_COMPILED: dict[str, str] = {"model": r"/transformers/models/(?!auto/|llama/|__init__)"}
# Libraries with debugging information. Only these: other wheels were made portable by a tool that
# changes the linked files, and `strip` destroys them.
STRIPPED: dict[str, tuple[str, ...]] = {
    "model": ("vllm/_C*.so", "torch/lib/libtorch_cpu.so", "torch/lib/libtorch_python.so"),
}
# The only file of the OpenMP runtime that CPUs use; the others are for GPUs.
_OPENMP = "libiomp5.so"


def main(image: str, folder: Path) -> None:
    """Remove unused files of one environment, then compile the rest."""
    packages = next(folder.glob("lib/python3*/site-packages"))
    remove(matches(packages, (*UNUSED_EVERYWHERE, *UNUSED.get(image, ()))))
    remove(path for path in packages.parent.parent.glob("lib*") if path.name != _OPENMP)
    remove(matches(packages, ("**/__pycache__", "**/*.pyi", "**/*.a")))
    if image == "model":
        remove(path for path in (folder / name for name in ("opt", "share")) if path.exists())
    strip(matches(packages, STRIPPED.get(image, ())))
    for name in WITHOUT_SOURCE.get(image, ()):
        compile_tree(packages / name, keep_source=False)
    compile_tree(packages, skip=NOT_COMPILED.get(image))


def matches(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """Return the paths below a folder that match a pattern."""
    return [path for pattern in patterns for path in folder.glob(pattern)]


def remove(paths: Iterable[Path]) -> None:
    """Remove files and folders."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def strip(libraries: Iterable[Path]) -> None:
    """Remove symbols and debugging information from compiled libraries."""
    for path in libraries:
        subprocess.run(["strip", "--strip-unneeded", path], check=True)


def compile_tree(folder: Path, *, keep_source: bool = True, skip: str | None = None) -> None:
    """Compile the modules of a folder, without later checks against the source."""
    done = compileall.compile_dir(
        folder,
        quiet=2,
        rx=re.compile(skip) if skip else None,
        legacy=not keep_source,
        optimize=-1 if keep_source else 2,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        workers=os.cpu_count() or 1,
    )
    if not keep_source:
        if not done:
            sys.exit(f"{folder} does not compile")
        remove(folder.rglob("*.py"))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
