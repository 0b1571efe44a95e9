"""Checks that this host can run a cluster, and installs missing packages."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from reme_cluster import binaries, go_toolchain, progress
from reme_cluster.commands import run, succeeds
from reme_cluster.errors import CommandError, PrerequisiteError
from reme_cluster.host import cgroups
from reme_cluster.settings import Settings

_GIB = 1024**3
_BUILD_BYTES = 12 * _GIB  # Go's module and build caches, and the programs
_STATE_BYTES = 3 * _GIB
_MEMORY_BYTES = 3 * _GIB
_LONGEST_SOCKET = 107


class Tool(NamedTuple):
    """A program that must be on PATH, and the Debian package that contains it."""

    program: str
    package: str


# buildah, mmdebstrap and busybox-static only make images; the cluster needs the others.
_TOOLS = (
    Tool("containerd", "containerd"),
    Tool("ctr", "containerd"),
    Tool("runc", "runc"),
    Tool("ip", "iproute2"),
    Tool("iptables", "iptables"),
    Tool("nft", "nftables"),
    Tool("conntrack", "conntrack"),
    Tool("nsenter", "util-linux"),
    Tool("unshare", "util-linux"),
    Tool("mount", "mount"),
    Tool("buildah", "buildah"),
    Tool("mmdebstrap", "mmdebstrap"),
    Tool("busybox", "busybox-static"),
)
_CNI_PLACES = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))
_CNI_PLUGINS = ("ptp", "host-local", "portmap", "loopback")


def cni_plugins() -> Path | None:
    """Return the directory of the network plugins."""
    for place in _CNI_PLACES:
        if all((place / plugin).exists() for plugin in _CNI_PLUGINS):
            return place
    return None


def ensure(settings: Settings) -> None:
    """Check everything, then install the missing packages.

    Raises:
        PrerequisiteError: something is missing that cannot be installed, and nothing was
            changed; or an installation failed.
    """
    packages = missing_packages()
    needs_go = _go_is_missing(settings.cache)
    problems = list(_problems(settings, packages))
    if problems:
        raise PrerequisiteError(problems)
    try:
        if packages:
            with progress.step(f"install Debian packages: {', '.join(packages)}"):
                _apt_install(packages)
        if needs_go:
            with progress.step("install Go from PyPI"):
                go_toolchain.fetch(settings.cache)
    except CommandError as error:
        raise PrerequisiteError([f"an installation failed: {error}"]) from error
    # Without missing packages, the kernel was checked above.
    kernel = list(_kernel_problems()) if packages else []
    if kernel:
        raise PrerequisiteError(kernel)


def missing_packages() -> list[str]:
    """Return the Debian packages of the missing programs."""
    packages = {tool.package for tool in _TOOLS if shutil.which(tool.program) is None}
    if cni_plugins() is None:
        packages.add("containernetworking-plugins")
    return sorted(packages)


def _problems(settings: Settings, packages: list[str]) -> Iterator[str]:
    if sys.platform != "linux":
        yield f"Linux: this is {platform.system()}. Start Docker and use --provider kind"
        return
    if os.geteuid() != 0:
        yield "root: run the command with sudo, or start Docker and use --provider kind"
    elif missing := sorted(cgroups.missing_controllers()):
        yield f"cgroup controllers {', '.join(missing)}: enable them in the kernel's command line"
    if packages:
        yield from _package_problems(packages)
    if _go_is_missing(settings.cache) and not _can_fetch_go():
        version = ".".join(map(str, go_toolchain.needed()))
        yield f"Go {version} or newer: install it from https://go.dev/dl/, or install pip"
    yield from _space_problems(settings)
    socket = settings.state_dir / "node-00" / "containerd.sock.ttrpc"
    if len(str(socket)) > _LONGEST_SOCKET:
        yield f"a shorter --state-dir: paths of sockets in {settings.state_dir} would be too long"
    if settings.state_dir.is_relative_to("/run") or settings.state_dir.is_relative_to("/var/log"):
        yield "another --state-dir: nodes have their own /run and /var/log"
    if not packages and os.geteuid() == 0:
        yield from _kernel_problems()


def _package_problems(packages: list[str]) -> Iterator[str]:
    names = " ".join(packages)
    if not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        yield f"the programs of the Debian packages {names}: install them and run this again"
    elif os.geteuid() == 0 and Path("/var/lib/apt/lists").exists():
        known = run(["apt-cache", "pkgnames"]).split()
        # Before the first `apt-get update` the list is empty.
        lists_are_filled = any(Path("/var/lib/apt/lists").glob("*Packages*"))
        for name in packages:
            if lists_are_filled and name not in known:
                yield f"the Debian package {name}: apt does not know it; add its repository"


def _space_problems(settings: Settings) -> Iterator[str]:
    to_build = []
    if not _go_is_missing(settings.cache):
        to_build = binaries.missing(settings.cache, binaries.HOST_BINARIES)
    needs = [(settings.state_dir, _STATE_BYTES, "the cluster")]
    if to_build:
        needs.append((settings.cache, _BUILD_BYTES, "building Kubernetes"))
    for path, required, purpose in needs:
        free = shutil.disk_usage(_nearest_existing(path)).free
        if free < required:
            yield (
                f"disk space: {purpose} needs {required // _GIB} GiB in {path}, "
                f"and {free / _GIB:.1f} GiB are free"
            )
    if _filesystem(_nearest_existing(settings.state_dir)) == "overlay":
        yield f"a --state-dir on a real file system: {settings.state_dir} is on overlayfs"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory < _MEMORY_BYTES:
        yield f"memory: {_MEMORY_BYTES // _GIB} GiB are needed, this host has {memory / _GIB:.1f}"


def _kernel_problems() -> Iterator[str]:
    inside = ["unshare", "--net", "--mount"]
    add_link = ["ip", "link", "add", "veth-a", "type", "veth", "peer", "name", "veth-b"]
    if not succeeds([*inside, "true"]):
        yield "permission to make namespaces: run on the host or in a privileged container"
    elif not succeeds([*inside, "nft", "add", "table", "ip", "reme-check"]):
        yield "nftables in the kernel (module nf_tables)"
    elif not succeeds([*inside, *add_link]):
        yield "veth interfaces in the kernel (module veth)"


def _go_is_missing(cache: Path) -> bool:
    on_path = shutil.which("go")
    candidates = [Path(on_path)] if on_path else []
    return not any(
        path.exists() and go_toolchain.usable(path)
        for path in [*candidates, go_toolchain.fetched(cache)]
    )


def _can_fetch_go() -> bool:
    return shutil.which("uv") is not None or succeeds([sys.executable, "-m", "pip", "--version"])


def _nearest_existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _filesystem(path: Path) -> str:
    return run(["stat", "--file-system", "--format=%T", path]).strip().removesuffix("fs")


def _apt_install(packages: list[str]) -> None:
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    try:
        run(install, env=environment, timeout_seconds=900)
    except CommandError:
        run(["apt-get", "update"], env=environment, timeout_seconds=300)
        run(install, env=environment, timeout_seconds=900)
