"""Measurements from inside a container: its disk and its network as the application has them."""

import json
from typing import Any

from reme_benchmark.injection.agent import processes
from reme_benchmark.injection.agent.containers import PROC, Container, own_network
from reme_benchmark.injection.agent.errors import AgentError
from reme_benchmark.injection.agent.processes import python


def disk(
    container: Container, folder: str, size: int, seconds: float, *, direct: bool
) -> dict[str, Any]:
    """Write into a folder of the container, from within its control groups.

    Raises:
        AgentError: the folder is not there or takes no file.

    """
    where = f"{container.root}/{folder.lstrip('/')}"
    way = "direct" if direct else "synced"
    command = [
        *("nsenter", f"--pid={PROC}/{container.pid}/ns/pid", "--"),
        *python("check_programs", "disk", where, str(size), str(seconds), way),
        *map(str, container.groups.join_files()),
    ]
    return _seen(command, seconds + 10)


def network(container: Container, target: str, count: int, timeout: float) -> dict[str, Any]:
    """Connect from the pod's network. Names are resolved as the agent resolves them, before."""
    command = [
        *("nsenter", f"--net={own_network(container)}", "--"),
        *python("check_programs", "network", target, str(count), str(timeout)),
    ]
    return _seen(command, count * timeout + 10)


def _seen(command: list[str], seconds: float) -> dict[str, Any]:
    done = processes.run(command, timeout_seconds=seconds)
    try:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        said = (done.stderr.strip() or done.stdout.strip())[-300:]
        raise AgentError(f"the probe did not end well: {said or 'it was killed'}") from error
    if "error" in found:
        raise AgentError(str(found["error"]))
    return found
