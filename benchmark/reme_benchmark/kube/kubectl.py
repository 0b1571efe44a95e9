"""The cluster as its users reach it: kubectl, so that what runs here can be typed by hand."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

Object = dict[str, Any]


class KubectlError(Exception):
    """kubectl ended with an error; the message is its own."""


@dataclass(frozen=True)
class Kubectl:
    """One cluster, by its kubeconfig."""

    kubeconfig: str
    binary: str = "kubectl"

    @classmethod
    def from_environment(cls) -> "Kubectl":
        """Take KUBECONFIG and REME_KUBECTL as make sets them, else kubectl's defaults."""
        return cls(os.environ.get("KUBECONFIG", ""), os.environ.get("REME_KUBECTL", "kubectl"))

    def run(self, *args: str, stdin: str | None = None, timeout_seconds: float = 60) -> str:
        """Return what the command prints.

        Raises:
            KubectlError: it failed, or took longer than the timeout.
        """
        environment = dict(os.environ)
        if self.kubeconfig:
            environment["KUBECONFIG"] = self.kubeconfig
        try:
            done = subprocess.run(
                [self.binary, *args],
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout_seconds,
                env=environment,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise KubectlError(
                f"kubectl {args[0]}: no answer in {timeout_seconds:.0f} s"
            ) from error
        if done.returncode:
            raise KubectlError(done.stderr.strip()[-2000:] or f"kubectl {args[0]}: failed")
        return done.stdout

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """Return one object, or nothing when it does not exist."""
        text = self.run("get", kind, name, *_scope(namespace), "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def list(self, kind: str, namespace: str = "", selector: str = "") -> "list[Object]":
        """Return the objects of a kind, of every namespace when none is named."""
        where = _scope(namespace) if namespace else ["--all-namespaces"]
        chosen = ["-l", selector] if selector else []
        items: list[Object] = json.loads(self.run("get", kind, *where, *chosen, "-o", "json"))[
            "items"
        ]
        return items

    def apply(self, *objects: Mapping[str, Any], namespace: str = "") -> None:
        """Create the objects, or change them to what is given (server-side)."""
        text = yaml.safe_dump_all([dict(o) for o in objects])
        self.run(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=reme-benchmark",
            *_scope(namespace),
            "-f",
            "-",
            stdin=text,
        )

    def patch(self, kind: str, name: str, namespace: str, patch: Mapping[str, Any]) -> None:
        """Change one object by a strategic merge patch; a merge patch for custom resources."""
        merge = "strategic" if kind in _BUILT_IN else "merge"
        body = json.dumps(patch)
        self.run("patch", kind, name, *_scope(namespace), f"--type={merge}", "-p", body)

    def delete(self, kind: str, name: str, namespace: str = "", *, wait: bool = True) -> None:
        """Delete one object; one that is not there is no error."""
        flag = f"--wait={'true' if wait else 'false'}"
        self.run(
            "delete",
            kind,
            name,
            *_scope(namespace),
            "--ignore-not-found",
            flag,
            timeout_seconds=180,
        )

    def post(self, path: str, body: Any) -> str:
        """Send a POST through the API server, such as to a Service's proxy path."""
        return self.run("create", "--raw", path, "-f", "-", stdin=json.dumps(body))

    def raw(self, path: str) -> str:
        """Send a GET through the API server."""
        return self.run("get", "--raw", path)

    def rolled_out(self, kind: str, name: str, namespace: str, timeout_seconds: int) -> None:
        """Wait until the workload's newest template is available.

        Raises:
            KubectlError: not within the timeout.
        """
        self.run(
            "rollout",
            "status",
            f"{kind}/{name}",
            *_scope(namespace),
            f"--timeout={timeout_seconds}s",
            timeout_seconds=timeout_seconds + 10,
        )


_BUILT_IN = frozenset({"deployment", "statefulset", "daemonset", "service", "configmap", "pod"})


def _scope(namespace: str) -> Sequence[str]:
    return ["-n", namespace] if namespace else []
