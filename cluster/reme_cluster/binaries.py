"""Builds the programs of the cluster from pinned Go modules, once for each set of sources."""

import hashlib
import platform
import re
import shutil
from functools import cache
from pathlib import Path
from typing import NamedTuple

from reme_cluster import go_toolchain, progress
from reme_cluster.commands import run
from reme_cluster.errors import ClusterError
from reme_cluster.lock import exclusive

MODULE = Path(__file__).parent / "binaries"
_KUBERNETES = "k8s.io/kubernetes/cmd"


class Binary(NamedTuple):
    """One program: its Go package, and the module that pins the package."""

    name: str
    package: str
    module: Path = MODULE

    @property
    def installed_as(self) -> str:
        """The name that `go install` gives it: the last part of the path but a version."""
        parts = [part for part in self.package.split("/") if not re.fullmatch(r"v\d+", part)]
        return parts[-1]


BINARIES = {
    binary.name: binary
    for binary in (
        Binary("kubectl", f"{_KUBERNETES}/kubectl"),
        Binary("kube-apiserver", f"{_KUBERNETES}/kube-apiserver"),
        Binary("kube-controller-manager", f"{_KUBERNETES}/kube-controller-manager"),
        Binary("kube-scheduler", f"{_KUBERNETES}/kube-scheduler"),
        Binary("kubelet", f"{_KUBERNETES}/kubelet"),
        Binary("kube-proxy", f"{_KUBERNETES}/kube-proxy"),
        Binary("kubeadm", f"{_KUBERNETES}/kubeadm"),
        Binary("etcd", "go.etcd.io/etcd/server/v3"),
        Binary("coredns", "./cmd/coredns"),
        Binary("pause", "./cmd/pause"),
        Binary("helm", "helm.sh/helm/v3/cmd/helm"),
        # A module of its own: its generated code needs newer Kubernetes libraries.
        Binary(
            "metrics-server",
            "sigs.k8s.io/metrics-server/cmd/metrics-server",
            MODULE / "metrics-server",
        ),
        Binary("kind", "sigs.k8s.io/kind"),
    )
}
HOST_BINARIES = tuple(name for name in BINARIES if name != "kind")
KIND_BINARIES = ("kind", "kubectl", "helm", "metrics-server")


@cache
def version(module: str) -> str:
    """Return the version that go.mod pins for a Go module, such as `v1.34.4`."""
    for directory in (MODULE, MODULE / "metrics-server"):
        pattern = rf"^(?:require\s+|\t){re.escape(module)} (v\S+)"
        match = re.search(pattern, (directory / "go.mod").read_text(), re.MULTILINE)
        if match:
            return match[1]
    raise ClusterError(f"go.mod pins no version of {module}")


def path(cache_dir: Path, name: str) -> Path:
    """Return the path of a program, built or not; it contains a digest of the sources.

    Raises:
        ClusterError: the program is unknown, or there is no Go.
    """
    if name not in BINARIES:
        raise ClusterError(
            f"unknown program {name!r}; choose one of: {', '.join(sorted(BINARIES))}"
        )
    return cache_dir / "bin" / _key(cache_dir, BINARIES[name]) / name


def missing(cache_dir: Path, names: tuple[str, ...]) -> list[str]:
    """Return the programs that are not built yet."""
    return [name for name in names if not path(cache_dir, name).exists()]


def build(cache_dir: Path, names: tuple[str, ...]) -> dict[str, Path]:
    """Build the missing programs and return the path of each.

    Each program is written atomically, so an interrupted build continues with the next one;
    Go's own cache keeps the compiled packages of the interrupted one.

    Raises:
        CommandError: the Go compiler failed.
    """
    if missing(cache_dir, names):
        with exclusive(cache_dir / "build.lock", "the build", wait_seconds=3600):
            to_build = missing(cache_dir, names)
            for number, name in enumerate(to_build, start=1):
                with progress.step(f"build {name} ({number} of {len(to_build)})"):
                    _build(cache_dir, BINARIES[name])
    return {name: path(cache_dir, name) for name in names}


def _build(cache_dir: Path, binary: Binary) -> None:
    target = path(cache_dir, binary.name)
    scratch = target.parent / ".building"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    run(
        [
            *(go_toolchain.find(cache_dir), "install", "-trimpath", "-buildvcs=false"),
            *("-ldflags", _ldflags(binary), binary.package),
        ],
        cwd=binary.module,
        env={"GOBIN": str(scratch), **_GO_ENVIRONMENT},
        timeout_seconds=3600,
    )
    (scratch / binary.installed_as).replace(target)
    scratch.rmdir()


_GO_ENVIRONMENT = {"CGO_ENABLED": "0", "GOWORK": "off"}


@cache
def _ldflags(binary: Binary) -> str:
    """Return linker flags: no debug data, and the version that the program reports."""
    flags = ["-s", "-w"]
    kubernetes = version("k8s.io/kubernetes")
    major, minor, _ = kubernetes.removeprefix("v").split(".", 2)
    if binary.package.startswith(_KUBERNETES):
        base = "k8s.io/component-base/version"
        flags += ["-X", f"{base}.gitVersion={kubernetes}", "-X", f"{base}.gitMajor={major}"]
        flags += ["-X", f"{base}.gitMinor={minor}", "-X", f"{base}.gitTreeState=clean"]
    if binary.name == "helm":
        helm = "helm.sh/helm/v3"
        flags += ["-X", f"{helm}/internal/version.version={version(helm)}"]
        for package in ("pkg/lint/rules", "pkg/chartutil"):
            flags += ["-X", f"{helm}/{package}.k8sVersionMajor={major}"]
            flags += ["-X", f"{helm}/{package}.k8sVersionMinor={minor}"]
    return " ".join(flags)


@cache
def _key(cache_dir: Path, binary: Binary) -> str:
    """Return a digest of everything that the program is built from."""
    digest = hashlib.sha256()
    sources = [binary.module / "go.mod", binary.module / "go.sum"]
    if binary.package.startswith("./"):
        sources += sorted((binary.module / binary.package).rglob("*.go"))
    for source in sources:
        digest.update(f"{source.relative_to(binary.module)}\0".encode())
        digest.update(source.read_bytes())
    toolchain = go_toolchain.version(cache_dir)
    inputs = (binary.package, _ldflags(binary), toolchain, platform.machine())
    digest.update("\0".join(inputs).encode())
    return digest.hexdigest()[:16]
