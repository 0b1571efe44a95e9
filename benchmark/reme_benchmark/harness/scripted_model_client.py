"""The scripted model in the cluster: brought up, and told what to say."""

import json
from dataclasses import dataclass
from typing import Any

from reme_benchmark.harness.shop import manifest
from reme_cluster.kubectl import Kubectl

NAMESPACE = "scripted"
ENDPOINT = f"http://scripted-model.{NAMESPACE}.svc.cluster.local:8000/v1"
_PROXY = f"/api/v1/namespaces/{NAMESPACE}/services/http:scripted-model:8000/proxy"


@dataclass(frozen=True)
class ScriptedModel:
    """The server in one cluster."""

    kubectl: Kubectl

    def deploy(self) -> None:
        """Bring it up and wait until it answers."""
        self.kubectl.apply(*manifest("scripted-model.yaml"))
        self.kubectl.wait_for_rollout("deployment", "scripted-model", NAMESPACE, 120)

    def say(self, *answers: dict[str, Any]) -> None:
        """Replace the script; the last answer is given for ever."""
        self.kubectl.post(f"{_PROXY}/script", list(answers))

    def play(self, *tasks: dict[str, Any]) -> None:
        """Answer with this playbook, whatever is asked."""
        self.say({"content": list(tasks)})

    def recorded_requests(self) -> list[dict[str, Any]]:
        """Return the requests since the script was set."""
        requests: list[dict[str, Any]] = json.loads(self.kubectl.raw(f"{_PROXY}/requests"))
        return requests
