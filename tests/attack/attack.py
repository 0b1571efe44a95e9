"""One hostile attempt: what it asks of the API server, and the playbook that would ask it."""

import json
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
_FORMS = {"strategic-merge": STRATEGIC, "merge": MERGE, "json": JSON_PATCH}
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"


@dataclass(frozen=True)
class Attack:
    """A request under the identity of a run; {shop} and the like stand for names, see `Places`.

    `task` is the Ansible task that makes it; without one it is written as a raw call of
    `ansible.builtin.uri`. `smoke` marks the share that `make test` runs. `rbac_only` says why
    admission is not asked, where it is not.
    """

    group: str
    name: str
    method: str
    path: str
    body: Any = None
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    task: Object | None = None
    smoke: bool = False
    rbac_only: str = ""

    @property
    def reads(self) -> bool:
        """Whether it would change nothing: admission is not asked about reads."""
        return self.method == "GET"

    @property
    def connects(self) -> bool:
        """Whether it opens a stream, of which there is no dry run."""
        words = ("/exec", "/attach", "/portforward", "/proxy")
        return any(word in self.path for word in words)

    @property
    def form(self) -> str:
        """The content type of the request."""
        if self.content_type:
            return self.content_type
        return STRATEGIC if self.method == "PATCH" else "application/json"

    def playbook(self) -> list[Object]:
        """Return the attempt as a hostile playbook, as it would reach the gate."""
        task = self.task or {"ansible.builtin.uri": self._uri()}
        return [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]

    def _uri(self) -> Object:
        token = "{{ lookup('file', '" + TOKEN + "') }}"
        obj: Object = {
            "url": f"https://kubernetes.default.svc{self.path}",
            "method": self.method,
            "headers": {"Authorization": f"Bearer {token}", **self.headers},
        }
        if self.body is not None:
            obj |= {"body": json.dumps(self.body), "body_format": "json"}
        return obj


@dataclass(frozen=True)
class Placeholders:
    """The names that attempts are about."""

    system: str
    shop: str
    next: str
    faults: str
    node: str
    run: str
    fullname: str

    def names(self) -> dict[str, str]:
        """Return them as the placeholders of an attempt."""
        return {f"{{{name}}}": value for name, value in vars(self).items()}

    def fill(self, value: Any) -> Any:
        """Return the value with every placeholder replaced, however deep."""
        if isinstance(value, str):
            for name, text in self.names().items():
                value = value.replace(name, text)
            return value
        if isinstance(value, list):
            return [self.fill(inner) for inner in value]
        if isinstance(value, dict):
            return {self.fill(key): self.fill(inner) for key, inner in value.items()}
        return value


def patch(kind: str, name: str, body: Object, *, form: str = "strategic-merge") -> Object:
    """Return the task that patches an object of the shop."""
    return {
        "kubernetes.core.k8s": {
            "kind": kind,
            "api_version": "apps/v1" if kind in ("Deployment", "StatefulSet") else "v1",
            "name": name,
            "namespace": "{shop}",
            "state": "patched",
            "definition": body,
            "merge_type": [form],
        }
    }


def shell(command: str) -> Object:
    """Return the task that runs a command where Ansible runs."""
    return {"ansible.builtin.shell": {"cmd": command}}
