"""The cluster as the person who types sees it: through their own kubectl, with their own rights.

Whatever logs them in (a certificate, a token, a plugin of their cloud) is kubectl's business.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from reme_api.base import GROUP
from reme_api.remediation import Remediation

REMEDIATIONS = f"{Remediation.PLURAL}.{GROUP}"
_SECONDS = 60.0


class CliError(Exception):
    """What went wrong, in one or a few lines for whoever typed the command."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl, with the flags that say which cluster, which namespace and who."""

    flags: tuple[str, ...] = ()
    namespace: str = ""
    binary: str = "kubectl"

    @classmethod
    def found(cls, flags: tuple[str, ...], namespace: str) -> "Kubectl":
        """Take the kubectl of the search path, or the one that REME_KUBECTL names."""
        return cls(flags, namespace, os.environ.get("REME_KUBECTL") or "kubectl")

    def run(self, *words: str, everywhere: bool = False) -> str:
        """Return what the command prints.

        Raises:
            CliError: it failed, in kubectl's words.

        """
        scope = ["--all-namespaces"] if everywhere else []
        if self.namespace and not everywhere:
            scope = ["--namespace", self.namespace]
        try:
            done = subprocess.run(
                [self.binary, *words, *scope, *self.flags],
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise CliError(f"{self.binary} is not installed") from None
        except subprocess.TimeoutExpired:
            raise CliError(f"kubectl {words[0]}: no answer in {_SECONDS:.0f} s") from None
        if done.returncode:
            raise CliError(done.stderr.strip()[-2000:] or f"kubectl {words[0]} failed")
        return done.stdout

    def whoami(self) -> str:
        """Return the name under which the API server knows the person."""
        try:
            found = json.loads(self.run("auth", "whoami", "-o", "json"))
            return str(found["status"]["userInfo"]["username"])
        except (ValueError, KeyError, TypeError):
            raise CliError("kubectl auth whoami did not say who you are") from None

    def remediation(self, name: str) -> Remediation:
        """Return one remediation."""
        return _read(self._json("get", REMEDIATIONS, name))

    def remediations(self, *, everywhere: bool) -> list[Remediation]:
        """Return all remediations of the namespace, or of all, the newest first."""
        found = self._json("get", REMEDIATIONS, everywhere=everywhere)
        all_of_them = [_read(item) for item in found.get("items") or []]
        return sorted(all_of_them, key=lambda r: str(r.metadata.creation_timestamp), reverse=True)

    def text(self, namespace: str, name: str, key: str) -> str | None:
        """Return a text that was kept; None when it is gone."""
        there = Kubectl(self.flags, namespace, self.binary)
        answer = there.run("get", "configmap", name, "-o", "json", "--ignore-not-found")
        if not answer.strip():
            return None
        data = json.loads(answer).get("data") or {}
        return data.get(key)

    def patch(self, name: str, spec: dict[str, Any]) -> None:
        """Change fields of a remediation's spec; None takes one away."""
        body = json.dumps({"spec": spec})
        self.run("patch", REMEDIATIONS, name, "--type", "merge", "--patch", body)

    def _json(self, *words: str, everywhere: bool = False) -> dict[str, Any]:
        text = self.run(*words, "-o", "json", everywhere=everywhere)
        try:
            found = json.loads(text)
        except ValueError:
            raise CliError("kubectl did not answer with JSON") from None
        return found if isinstance(found, dict) else {}


def _read(found: dict[str, Any]) -> Remediation:
    try:
        return Remediation.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        name = (found.get("metadata") or {}).get("name", "?")
        raise CliError(
            f"remediation {name} is of another version of reme: {where}: {first['msg']}"
        ) from None
