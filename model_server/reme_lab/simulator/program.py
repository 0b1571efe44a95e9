"""Behaviour of the programs in containers: the ground truth of a workload."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

_MIB = 2**20


@dataclass(frozen=True)
class Stress:
    """A fault of a single pod, independent of its template; a new pod does not have it."""

    cpu: bool = False
    """Other processes use all the CPU that the limit allows."""
    memory_bytes: int = 0
    """Held by other processes, within the container's limit."""
    disk: bool = False
    """Each write takes about a second."""
    loss_percent: int = 0
    delay_milliseconds: int = 0
    spares_probes: bool = True
    """Whether the kubelet's probes are not affected by the network fault."""
    failed: bool = False
    """Its container was replaced by one that does not serve."""
    image: str = "registry.example/pause:3"
    """The image of that container."""


@dataclass(frozen=True)
class Behaviour:
    """Behaviour of one instance. `cpu_millicores` is for all instances together."""

    exit_code: int | None = None
    """Exit code at the start; None if the program runs."""
    log_line: str = ""
    """The last line of its log, if it terminates."""
    port: int = 8080
    """The port on which it listens."""
    startup_seconds: float = 1.0
    startup_cpu_milliseconds: int = 250
    """CPU time of the start; a low limit makes the start longer."""
    unready: bool = False
    """Runs, is not ready, and responds with 503."""
    error_percent: int = 0
    """Percentage of requests that it answers with 500."""
    latency_milliseconds: int = 10
    cpu_millicores: int = 20
    """CPU demand of the whole workload; the running instances share it."""
    memory_bytes: int = 24 * _MIB
    leaks: bool = False
    """Memory grows until the container is killed at its limit, and grows again."""
    writes_disk: bool = False
    scratch_bytes: int = 0
    """Space needed in each memory-backed volume with a limit; without it requests fail."""
    call_timeout_milliseconds: int = 1500
    retries: int = 0
    paths: frozenset[str] = frozenset({"/", "/healthz", "/ready"})
    """Paths that it serves; others are 404 unless `any_path`."""
    ready_paths: frozenset[str] = frozenset({"/ready", "/"})
    """Paths that respond with 503 while it is unready."""
    any_path: bool = False


@dataclass(frozen=True)
class SettingCondition:
    """A condition on the settings of a container at its start.

    `setting` is `image`, `command`, `args` (words joined by spaces), `runtime_settings` (as in
    `TemplateFacts`), or the name of a variable or of a key of a mounted ConfigMap. The condition
    holds if the value is one of `values` (None: not set) or matches the whole regular expression;
    `negate` inverts it.
    """

    setting: str
    values: frozenset[str | None] = frozenset()
    pattern: str = ""
    negate: bool = False

    def holds(self, settings: Mapping[str, str]) -> bool:
        """Return whether the condition holds for these settings."""
        value = settings.get(self.setting)
        matches = value in self.values
        if not matches and self.pattern and value is not None:
            matches = _compiled(self.pattern).fullmatch(value) is not None
        return matches is not self.negate


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def is_one_of(setting: str, *values: str | None) -> SettingCondition:
    """Return the condition that a setting has one of these values; None means not set."""
    return SettingCondition(setting, frozenset(values))


def is_none_of(setting: str, *values: str | None) -> SettingCondition:
    """Return the condition that a setting has none of these values."""
    return SettingCondition(setting, frozenset(values), negate=True)


@dataclass(frozen=True)
class BehaviourRule:
    """Changed fields of Behaviour while all conditions hold."""

    when: tuple[SettingCondition, ...]
    changes: tuple[tuple[str, Any], ...]


def rule(*when: SettingCondition, **changes: Any) -> BehaviourRule:
    """Return a rule: the fields of Behaviour that change while all conditions hold."""
    unknown = changes.keys() - Behaviour.__dataclass_fields__.keys()
    if unknown:
        raise TypeError(f"no field of Behaviour: {', '.join(sorted(unknown))}")
    return BehaviourRule(when, tuple(changes.items()))


@dataclass(frozen=True)
class Call:
    """A call for each request: to the hosts in a setting, or to a fixed Service."""

    setting: str = ""
    service: str = ""
    port: int = 80
    path: str = "/"
    """Only requests whose path starts with this make the call."""


@dataclass(frozen=True)
class RecurringStress:
    """A stress that every new pod gets, always or while conditions hold."""

    stress: Stress
    when: tuple[SettingCondition, ...] = ()


@dataclass(frozen=True)
class NumericSetting:
    """A numeric setting and the field of Behaviour that it determines.

    The field becomes the number times `factor` plus `plus`; a boolean field becomes true for a
    value above zero. If the text is not a number, the program terminates at its start.
    """

    field: str
    setting: str
    factor: float = 1
    plus: float = 0

    def changes(self, settings: Mapping[str, str]) -> dict[str, Any]:
        """Return the changed fields for these settings."""
        text = settings.get(self.setting)
        if text is None:
            return {}
        if not _NUMBER.fullmatch(text):
            log_line = f"{self.setting} must be a number, not '{text}'"
            return {"exit_code": 1, "log_line": log_line}
        amount = float(text) * self.factor + self.plus
        usual = getattr(Behaviour, self.field)
        return {self.field: amount if isinstance(usual, float) else type(usual)(amount)}


_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


@dataclass(frozen=True)
class Program:
    """The ground truth of a workload; of two rules for one field the later wins."""

    container: str = ""
    """The serving container; empty means the first one."""
    default: Behaviour = Behaviour()
    rules: tuple[BehaviourRule, ...] = ()
    numeric_settings: tuple[NumericSetting, ...] = ()
    """Numeric settings, such as the port; rules override them."""
    calls: tuple[Call, ...] = ()
    recurring_stress: tuple[RecurringStress, ...] = ()

    def behaviour(self, settings: Mapping[str, str]) -> Behaviour:
        """Return the behaviour of an instance that starts with these settings."""
        changes: dict[str, Any] = {}
        for numeric_setting in self.numeric_settings:
            changes |= numeric_setting.changes(settings)
        for rule in self.rules:
            if all(condition.holds(settings) for condition in rule.when):
                changes |= dict(rule.changes)
        return replace(self.default, **changes) if changes else self.default

    def with_rules(self, *more: BehaviourRule) -> "Program":
        """Return the program with additional rules, which override the existing ones."""
        return replace(self, rules=(*self.rules, *more))
