"""The operator of this tree as a process of this host, with the rights that the chart gives it.

So that it can be killed at a chosen moment: in a pod, only the kubelet could do that, and late.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from reme_benchmark.kubectl import Kubectl
from reme_benchmark.scripted import NAMESPACE as MODEL_NAMESPACE
from tests.support.arena import SYSTEM

_DEPLOYMENT = "reme-operator"
_HERE = {
    # The lease of one that was killed runs out this soon, so that the tests need not wait longer.
    "REME_LEASE_DURATION_SECONDS": "6",
    "REME_LEASE_RENEW_SECONDS": "4",
    "REME_LEASE_RETRY_SECONDS": "1",
    "REME_HTTP_PORT": "0",
    "REME_LOG_FORMAT": "json",
}


@dataclass
class Operators:
    """Starts operators, and ends them in the ways in which processes end."""

    kubectl: Kubectl
    folder: Path
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    _started: int = 0
    _environment: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Take the settings from the chart's Deployment and its rights from its ServiceAccount."""
        found = self.kubectl.get("deployment", _DEPLOYMENT, SYSTEM)
        assert found is not None, "the chart is not installed"
        pod = found["spec"]["template"]["spec"]
        given = {e["name"]: e.get("value", "") for e in pod["containers"][0]["env"]}
        service = self.kubectl.get("service", "scripted-model", MODEL_NAMESPACE)
        assert service is not None, "the scripted model is not there"
        address = service["spec"]["clusterIP"]
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("REME_", "KUBERNETES_"))},
            **given,
            **_HERE,
            "REME_NAMESPACE": SYSTEM,
            "REME_MODEL_ENDPOINT": f"http://{address}:8000/v1",
            "KUBECONFIG": str(self._kubeconfig(pod["serviceAccountName"])),
        }

    def start(self) -> "subprocess.Popen[bytes]":
        """Start one more operator."""
        self._started += 1
        name = f"crash-{os.getpid()}-{self._started}"
        log = (self.folder / f"{name}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "reme_operator"],
            env=self._environment | {"REME_POD_NAME": name},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.close()
        self.running.append(process)
        return process

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """End it as the kernel would when memory runs out."""
        process.kill()
        process.wait(10)

    @contextlib.contextmanager
    def frozen(self, process: "subprocess.Popen[bytes]") -> Iterator[None]:
        """Let it stand still until the end of the block, as a machine that is suspended."""
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def end_all(self) -> None:
        """End every operator that is left."""
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                self.kill(process)
        self.running.clear()

    def _kubeconfig(self, account: str) -> Path:
        token = self.kubectl.run(
            "create", "token", account, "-n", SYSTEM, "--duration", "4h"
        ).strip()
        config = yaml.safe_load(
            self.kubectl.run("config", "view", "--raw", "--flatten", "--minify")
        )
        config["users"][0]["user"] = {"token": token}
        path = self.folder / "operator.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        return path
