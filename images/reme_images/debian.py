"""Makes base images from Debian's packages, where no registry answers.

One run of mmdebstrap makes two file systems: the one of the build stages, and the same without
build tools, which is the base of the images.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from reme_cluster.commands import run_with_log
from reme_images.errors import PrerequisiteError

SUITE = "bookworm"
_RUNTIME = ("ca-certificates", "libnuma1", "libstdc++6", "python3", "usr-is-merged")
_BUILD = ("binutils", "python3-venv")
# Dependencies of the above or of the bootstrap that images do not need.
_ONLY_BUILD = (
    "binutils*",
    "libbinutils*",
    "libctf*",
    "libgprofng0",
    "libjansson4",
    "python3-venv",
    "python3.11-venv",
    "python3-pip-whl",
    "python3-setuptools-whl",
    "python3-distutils",
    "python3-lib2to3",
    "usrmerge",
    "libfile-find-rule-perl",
    "libnumber-compare-perl",
    "libtext-glob-perl",
    "perl",
    "perl-modules-5.*",
    "libperl5.*",
    "libgdbm*",
)
_LEFT_OUT = ("doc", "locale", "man", "info", "lintian")
_TAR = "tar --numeric-owner --one-file-system --exclude=./dev/* --exclude=./var/lib/apt/lists/*"


@dataclass(frozen=True)
class Trees:
    """Two file systems as tar files."""

    runtime: Path
    build: Path


def make(folder: Path, log: Path) -> Trees:
    """Make both file systems in a folder.

    Raises:
        PrerequisiteError: mmdebstrap is not installed, or this user is not root.
        CommandError: it failed.
    """
    if shutil.which("mmdebstrap") is None or os.geteuid() != 0:
        raise PrerequisiteError(
            "no registry answers for the base image, and making one needs root and mmdebstrap:\n"
            "run `apt-get install mmdebstrap` as root, or name a local image with --base"
        )
    trees = Trees(folder / "runtime.tar", folder / "build.tar")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        run_with_log(command(trees, scratch), log=log, env={"TMPDIR": scratch})
    return trees


def command(trees: Trees, scratch: str) -> list[str]:
    """Return the command of mmdebstrap; its hooks change only the new tree."""
    keep = f'{_TAR} -C "$1" -cf "{trees.build}" .'
    purge = (
        f"for name in {' '.join(map(repr, _ONLY_BUILD))}; do "
        'chroot "$1" dpkg-query -W -f "\\${db:Status-Abbrev} \\${binary:Package}\\n" "$name" '
        "2>/dev/null || true; done "
        f"""| sed -n 's/^ii *//p' > "{scratch}/purge"; """
        f'chroot "$1" dpkg --purge $(cat "{scratch}/purge")'
    )
    # Character sets that Python does not use, and logs of the installation.
    tidy = (
        'rm -rf "$1"/usr/lib/*-linux-gnu/gconv "$1"/var/cache/debconf/*-old '
        '"$1"/var/log/* "$1"/var/lib/apt/lists/*'
    )
    # Compiled without checks of times: an image may give all files the same time.
    compile_all = (
        'chroot "$1" python3 -m compileall -q -f --invalidation-mode unchecked-hash '
        "/usr/lib/python3.11 >/dev/null || true"
    )
    # In a mount namespace of its own: a process that reads the host's file systems meanwhile
    # would keep the tree's /proc busy, and mounts end with the last process.
    words = ["unshare", "--mount", "--propagation=private", "mmdebstrap", "--variant=essential"]
    words += [f"--include={','.join((*_RUNTIME, *_BUILD))}"]
    words += ['--aptopt=APT::Install-Recommends "false"']
    words += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    words += ["--dpkgopt=path-include=/usr/share/doc/*/copyright"]
    words += [f"--customize-hook={hook}" for hook in (compile_all, keep, purge, tidy)]
    words += [SUITE, str(trees.runtime)]
    mirror = os.environ.get("REME_DEBIAN_MIRROR")
    return [*words, mirror] if mirror else words
