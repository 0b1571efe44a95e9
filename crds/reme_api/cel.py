"""CEL validation rules and list types for the schemas of the CRDs."""

from typing import Any, NamedTuple


class ValidationRule(NamedTuple):
    """A CEL expression that must be true; one with `oldSelf` is evaluated on updates only."""

    rule: str
    message: str
    field: str | None = None


def validation_rules(*rules: ValidationRule) -> dict[str, Any]:
    """Return the `json_schema_extra` that carries the rules."""
    return {
        "x-kubernetes-validations": [
            {
                "rule": rule.rule,
                "message": rule.message,
                **({"fieldPath": rule.field} if rule.field else {}),
            }
            for rule in rules
        ]
    }


def immutable(field: str, message: str) -> ValidationRule:
    """Return the rule that a required field must not change."""
    return ValidationRule(f"self.{field} == oldSelf.{field}", message, f".{field}")


def immutable_optional(field: str, message: str) -> ValidationRule:
    """Return the rule that an optional field must not be added, removed or changed."""
    return ValidationRule(
        f"has(self.{field}) == has(oldSelf.{field})"
        f" && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        message,
        f".{field}",
    )


def list_map_key(key: str) -> dict[str, Any]:
    """Return the `json_schema_extra` of a list that is a map with this key."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def default_from_profile(schema: dict[str, Any]) -> None:
    """Remove the default from the schema, so that a profile can set it."""
    schema.pop("default", None)
