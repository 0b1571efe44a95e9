"""Starts CPU and memory stress inside a container's control groups and process namespace.

There the container's limits apply to the stress, its metrics show it, and it ends with the
container.
"""

import os

from reme_benchmark.injection.agent import usage
from reme_benchmark.injection.agent.containers import PROC, Container
from reme_benchmark.injection.agent.errors import AgentError
from reme_benchmark.injection.agent.processes import Launcher, python
from reme_benchmark.injection.fault_tag import FaultTag
from reme_benchmark.injection.specs import CpuStress, MemoryStress

_MEBIBYTE = 1024 * 1024


def start(
    launcher: Launcher,
    container: Container,
    spec: CpuStress | MemoryStress,
    tag: FaultTag,
    seconds: float,
) -> dict[str, float]:
    """Start the stress and return its effective size on this node."""
    if isinstance(spec, CpuStress):
        load = cpu_load(spec, usage.cpu_limit(container.groups), os.cpu_count() or 1)
        words, effect = ["cpu", str(spec.workers), str(load)], {"load_percent": load}
    else:
        size = memory_bytes(spec, *usage.memory(container.groups))
        words, effect = ["memory", str(size), str(spec.oom_score_adj)], {"bytes": size}
    launcher.start(
        [
            *("nsenter", f"--pid={PROC}/{container.pid}/ns/pid", "--"),
            *python("stress_worker", str(tag), str(seconds), *words),
            *map(str, container.groups.join_files()),
        ]
    )
    return effect


def cpu_load(spec: CpuStress, limit_millicores: int | None, cores: int) -> float:
    """Return each worker's share of a core in percent; without a limit, half of the node in all."""
    if limit_millicores is not None:
        return spec.load_percent
    return min(spec.load_percent, 100 * cores / 2 / spec.workers)


def memory_bytes(spec: MemoryStress, used: int, limit: int | None) -> int:
    """Return how many bytes to hold; a share of the limit includes what the container uses now.

    Raises:
        AgentError: the container has no limit, or is above that share already.
    """
    if spec.mebibytes:
        return int(spec.mebibytes * _MEBIBYTE)
    if limit is None:
        raise AgentError("percent_of_limit needs a memory limit, and the container has none")
    size = int(limit * spec.percent_of_limit / 100) - used
    if size <= 0:
        raise AgentError(
            f"the container already uses more than {spec.percent_of_limit:g} % of its limit"
        )
    return size
