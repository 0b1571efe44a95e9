"""The operator of this tree as a process of this host, with the rights that the chart gives it.

So that it can be killed at a chosen moment: in a pod, only the kubelet could do that, and late.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from reme_benchmark.harness.scripted_model_client import NAMESPACE as MODEL_NAMESPACE
from reme_cluster.kubectl import Kubectl
from tests.support.testbed import SYSTEM

_DEPLOYMENT = "reme-operator"
_HERE = {
    # The lease of one that was killed runs out this soon, so that the tests need not wait longer;
    # and not sooner, because on a busy machine a renewal may take seconds.
    "REME_LEASE_DURATION_SECONDS": "9",
    "REME_LEASE_RENEW_SECONDS": "7",
    "REME_LEASE_RETRY_SECONDS": "1",
    "REME_HTTP_PORT": "0",
    "REME_LOG_FORMAT": "json",
}


_LOOK_SECONDS = 0.5
_LAST_WORDS_BYTES = 6000


@dataclass
class Operators:
    """Starts operators, and ends them in the ways in which processes end.

    One that ends by itself, such as a leader that could not renew its lease, is started again, as
    its Deployment would do.
    """

    kubectl: Kubectl
    folder: Path
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    restarts: int = 0  # of those that ended by themselves
    _started: int = 0
    _environment: dict[str, str] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _ended: threading.Event = field(default_factory=threading.Event)
    _logs: list[Path] = field(default_factory=list)

    def prepare(self) -> None:
        """Take the settings from the chart's Deployment and its rights from its ServiceAccount."""
        deployment = self.kubectl.get("deployment", _DEPLOYMENT, SYSTEM)
        assert deployment is not None, "the chart is not installed"
        pod = deployment["spec"]["template"]["spec"]
        environment = {e["name"]: e.get("value", "") for e in pod["containers"][0]["env"]}
        service = self.kubectl.get("service", "scripted-model", MODEL_NAMESPACE)
        assert service is not None, "the scripted model is not there"
        address = service["spec"]["clusterIP"]
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("REME_", "KUBERNETES_"))},
            **environment,
            **_HERE,
            "REME_NAMESPACE": SYSTEM,
            "REME_MODEL_ENDPOINT": f"http://{address}:8000/v1",
            "KUBECONFIG": str(self._kubeconfig(pod["serviceAccountName"])),
        }
        threading.Thread(target=self._keep, name="operators", daemon=True).start()

    def start(self) -> "subprocess.Popen[bytes]":
        """Start one more operator."""
        with self._lock:
            self._started += 1
            name = f"crash-{os.getpid()}-{self._started}"
            path = self.folder / f"{name}.log"
            self._logs.append(path)
            with path.open("wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "reme_operator"],
                    env=self._environment | {"REME_POD_NAME": name},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            self.running.append(process)
            return process

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """End it as the kernel would when memory runs out; the test starts another."""
        with self._lock:
            if process in self.running:
                self.running.remove(process)
            process.kill()
            process.wait(30)

    def _keep(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            with self._lock:
                gone = [process for process in self.running if process.poll() is not None]
                for process in gone:
                    self.running.remove(process)
                    self.restarts += 1
                    self.start()

    def last_words(self) -> str:
        """Return the end of what each operator of this test wrote."""
        return "\n".join(
            f"--- {path.name}\n{path.read_bytes()[-_LAST_WORDS_BYTES:].decode(errors='replace')}"
            for path in self._logs
        )

    @contextlib.contextmanager
    def frozen(self, process: "subprocess.Popen[bytes]") -> Iterator[None]:
        """Let it stand still until the end of the block, as a machine that is suspended."""
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def end_all(self) -> None:
        """End every operator that is left, and begin to count anew."""
        with self._lock:
            for process in list(self.running):
                process.send_signal(signal.SIGCONT)
                self.kill(process)
            self.restarts = 0
            self._logs.clear()

    def close(self) -> None:
        """End them all, and keep none running any more."""
        self._ended.set()
        self.end_all()

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
