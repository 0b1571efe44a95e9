"""What can go wrong with a playbook, before anything ran.

SandboxError
└── RejectedPlaybookError: the playbook is not in the language, or the policy forbids it
"""

from enum import StrEnum


class PlaybookError(Exception):
    """Root of everything that this package raises on purpose."""


class RejectionRule(StrEnum):
    """The rule that a rejected playbook broke: few and fixed, so that they can be counted."""

    # The text is no document of the language
    EMPTY = "Empty"
    TOO_LARGE = "TooLarge"
    SYNTAX = "Syntax"
    ALIAS = "Alias"
    TAG = "Tag"
    DUPLICATE_KEY = "DuplicateKey"
    TOO_DEEP = "TooDeep"
    TEMPLATE = "Template"
    CHARACTER = "Character"
    # The document is no playbook of the language
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
    CANNOT_UNDO = "CannotUndo"


class RejectedPlaybookError(PlaybookError):
    """Says which rule a playbook broke, and how, in words for people."""

    def __init__(self, rule: RejectionRule, message: str) -> None:
        self.rule = rule
        self.message = message[:1024]
        super().__init__(f"{rule}: {self.message}")


def quote(text: object, limit: int = 64) -> str:
    """Return foreign text fit for a message: short, ASCII, without control characters."""
    plain = ascii(text) if not isinstance(text, str) else ascii(text)[1:-1]
    return f"'{plain[:limit]}…'" if len(plain) > limit else f"'{plain}'"
