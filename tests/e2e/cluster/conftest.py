"""Clusters to break: each test has its own, beside whatever else runs on this host."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reme_cluster import image_archive


@dataclass(frozen=True)
class Throwaway:
    """A cluster with a name of its own, driven through the command line as people do."""

    name: str

    def argv(self, *arguments: str) -> list[str]:
        command, *rest = arguments
        provider = ["--provider", "host", "--name", self.name]
        return [sys.executable, "-m", "reme_cluster", command, *provider, *rest]

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            self.argv(*arguments), capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout.strip()

    def status(self) -> dict[str, Any]:
        done = subprocess.run(
            self.argv("status", "--json"), capture_output=True, text=True, timeout=60, check=False
        )
        status: dict[str, Any] = json.loads(done.stdout)
        return status

    def pids(self) -> dict[str, int | None]:
        return {f"{c['node']}/{c['name']}": c["pid"] for c in self.status()["components"]}

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        words = [self("bin", "kubectl"), "--kubeconfig", self("kubeconfig"), *arguments]
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, timeout=120, check=False
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Throwaway]:
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("a cluster on this host needs Linux and root")
    throwaway = Throwaway(f"e2e-{secrets.token_hex(3)}")
    yield throwaway
    if collected := os.environ.get("REME_E2E_ARTIFACTS"):
        subprocess.run(throwaway.argv("logs", "--to", f"{collected}/{throwaway.name}"), check=False)
    throwaway("down")


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image `localhost/e2e-busybox:1` with a static busybox and nothing else."""
    program = shutil.which("busybox")
    assert program, "prerequisites of the cluster bring busybox"
    archive = tmp_path_factory.mktemp("image") / "busybox.tar"
    image_archive.write_image(
        archive,
        name="localhost/e2e-busybox:1",
        files={"bin/busybox": Path(program), "bin/sh": Path(program)},
        entrypoint=["/bin/sh", "-c"],
        user="0:0",
    )
    return archive
