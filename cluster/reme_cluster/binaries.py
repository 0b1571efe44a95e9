"""Builds every program of the cluster from pinned Go modules, once for each content."""

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
    """One program: the Go package it is built from, and the module that pins the package."""

    name: str
    package: str
    module: Path = MODULE

    @property
    def installed_as(self) -> str:
        """The name `go install` gives it: the last part of the path that is not a version."""
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
        # Its generated code needs newer Kubernetes libraries than the cluster's own.
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
        found = re.search(pattern, (directory / "go.mod").read_text(), re.MULTILINE)
        if found:
            return found[1]
    raise ClusterError(f"go.mod pins no version of {module}")


def path(cache_dir: Path, name: str) -> Path:
    """Say where a program lives, built or not: a new content is a new place.

    Raises:
        ClusterError: there is no such program, or no Go to ask for its version.
    """
    if name not in BINARIES:
        raise ClusterError(f"no program {name!r}; there are: {', '.join(sorted(BINARIES))}")
    return cache_dir / "bin" / _key(cache_dir, BINARIES[name]) / name


def missing(cache_dir: Path, names: tuple[str, ...]) -> list[str]:
    """List the programs that are still to be built."""
    return [name for name in names if not path(cache_dir, name).exists()]


def build(cache_dir: Path, names: tuple[str, ...]) -> dict[str, Path]:
    """Build what is missing and return where each program is.

    Each program appears in one move, so an interrupted build goes on with the next one; Go's
    own cache keeps what was compiled of the interrupted one.

    Raises:
        CommandError: the Go compiler failed.
    """
    if missing(cache_dir, names):
        with exclusive(cache_dir / "build.lock", "the build", wait_seconds=3600):
            todo = missing(cache_dir, names)
            for number, name in enumerate(todo, start=1):
                with progress.step(f"build {name} ({number} of {len(todo)})"):
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
    """Return linker flags: no debug data, and the version each program reports."""
    flags = ["-s", "-w"]
    kubernetes = version("k8s.io/kubernetes")
    major, minor, _ = kubernetes.removeprefix("v").split(".", 2)
    if binary.package.startswith(_KUBERNETES):
        base = "k8s.io/component-base/version"
        flags += ["-X", f"{base}.gitVersion={kubernetes}", "-X", f"{base}.gitMajor={major}"]
        flags += ["-X", f"{base}.gitMinor={minor}", "-X", f"{base}.gitTreeState=clean"]
    if binary.name == "helm":
        own = "helm.sh/helm/v3"
        flags += ["-X", f"{own}/internal/version.version={version(own)}"]
        for package in ("pkg/lint/rules", "pkg/chartutil"):
            flags += ["-X", f"{own}/{package}.k8sVersionMajor={major}"]
            flags += ["-X", f"{own}/{package}.k8sVersionMinor={minor}"]
    return " ".join(flags)


@cache
def _key(cache_dir: Path, binary: Binary) -> str:
    """Hash everything that the program is made from."""
    digest = hashlib.sha256()
    sources = [binary.module / "go.mod", binary.module / "go.sum"]
    if binary.package.startswith("./"):
        sources += sorted((binary.module / binary.package).rglob("*.go"))
    for source in sources:
        digest.update(f"{source.relative_to(binary.module)}\0".encode())
        digest.update(source.read_bytes())
    facts = (binary.package, _ldflags(binary), go_toolchain.version(cache_dir), platform.machine())
    digest.update("\0".join(facts).encode())
    return digest.hexdigest()[:16]
