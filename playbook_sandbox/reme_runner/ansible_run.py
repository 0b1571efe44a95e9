"""Executes a rendered playbook with ansible-runner; all files are below one scratch directory."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PLUGINS = Path(__file__).parent / "plugins"
MODULES = Path(__file__).parent / "modules" / "legacy"
_POLL_SECONDS = 0.25


def environment(scratch: Path, fork_server_socket: Path) -> dict[str, str]:
    """Return the whole environment of Ansible and its modules; they inherit only what is named."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("KUBERNETES_SERVICE_", "K8S_AUTH_", "ANSIBLE_COLLECTIONS"))
        or name in ("KUBECONFIG", "PATH", "PYTHONPATH", "PYTHONSAFEPATH", "REME_CREDENTIALS")
    }
    home = str(scratch / "home")
    return {
        **inherited,
        "HOME": home,
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "REME_FORK_SERVER_SOCKET": str(fork_server_socket),
        "ANSIBLE_CONFIG": str(scratch / "ansible.cfg"),
        "ANSIBLE_HOME": home,
        "ANSIBLE_LOCAL_TEMP": str(scratch / "local"),
        "ANSIBLE_REMOTE_TEMP": str(scratch / "remote"),
        "ANSIBLE_CONNECTION_PLUGINS": str(PLUGINS),
        "ANSIBLE_LIBRARY": str(MODULES),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_FORKS": "1",
        "ANSIBLE_GATHERING": "explicit",
        "ANSIBLE_INVENTORY_ENABLED": "ini",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "ANSIBLE_NOCOLOR": "1",
    }


def prepare(playbook: list[dict[str, Any]], scratch: Path) -> None:
    """Write the files that ansible-runner reads."""
    for folder in ("project", "inventory", "home", "local", "remote"):
        (scratch / folder).mkdir(parents=True, exist_ok=True)
    (scratch / "ansible.cfg").write_text("[defaults]\n")
    (scratch / "project" / "playbook.json").write_text(json.dumps(playbook))
    (scratch / "inventory" / "hosts").write_text(
        f"localhost ansible_connection=reme_fork ansible_python_interpreter={sys.executable}\n"
    )


def play(
    scratch: Path,
    env: Mapping[str, str],
    on_event: Callable[[Mapping[str, Any]], None],
    stop: Callable[[], bool],
) -> int | None:
    """Execute the prepared playbook until it ends or `stop` returns true; return the exit code.

    `stop` is called every quarter of a second. A run that stops kills Ansible's processes.
    """
    import ansible_runner  # takes a fifth of a second, which a rejected run does not need

    def handle(event: Mapping[str, Any]) -> bool:
        on_event(event)
        return False  # not written to a file: events contain whole objects

    # ansible-runner passes its own environment on to Ansible.
    os.environ.clear()
    os.environ.update(env)
    runner = ansible_runner.run(
        private_data_dir=str(scratch),
        playbook="playbook.json",
        ident="run",
        quiet=True,
        rotate_artifacts=0,
        event_handler=handle,
        cancel_callback=stop,
        settings={"pexpect_timeout": _POLL_SECONDS, "suppress_output_file": True},
    )
    return runner.rc if isinstance(runner.rc, int) else None
