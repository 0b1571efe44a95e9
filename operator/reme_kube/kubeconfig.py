"""Credentials from kubeconfig files, read by the official client.

Login plugins (`exec`), several files in `KUBECONFIG`, contexts, client certificates, token files,
proxies and TLS server names work as in kubectl. The package `kubernetes` is imported on use: it
comes with the extra `cli`, and the operator's image does not carry it.
"""

import logging
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reme_kube.credentials import (
    Credentials,
    CredentialsError,
    service_account,
    service_account_namespace,
)

_DEFAULT_PATH = "~/.kube/config"


@dataclass(frozen=True, slots=True)
class Context:
    """A context of a kubeconfig, logged in; without a name the service account of a pod."""

    name: str
    namespace: str
    credentials: Credentials


def find_credentials() -> Credentials:
    """Return those of the pod's service account, else of the kubeconfig's current context.

    Raises:
        CredentialsError: there are none, or they cannot be used.

    """
    return service_account() or load_context().credentials


def load_context(
    paths: str = "", context: str = "", *, username: str = "", groups: Sequence[str] = ()
) -> Context:
    """Return a context, after its login plugin has run, if it has one.

    `paths` are files separated by `:`, by default `$KUBECONFIG`, else `~/.kube/config`. `context`
    is the current one by default. `username` and `groups` are impersonated. Without any file, a
    pod's service account is used.

    Raises:
        CredentialsError: there is neither a file nor a service account, a file is invalid, the
            context does not exist, or the login failed.

    """
    searched = paths or os.environ.get("KUBECONFIG") or _DEFAULT_PATH
    files = _existing_files(searched)
    account = None if files or paths or context else service_account()
    if files:
        loaded = _load(files, context)
    elif account is not None:
        loaded = Context("", service_account_namespace(), account)
    else:
        raise CredentialsError(
            f"no kubeconfig: {searched} does not exist or is empty;"
            " set KUBECONFIG or use --kubeconfig"
        )
    loaded.credentials.impersonation = (
        *([("Impersonate-User", username)] if username else ()),
        *(("Impersonate-Group", group) for group in groups),
    )
    return loaded


def _load(files: Sequence[str], context: str) -> Context:
    try:
        from kubernetes.client import Configuration
        from kubernetes.config import ConfigException
        from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger
    except ImportError:
        raise CredentialsError(
            "reading a kubeconfig needs the Python package kubernetes; run: pip install 'reme[cli]'"
        ) from None
    configuration = Configuration()
    login_errors: list[str] = []
    try:
        merger = KubeConfigMerger(os.pathsep.join(files))
        name = _select_context(merger.config_files, context)
        loader = KubeConfigLoader(
            merger.config,
            active_context=name,
            config_base_path=None,
            config_persister=merger.save_changes,
        )
        with _collect_log(login_errors):
            loader.load_and_set(configuration)
        selected = merger.config["contexts"].get_with_name(name)["context"].value
        user = merger.config["users"].get_with_name(selected.get("user"), safe=True)
    except (ConfigException, yaml.YAMLError, OSError, KeyError, TypeError, ValueError) as error:
        raise CredentialsError(f"{', '.join(files)}: {error}") from error
    except AttributeError as error:  # what the loader raises for a file that is not a mapping
        raise CredentialsError(f"{', '.join(files)}: not a kubeconfig") from error
    plugin = ((user["user"].value if user else {}).get("exec") or {}).get("command")
    if plugin and not configuration.api_key and not configuration.cert_file:
        reason = "; ".join(login_errors) or "it returned neither a token nor a certificate"
        raise CredentialsError(f"login plugin {plugin} of context {name} failed: {reason}")

    def read_authorization(refused: bool) -> str:
        with _collect_log([]):
            if refused:  # a token file may have changed, a plugin may log in again
                loader.load_and_set(configuration)
            elif configuration.refresh_api_key_hook is not None:
                configuration.refresh_api_key_hook(configuration)
        return str(configuration.api_key.get("BearerToken", ""))

    secure = configuration.host.startswith("https://")
    credentials = Credentials(
        configuration.host,
        _tls(configuration, with_certificate=True) if secure else None,
        read_authorization=read_authorization,
        anonymous=_tls(configuration, with_certificate=False) if secure else None,
        tls_server_name=configuration.tls_server_name,
        proxy=_proxy(configuration),
    )
    return Context(name, str(selected.get("namespace") or "default"), credentials)


def _existing_files(paths: str) -> list[str]:
    """Return the files that exist and are not empty, as kubectl ignores the others."""
    files = (Path(path).expanduser() for path in paths.split(os.pathsep) if path)
    return [str(file) for file in files if file.is_file() and file.stat().st_size]


def _select_context(files: Mapping[str, Any], context: str) -> str:
    """Return the context, by default the first file's current one; check that it exists.

    The official loader would take the current context of the last file.
    """
    known = [str(entry["name"]) for file in files.values() for entry in file.get("contexts") or ()]
    current = (
        str(file["current-context"]) for file in files.values() if file.get("current-context")
    )
    name = context or next(current, "")
    if name in known:
        return name
    problem = f"no context {name}" if name else "no current context"
    raise CredentialsError(
        f"{', '.join(files)}: {problem}; use --context with one of: {', '.join(known) or '(none)'}"
    )


@contextmanager
def _collect_log(messages: list[str]) -> Iterator[None]:
    """Collect what the official loader logs: it logs a failed login and goes on without one."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    root, collector = logging.getLogger(), Collector(logging.ERROR)
    handlers, root.handlers = root.handlers, [collector]
    try:
        yield
    finally:
        root.handlers = handlers


def _tls(configuration: Any, *, with_certificate: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        if not configuration.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if with_certificate and configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise CredentialsError(f"the kubeconfig's certificates cannot be used: {error}") from error
    return context


def _proxy(configuration: Any) -> str | None:
    """Return the proxy of the context or of the environment; None when there is none."""
    from kubernetes.client.rest import should_bypass_proxies

    if configuration.proxy and not should_bypass_proxies(
        configuration.host, configuration.no_proxy or ""
    ):
        return str(configuration.proxy)
    return None
