"""Wait until the API server serves reme's definitions, in the document that Helm reads."""

import json
import ssl
import sys
import time
import urllib.request
from pathlib import Path

TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVER = "https://kubernetes.default.svc"
WHAT = {"diagnosisreports", "remediations", "remediationpolicies", "rungrants"}
# What one answer says, another API server may not say yet.
SETTLED = 3
PATIENCE_SECONDS = 60


def served() -> set[str]:
    """Return the plurals that are served under reme.dev."""
    request = urllib.request.Request(  # noqa: S310 - a constant https address
        f"{SERVER}/apis",
        headers={
            "Authorization": f"Bearer {(TOKEN / 'token').read_text()}",
            "Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        },
    )
    context = ssl.create_default_context(cafile=str(TOKEN / "ca.crt"))
    with urllib.request.urlopen(request, timeout=5, context=context) as answer:  # noqa: S310
        groups = json.load(answer)["items"]
    return {
        resource["resource"]
        for group in groups
        if group["metadata"]["name"] == "reme.dev"
        for version in group["versions"]
        for resource in version["resources"]
    }


def main() -> None:
    """Exit with 0 once the definitions have been served several times in a row."""
    served_count, missing = 0, WHAT
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            missing = WHAT - served()
            problem = f"not served yet: {', '.join(sorted(missing))}"
        except (OSError, KeyError, ValueError) as error:
            missing, problem = WHAT, f"{type(error).__name__}: {error}"
        served_count = 0 if missing else served_count + 1
        if served_count >= SETTLED:
            sys.exit(0)
        time.sleep(0.3)
    sys.exit(problem)


if __name__ == "__main__":
    main()
