"""Takes this machine's way to the network into a build, and leaves no trace of it in the image.

Proxies, indexes and certificates are handed over as build secrets: they exist while a command
runs and are in no layer, no history and no build argument.
"""

import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_HANDED_ON = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "PIP_DEFAULT_TIMEOUT",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_INSECURE_HOST",
    "UV_HTTP_TIMEOUT",
)
_CERTIFICATES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_INSIDE = "/run/secrets/ca"
# Where a machine keeps the authorities that it trusts, its own among them.
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


@dataclass(frozen=True)
class Network:
    """Files to hand to a build as secrets, by the secret's name."""

    secrets: Mapping[str, Path]


def script(environment: Mapping[str, str], *, certificates: bool) -> str:
    """Return what a command in the build reads first, as shell."""
    values = {name: environment[name] for name in _HANDED_ON if environment.get(name)}
    # A mirror that pip knows is the mirror for uv too.
    if "PIP_INDEX_URL" in values:
        values.setdefault("UV_DEFAULT_INDEX", values["PIP_INDEX_URL"])
    if certificates:
        values |= dict.fromkeys(_CERTIFICATES, _INSIDE)
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


@contextmanager
def of_this_machine(scratch: Path) -> Iterator[Network]:
    """Write the secrets where only this user can read them, and remove them at the end."""
    places = (os.environ.get("SSL_CERT_FILE", ""), *_BUNDLES)
    bundle = next((Path(place) for place in places if place and Path(place).is_file()), None)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="network-") as folder:
        network = Path(folder, "network")
        network.write_text(script(os.environ, certificates=bundle is not None))
        secrets = {"network": network}
        if bundle:
            secrets["ca"] = bundle
        yield Network(secrets)
