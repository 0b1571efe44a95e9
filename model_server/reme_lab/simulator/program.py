"""How what runs in a container behaves: the hidden truth of a workload."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

_MIB = 2**20


@dataclass(frozen=True)
class Stress:
    """What is wrong with one pod, whatever its template says; a new pod does not have it."""

    cpu: bool = False
    """Other processes use all the CPU that the limit allows."""
    memory_bytes: int = 0
    """Held by others, within the container's limit."""
    disk: bool = False
    """Writes take about a second each."""
    loss_percent: int = 0
    delay_milliseconds: int = 0
    spares_probes: bool = True
    """Whether the kubelet's probes get through the network all the same."""
    failed: bool = False
    """Its container was exchanged for one that does not serve."""
    image: str = "registry.example/pause:3"
    """What it runs then."""


@dataclass(frozen=True)
class Behaviour:
    """What one instance does. Numbers are per instance but `cpu_millicores`."""

    exit_code: int | None = None
    """It ends at its start with this code; None: it runs."""
    log_line: str = ""
    """The line that its log ends with, if it ends."""
    port: int = 8080
    """Where it listens."""
    startup_seconds: float = 1.0
    startup_cpu_milliseconds: int = 250
    """CPU time of a start: a low limit stretches it."""
    unready: bool = False
    """Runs, is not ready and answers 503."""
    error_percent: int = 0
    """Share of the requests that it answers with 500."""
    latency_milliseconds: int = 10
    cpu_millicores: int = 20
    """What the load of the whole workload costs; its running instances share it."""
    memory_bytes: int = 24 * _MIB
    leaks: bool = False
    """Memory grows until it is killed at its limit, and begins anew."""
    writes_disk: bool = False
    scratch_bytes: int = 0
    """What it needs of each volume in memory that has a limit; a request fails without."""
    call_timeout_milliseconds: int = 1500
    retries: int = 0
    paths: frozenset[str] = frozenset({"/", "/healthz", "/ready"})
    """What it answers; anything else is 404 unless `any_path`."""
    ready_paths: frozenset[str] = frozenset({"/ready", "/"})
    """Those of them that say 503 while it refuses."""
    any_path: bool = False


@dataclass(frozen=True)
class SettingCondition:
    """A condition on what a container is told at its start.

    `setting` is `image`, `command`, `args` (words joined by blanks), `surroundings` (as `facts`
    has them), or the name of a variable or of a key of a mounted ConfigMap. It holds when the
    setting is one of `values` (None: not set),
    or matches the regular expression as a whole; `negate` turns it round.
    """

    setting: str
    values: frozenset[str | None] = frozenset()
    pattern: str = ""
    negate: bool = False

    def holds(self, told: Mapping[str, str]) -> bool:
        """Return whether it holds for a container that is told this."""
        value = told.get(self.setting)
        found = value in self.values
        if not found and self.pattern and value is not None:
            found = _compiled(self.pattern).fullmatch(value) is not None
        return found is not self.negate


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def is_one_of(setting: str, *values: str | None) -> SettingCondition:
    """Return the condition that a setting has one of these values; None: is not set."""
    return SettingCondition(setting, frozenset(values))


def is_none_of(setting: str, *values: str | None) -> SettingCondition:
    """Return the condition that a setting has none of these values."""
    return SettingCondition(setting, frozenset(values), negate=True)


@dataclass(frozen=True)
class BehaviourRule:
    """What is different when all of the conditions hold; `changes` are fields of Behaviour."""

    when: tuple[SettingCondition, ...]
    changes: tuple[tuple[str, Any], ...]


def rule(*when: SettingCondition, **changes: Any) -> BehaviourRule:
    """Return a rule: fields of Behaviour that change when all conditions hold."""
    unknown = changes.keys() - Behaviour.__dataclass_fields__.keys()
    if unknown:
        raise TypeError(f"no field of Behaviour: {', '.join(sorted(unknown))}")
    return BehaviourRule(when, tuple(changes.items()))


@dataclass(frozen=True)
class Call:
    """What a request asks of others: by a setting that names the hosts, or a fixed Service."""

    setting: str = ""
    service: str = ""
    port: int = 80
    path: str = "/"
    """Only requests whose path begins so ask."""


@dataclass(frozen=True)
class RecurringStress:
    """A stress that every pod gets again, always or while a condition holds."""

    stress: Stress
    when: tuple[SettingCondition, ...] = ()


@dataclass(frozen=True)
class NumericSetting:
    """A setting that is a number, and the field of Behaviour that it decides.

    The field becomes the number times `factor` plus `plus`; one that is true or false becomes true
    for what is above zero. A text that is no number ends the program at its start.
    """

    field: str
    setting: str
    factor: float = 1
    plus: float = 0

    def changes(self, told: Mapping[str, str]) -> dict[str, Any]:
        """Return the fields that change for a container that is told this."""
        text = told.get(self.setting)
        if text is None:
            return {}
        if not _NUMBER.fullmatch(text):
            said = f"{self.setting} must be a number, not '{text}'"
            return {"exit_code": 1, "log_line": said}
        amount = float(text) * self.factor + self.plus
        usual = getattr(Behaviour, self.field)
        return {self.field: amount if isinstance(usual, float) else type(usual)(amount)}


_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


@dataclass(frozen=True)
class Program:
    """The truth about a workload; the later of two rules wins."""

    container: str = ""
    """The container that serves; the first when empty."""
    default: Behaviour = Behaviour()
    rules: tuple[BehaviourRule, ...] = ()
    numeric_settings: tuple[NumericSetting, ...] = ()
    """Settings that are numbers, such as the port; a rule wins over them."""
    calls: tuple[Call, ...] = ()
    recurring_stress: tuple[RecurringStress, ...] = ()

    def behaviour(self, told: Mapping[str, str]) -> Behaviour:
        """Return what an instance does that is told this at its start."""
        changes: dict[str, Any] = {}
        for number in self.numeric_settings:
            changes |= number.changes(told)
        for one in self.rules:
            if all(condition.holds(told) for condition in one.when):
                changes |= dict(one.changes)
        return replace(self.default, **changes) if changes else self.default

    def with_rules(self, *more: BehaviourRule) -> "Program":
        """Return the program with more rules, which win over those it has."""
        return replace(self, rules=(*self.rules, *more))
