"""What `helm test` runs inside the cluster: one line per check, exit 1 when one failed."""

import json
import os
import ssl
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVER = "https://kubernetes.default.svc"
GROUP = "/apis/reme.dev/v1alpha1"
WHAT = {"diagnosisreports", "remediations", "remediationpolicies", "rungrants"}
PATIENCE_SECONDS = 60


def ask(url: str, headers: dict[str, str], body: object = None) -> bytes:
    """Return what a server answers; URLError or HTTPError when it does not."""
    request = urllib.request.Request(  # noqa: S310 - addresses come from the chart
        url, data=None if body is None else json.dumps(body).encode(), headers=headers
    )
    trusted = TOKEN / "ca.crt" if url.startswith(SERVER) else None
    context = ssl.create_default_context(cafile=str(trusted) if trusted else None)
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
        content: bytes = answer.read(1_000_000)
    return content


def api(path: str, body: object = None) -> Any:
    """Return what the API server answers to this pod's identity."""
    headers = {
        "Authorization": f"Bearer {(TOKEN / 'token').read_text()}",
        "Content-Type": "application/json",
    }
    return json.loads(ask(SERVER + path, headers, body))


def operator_ready() -> str:
    """Ask the operator's Service for readiness."""
    ask(f"{os.environ['OPERATOR_URL']}/readyz", {})
    return "the operator is ready"


def definitions_served() -> str:
    """Look for reme's kinds in discovery."""
    served = {resource["name"] for resource in api(GROUP)["resources"]}
    if missing := WHAT - served:
        raise ValueError(f"not served: {', '.join(sorted(missing))}")
    return "the definitions are served"


def report_accepted() -> str:
    """Let the API server validate a report; a dry run stores nothing."""
    path = f"{GROUP}/namespaces/{os.environ['NAMESPACE']}/diagnosisreports?dryRun=All"
    report = {
        "apiVersion": "reme.dev/v1alpha1",
        "kind": "DiagnosisReport",
        "metadata": {"name": "helm-test"},
        "spec": {
            "target": {"kind": "Deployment", "name": "helm-test"},
            "fault": {"type": "helm-test", "summary": "A dry run."},
        },
    }
    api(path, report)
    return "a report is accepted (dry run)"


def model_answers() -> str:
    """List the models of the endpoint, with its key where there is one."""
    headers = {}
    key = Path("/run/reme/model/api-key")
    if key.exists():
        headers["Authorization"] = f"Bearer {key.read_text().strip()}"
    models = json.loads(ask(f"{os.environ['MODEL_ENDPOINT'].rstrip('/')}/models", headers))
    names = [model["id"] for model in models["data"]]
    if os.environ["MODEL_NAME"] not in names:
        raise ValueError(f"serves {', '.join(names)}, not {os.environ['MODEL_NAME']}")
    return f"the model answers: {', '.join(names)}"


CHECKS = (definitions_served, report_accepted, operator_ready, model_answers)


def passed(check: Callable[[], str]) -> bool:
    """Try a check until it passes or patience is at its end, and print how it ended."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            print(f"ok    {check()}", flush=True)
        except (OSError, KeyError, ValueError) as error:
            if time.monotonic() > until:
                print(f"FAIL  {check.__name__}: {type(error).__name__}: {error}", flush=True)
                return False
            time.sleep(1)
        else:
            return True


if __name__ == "__main__":
    results = [passed(check) for check in CHECKS]
    sys.exit(0 if all(results) else 1)
