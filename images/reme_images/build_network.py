"""Gives a build the proxies, package indexes and certificates of this machine.

They are passed as build secrets, which exist only while a command runs: no layer, history or
build argument of the image contains them.
"""

import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_PASSED_ON = (
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
_CA_PATH = "/run/secrets/ca"
# Where distributions store the certificate authorities that a machine trusts.
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


def script(environment: Mapping[str, str], *, certificates: bool) -> str:
    """Return shell commands that export the settings, for commands of the build."""
    values = {name: environment[name] for name in _PASSED_ON if environment.get(name)}
    # pip's mirror is also uv's.
    if "PIP_INDEX_URL" in values:
        values.setdefault("UV_DEFAULT_INDEX", values["PIP_INDEX_URL"])
    if certificates:
        values |= dict.fromkeys(_CERTIFICATES, _CA_PATH)
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


@contextmanager
def network_secrets(scratch: Path) -> Iterator[dict[str, Path]]:
    """Yield the build's secrets by name, in files that only this user can read; remove them."""
    places = (os.environ.get("SSL_CERT_FILE", ""), *_BUNDLES)
    bundle = next((Path(place) for place in places if place and Path(place).is_file()), None)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="network-") as folder:
        network = Path(folder, "network")
        network.write_text(script(os.environ, certificates=bundle is not None))
        secrets = {"network": network}
        if bundle:
            secrets["ca"] = bundle
        yield secrets
