"""Which services of a system a fault can be brought about in, and who has no part in it."""

from typing import TYPE_CHECKING

from reme_benchmark.scenarios.faults.model import Fault, Targets

if TYPE_CHECKING:
    from reme_benchmark.scenarios.systems.model import Service, System


def possible(fault: Fault | None, system: "System") -> tuple["Service", ...]:
    """Return the services that can have the fault, or be told to have one when there is none."""
    targets = fault.targets if fault else Targets()
    return tuple(service for service in system.services if fits(targets, system, service))


def fits(targets: Targets, system: "System", service: "Service") -> bool:
    """Return whether a service is what a fault needs."""
    calls_by_variable = bool(service.calls) and "CALLS" not in service.config
    return all(
        (
            service.kind in targets.kinds,
            service.role in targets.roles,
            service.replicas >= targets.min_replicas,
            not targets.calls_something or bool(list(service.asks())),
            not targets.is_called or bool(system.callers(service.name)),
            not targets.one_caller or len(system.callers(service.name)) == 1,
            not targets.writes_disk or service.writes_disk,
            not (targets.has_config or targets.config_keys) or bool(service.config),
            set(targets.config_keys) <= set(service.config),
            not targets.calls_by_variable or calls_by_variable,
            not targets.has_memory_limit or bool(service.memory_limit),
            not targets.has_cpu_limit or bool(service.cpu_limit),
            service.memory_mebibytes >= targets.min_memory_mebibytes,
        )
    )


def bystanders(system: "System", service: str) -> tuple[str, ...]:
    """Return the services that stay healthy when this one is not: they never come to ask it."""
    reaching = {service}
    waiting = [service]
    while waiting:
        for caller in system.callers(waiting.pop()):
            if caller not in reaching:
                reaching.add(caller)
                waiting.append(caller)
    return tuple(
        s.name
        for s in system.services
        if s.name not in reaching and s.role in ("service", "front", "cache", "database")
    )
