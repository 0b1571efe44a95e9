"""Rules that the API server checks, written beside the types that they belong to."""

from typing import Any, NamedTuple


class Rule(NamedTuple):
    """One CEL expression that must hold; with `oldSelf` it is checked on updates only."""

    rule: str
    message: str
    field: str | None = None


def rules(*some: Rule) -> dict[str, Any]:
    """Return the extra schema that carries the rules, for `json_schema_extra`."""
    return {
        "x-kubernetes-validations": [
            {
                "rule": one.rule,
                "message": one.message,
                **({"fieldPath": one.field} if one.field else {}),
            }
            for one in some
        ]
    }


def fixed(field: str, message: str) -> Rule:
    """Return the rule that a required field never changes."""
    return Rule(f"self.{field} == oldSelf.{field}", message, f".{field}")


def list_map_key(key: str) -> dict[str, Any]:
    """Return the extra schema of a list whose items are told apart by one field."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def default_from_profile(schema: dict[str, Any]) -> None:
    """Leave the default out of the schema: the API server must not fill in what a profile does."""
    schema.pop("default", None)
