"""The chart as helm renders it: `render` once per set of values, `Rendered` to look around in."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
CHART = ROOT / "charts" / "reme"
NAMESPACE = "reme-system"
# A helm that was built from source assumes an ancient cluster unless it is told otherwise.
KUBERNETES = "1.34.0"

Object = dict[str, Any]


class HelmError(Exception):
    """helm refused; the message is its own."""


@functools.cache
def helm_binary() -> str:
    """Return where helm is: REME_HELM, the PATH, or what `make` built.

    Raises:
        HelmError: nowhere.
    """
    if named := os.environ.get("REME_HELM"):
        return named
    if path := shutil.which("helm"):
        return path
    command = [sys.executable, "-m", "reme_cluster", "bin", "helm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise HelmError(f"no helm: set REME_HELM, or `make cluster`: {done.stderr[-500:]}")
    return done.stdout.strip()


def helm(*arguments: str, timeout_seconds: float = 60) -> str:
    """Return what helm prints.

    Raises:
        HelmError: it failed.
    """
    done = subprocess.run(
        [helm_binary(), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    if done.returncode:
        raise HelmError(done.stderr + done.stdout)
    return done.stdout


@dataclass(frozen=True)
class Rendered:
    """What one set of values comes to."""

    objects: tuple[Object, ...]

    def of(self, *kinds: str) -> list[Object]:
        """Return the objects of these kinds."""
        return [o for o in self.objects if o["kind"] in kinds]

    def one(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """Return the one object of that kind and name."""
        objects = [
            o
            for o in self.of(kind)
            if o["metadata"]["name"] == name
            and (namespace is None or o["metadata"].get("namespace") == namespace)
        ]
        assert len(objects) == 1, f"{len(objects)} of {kind}/{name}"
        return objects[0]

    def pods(self) -> Iterator[tuple[str, Object]]:
        """Yield every pod spec, with the name of what makes it."""
        for item in self.objects:
            name = f"{item['kind']}/{item['metadata']['name']}"
            if item["kind"] == "Pod":
                yield name, item["spec"]
            elif "template" in item.get("spec", {}) and item["kind"] in {
                "Deployment",
                "StatefulSet",
                "DaemonSet",
                "Job",
            }:
                yield name, item["spec"]["template"]["spec"]


def _flags(settings: tuple[str, ...]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


@functools.cache
def render(values: str | None = None, *settings: str, options: tuple[str, ...] = ()) -> Rendered:
    """Render the chart with a file of `ci/` and single settings.

    Raises:
        HelmError: helm refused the values.
    """
    file = ["--values", str(CHART / "ci" / f"{values}-values.yaml")] if values else []
    rendered = helm(
        "template", "reme", str(CHART), "--namespace", NAMESPACE, "--kube-version", KUBERNETES,
        *file, *_flags(settings), *options,
    )  # fmt: skip
    return Rendered(tuple(o for o in yaml.safe_load_all(rendered) if o))


def notes(directory: Path, *settings: str) -> str:
    """Return what is printed after an installation with these settings.

    `helm template` leaves the notes out and `helm install --dry-run` wants a cluster, so they are
    rendered as the content of an object, in a copy of the chart.
    """
    copy = directory / "chart"
    shutil.copytree(CHART, copy)
    shutil.move(copy / "templates" / "NOTES.txt", copy / "notes.txt")
    (copy / "templates" / "notes.yaml").write_text(
        'kind: Notes\napiVersion: v1\ntext: {{ tpl (.Files.Get "notes.txt") . | quote }}\n'
    )
    rendered = helm(
        "template", "reme", str(copy), "--namespace", NAMESPACE, "--kube-version", KUBERNETES,
        "--show-only", "templates/notes.yaml", *_flags(settings),
    )  # fmt: skip
    text: str = yaml.safe_load(rendered)["text"]
    return text


def environment(pod: Mapping[str, Any], container: int = 0) -> dict[str, str]:
    """Return the plain environment variables of a container."""
    return {e["name"]: e.get("value", "") for e in pod["containers"][container].get("env", [])}
