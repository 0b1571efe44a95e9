"""Errors of the playbook domain.

PlaybookError
├── RejectedPlaybookError      the playbook does not compile, or the policy forbids it
├── RevisionNotFoundError      a workload has no such revision
├── UnreadableResultError      a run's result is not what a runner writes
└── RunnerSettingsError        the environment of a runner is not that of a Job (reme_runner)
"""

from enum import StrEnum


class PlaybookError(Exception):
    """Base class of all errors that this package raises."""


class RejectionRule(StrEnum):
    """The rule that a playbook violates; the values are labels of a metric."""

    # The text is not a document that is accepted
    EMPTY = "Empty"
    TOO_LARGE = "TooLarge"
    SYNTAX = "Syntax"
    ALIAS = "Alias"
    TAG = "Tag"
    DUPLICATE_KEY = "DuplicateKey"
    TOO_DEEP = "TooDeep"
    TEMPLATE = "Template"
    CHARACTER = "Character"
    # The document is not a playbook
    SHAPE = "Shape"
    KEYWORD = "Keyword"
    MODULE = "Module"
    PARAMETER = "Parameter"
    FIELD = "Field"
    VALUE = "Value"
    CONTRADICTION = "Contradiction"
    TWICE = "Twice"
    INTERNAL = "Internal"
    # The policy or the cluster forbids an action
    NOT_ALLOWED = "NotAllowed"
    TOO_DISRUPTIVE = "TooDisruptive"
    OUTSIDE_WINDOW = "OutsideWindow"
    NOT_FOUND = "NotFound"
    NOT_OF_TARGET = "NotOfTarget"
    PROTECTED = "Protected"
    BOUNDS = "Bounds"
    HIDES_SYMPTOM = "HidesSymptom"
    UNKNOWN_VALUE = "UnknownValue"
    SENSITIVE = "Sensitive"
    PRIVILEGE = "Privilege"
    NO_CHANGE = "NoChange"
    CANNOT_ROLL_BACK = "CannotRollBack"
    # What the attempts before have shown
    ALREADY_TRIED = "AlreadyTried"
    ABANDONED = "Abandoned"
    # The evidence speaks against an action
    NOT_SUPPORTED = "NotSupported"


class RejectedPlaybookError(PlaybookError):
    """The playbook violates a rule; the message says how, and what to write instead."""

    def __init__(self, rule: RejectionRule, message: str) -> None:
        self.rule = rule
        self.message = message[:1024]
        super().__init__(f"{rule}: {self.message}")


def quote(text: object, limit: int = 64) -> str:
    """Return untrusted text for a message: quoted, short, ASCII, without control characters."""
    plain = ascii(text) if not isinstance(text, str) else ascii(text)[1:-1]
    return f"'{plain[:limit]}…'" if len(plain) > limit else f"'{plain}'"
