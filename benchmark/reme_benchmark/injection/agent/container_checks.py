"""Measures the disk and network of a container from its inside, as its application sees them."""

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
        AgentError: the folder does not exist or takes no file.
    """
    where = f"{container.root}/{folder.lstrip('/')}"
    mode = "direct" if direct else "synced"
    command = [
        *("nsenter", f"--pid={PROC}/{container.pid}/ns/pid", "--"),
        *python("check_programs", "disk", where, str(size), str(seconds), mode),
        *map(str, container.groups.join_files()),
    ]
    return _run_check(command, seconds + 10)


def network(container: Container, target: str, count: int, timeout: float) -> dict[str, Any]:
    """Connect from the pod's network. Host names are resolved with the agent's own resolver."""
    command = [
        *("nsenter", f"--net={own_network(container)}", "--"),
        *python("check_programs", "network", target, str(count), str(timeout)),
    ]
    return _run_check(command, count * timeout + 10)


def _run_check(command: list[str], seconds: float) -> dict[str, Any]:
    done = processes.run(command, timeout_seconds=seconds)
    try:
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        output = (done.stderr.strip() or done.stdout.strip())[-300:]
        raise AgentError(f"the check failed: {output or 'it was killed'}") from error
    if "error" in result:
        raise AgentError(str(result["error"]))
    return result
