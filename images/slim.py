"""Leaves out of an image's environment what never runs there: `python slim.py IMAGE FOLDER`.

Runs inside the build, with the interpreter of the image. Everything left out was looked for in
what the image runs; a wrong guess shows as ImportError when the image's own check imports it.
"""

import compileall
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

# In every image: what builds or tests packages.
EVERYWHERE = (
    "*/tests",
    "*/testing/tests",
    "*/include",
    "*.dist-info/RECORD",
    "pip",
    "pip-*",
    "_virtualenv.*",
)
# By image, below site-packages.
NEVER_RUN: dict[str, tuple[str, ...]] = {
    # The client for asyncio, and what tests Ansible itself.
    "sandbox": ("kubernetes/aio", "ansible_test"),
    # Clients for DHCP, and other operating systems.
    "tools": ("pyroute2/dhcp", "pyroute2/bsd", "pyroute2/fixtures"),
    # torch's own tests, headers and build tools; the vocabularies of other models.
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
# Generated, and most of the environment: compiled without docstrings, and the source left out.
# Nobody reads it in a traceback.
WITHOUT_SOURCE: dict[str, tuple[str, ...]] = {"sandbox": ("kubernetes",)}
# Hundreds of models of which one is served: those not named here are compiled when imported.
NOT_COMPILED: dict[str, str] = {"model": r"/transformers/models/(?!auto/|llama/|__init__)"}
# Libraries that carry debugging information. Only these: others were changed after they were
# linked, by the tool that made their wheels portable, and do not survive stripping.
STRIPPED: dict[str, tuple[str, ...]] = {
    "model": ("vllm/_C*.so", "torch/lib/libtorch_cpu.so", "torch/lib/libtorch_python.so"),
}
# Of the OpenMP runtime only this one file computes; the rest drives GPUs.
_OPENMP = "libiomp5.so"


def main(image: str, folder: Path) -> None:
    """Slim one environment, then compile what is left."""
    packages = next(folder.glob("lib/python3*/site-packages"))
    remove(found(packages, (*EVERYWHERE, *NEVER_RUN.get(image, ()))))
    remove(path for path in packages.parent.parent.glob("lib*") if path.name != _OPENMP)
    remove(found(packages, ("**/__pycache__", "**/*.pyi", "**/*.a")))
    if image == "model":
        remove(path for path in (folder / name for name in ("opt", "share")) if path.exists())
    strip(found(packages, STRIPPED.get(image, ())))
    for name in WITHOUT_SOURCE.get(image, ()):
        compile_tree(packages / name, keep_source=False)
    compile_tree(packages, but=NOT_COMPILED.get(image))


def found(below: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """Yield what the patterns name, as it was before any of it was removed."""
    return iter([path for pattern in patterns for path in below.glob(pattern)])


def remove(paths: Iterable[Path]) -> None:
    """Remove files and whole folders."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def strip(libraries: Iterable[Path]) -> None:
    """Take symbols and debugging information out of compiled libraries."""
    for path in libraries:
        subprocess.run(["strip", "--strip-unneeded", path], check=True)


def compile_tree(folder: Path, *, keep_source: bool = True, but: str | None = None) -> None:
    """Compile below the folder; nothing looks at the time or the text of the source afterwards."""
    done = compileall.compile_dir(
        folder,
        quiet=2,
        rx=re.compile(but) if but else None,
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
