"""A client of a cluster that calls kubectl: the benchmark, the tests and this package use it."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from reme_cluster.commands import run
from reme_cluster.errors import CommandError

Object = dict[str, Any]

MANIFESTS = Path(__file__).parent / "manifests"
_BUILT_IN = frozenset({"deployment", "statefulset", "daemonset", "service", "configmap", "pod"})


@dataclass(frozen=True)
class Kubectl:
    """Calls kubectl with one kubeconfig; every method raises CommandError when kubectl fails.

    Attributes:
        kubeconfig: path of the kubeconfig; empty for kubectl's own default.
        program: the kubectl to call.
        field_manager: the owner of applied fields.
        cache_dir: directory of kubectl's discovery cache; empty for the home directory, where
            another cluster with the same address may have left other types.
    """

    kubeconfig: str = ""
    program: str = "kubectl"
    field_manager: str = "reme-benchmark"
    cache_dir: str = ""

    @classmethod
    def from_environment(cls) -> "Kubectl":
        """Return a client for KUBECONFIG and REME_KUBECTL, or kubectl's defaults."""
        return cls(os.environ.get("KUBECONFIG", ""), os.environ.get("REME_KUBECTL", "kubectl"))

    @classmethod
    def of_cluster(cls, program: Path, kubeconfig: Path) -> "Kubectl":
        """Return a client for a cluster of this package."""
        cache = kubeconfig.parent / ".kubectl"
        return cls(str(kubeconfig), str(program), "reme-cluster", str(cache))

    def run(self, *args: str, stdin: str = "", timeout_seconds: float = 60) -> str:
        """Run kubectl and return what it prints."""
        env = {"KUBECONFIG": self.kubeconfig} if self.kubeconfig else {}
        cache = ["--cache-dir", self.cache_dir] if self.cache_dir else []
        command = [self.program, *cache, *args]
        return run(command, stdin=stdin, env=env, timeout_seconds=timeout_seconds)

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """Return one object, or None when it does not exist."""
        text = self.run("get", kind, name, *_scope(namespace), "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def list(self, kind: str, namespace: str = "", selector: str = "") -> "list[Object]":
        """Return the objects of a kind; without a namespace, those of all namespaces."""
        scope = _scope(namespace) if namespace else ["--all-namespaces"]
        labels = ["-l", selector] if selector else []
        answer = json.loads(self.run("get", kind, *scope, *labels, "-o", "json"))
        items: list[Object] = answer["items"]
        return items

    def apply(self, *objects: Mapping[str, Any], namespace: str = "") -> None:
        """Create objects or change them to the given ones, with server-side apply."""
        items = [dict(item) for item in objects]
        self.apply_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), namespace)

    def apply_text(self, manifest: str, namespace: str = "") -> None:
        """Apply the objects of a YAML or JSON text, with server-side apply."""
        options = ["--server-side", "--force-conflicts", f"--field-manager={self.field_manager}"]
        self.run("apply", *options, *_scope(namespace), "-f", "-", stdin=manifest)

    def patch(self, kind: str, name: str, namespace: str, patch: Mapping[str, Any]) -> None:
        """Patch one object: a strategic merge patch, or a merge patch for custom resources."""
        patch_type = "strategic" if kind in _BUILT_IN else "merge"
        options = [f"--type={patch_type}", "-p", json.dumps(patch)]
        self.run("patch", kind, name, *_scope(namespace), *options)

    def delete(self, kind: str, name: str, namespace: str = "", *, wait: bool = True) -> None:
        """Delete one object if it exists."""
        options = ["--ignore-not-found", f"--wait={'true' if wait else 'false'}"]
        self.run("delete", kind, name, *_scope(namespace), *options, timeout_seconds=180)

    def raw(self, path: str) -> str:
        """Send a GET to a path of the API server and return the answer."""
        return self.run("get", "--raw", path)

    def post(self, path: str, body: Any) -> str:
        """Send a POST to a path of the API server, such as a Service's proxy."""
        return self.run("create", "--raw", path, "-f", "-", stdin=json.dumps(body))

    def ensure_raw(self, path: str, value: Mapping[str, Any]) -> None:
        """Create an object unless one of its name exists, without discovery of all types.

        Right after a start discovery takes half a minute: the API server passes it on to
        servers in pods that do not run yet.

        Args:
            path: the collection, such as `/api/v1/namespaces`.
            value: the object.
        """
        try:
            self.raw(f"{path}/{value['metadata']['name']}")
        except CommandError:
            self.post(path, value)

    def wait_for_rollout(self, kind: str, name: str, namespace: str, timeout_seconds: int) -> None:
        """Wait until the pods of a workload's newest template are available."""
        wait = ["rollout", "status", f"{kind}/{name}", f"--timeout={timeout_seconds}s"]
        self.run(*wait, *_scope(namespace), timeout_seconds=timeout_seconds + 10)


def apply_manifests(kubectl: Kubectl, *names: str, **values: str) -> None:
    """Apply manifests of this package with each `${NAME}` replaced by its value."""
    texts = [Template((MANIFESTS / name).read_text()).substitute(values) for name in names]
    kubectl.apply_text("\n---\n".join(texts))


def _scope(namespace: str) -> Sequence[str]:
    return ["-n", namespace] if namespace else []
