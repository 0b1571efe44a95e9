from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel, Field

from reme_api.crd_generator import KINDS, Kind, definition
from reme_api.structural_schema import UnsupportedSchemaError, structural, without_defaults

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.model.KIND)


ANYTHING = {"x-kubernetes-preserve-unknown-fields": True}


def schema_of(kind: Kind) -> dict[str, Any]:
    open_apiv3_schema = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert isinstance(open_apiv3_schema, dict)
    return open_apiv3_schema


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}[]")


@kinds
def test_every_node_is_structural(kind: Kind) -> None:
    for path, node in nodes(schema_of(kind)):
        untyped = node.keys() & {*ANYTHING, "x-kubernetes-int-or-string"}
        assert ("type" in node) is not bool(untyped), path
        forbidden = {"$ref", "$defs", "title", "nullable", "anyOf", "allOf", "oneOf", "const"}
        assert not forbidden & node.keys(), path
        assert node.get("additionalProperties") is not False, path


@kinds
def test_every_text_list_and_map_of_a_spec_is_bounded(kind: Kind) -> None:
    for path, node in nodes(schema_of(kind)["properties"]["spec"]):
        if node.get("type") == "array":
            assert "maxItems" in node, path
        elif "additionalProperties" in node:
            assert "maxProperties" in node, path
        elif node.get("type") == "string":
            assert {"maxLength", "enum", "format"} & node.keys(), path


@kinds
def test_a_status_holds_what_was_written_and_no_defaults(kind: Kind) -> None:
    status = schema_of(kind)["properties"].get("status", {"type": "object"})
    assert [path for path, node in nodes(status) if "default" in node] == []


@kinds
def test_lists_of_named_things_are_keyed(kind: Kind) -> None:
    keys = {
        path.rsplit(".", 1)[-1]: node.get("x-kubernetes-list-map-keys")
        for path, node in nodes(schema_of(kind))
        if node.get("type") == "array"
    }
    assert keys.get("conditions", ["type"]) == ["type"]


def by_name(name: str) -> dict[str, Any]:
    schema = schema_of(next(kind for kind in KINDS if name == kind.model.KIND))
    properties: dict[str, Any] = schema["properties"]
    return properties


def test_defaults_stand_in_the_schema_down_to_nested_objects() -> None:
    spec = by_name("RemediationPolicy")["spec"]
    assert spec["default"] == {}
    assert spec["properties"]["mode"]["default"] == "Observe"
    verification = spec["properties"]["verification"]
    assert verification["default"] == {}
    assert verification["properties"]["windowSeconds"]["default"] == 10


def test_bounds_and_enums_are_kept() -> None:
    spec = by_name("RemediationPolicy")["spec"]["properties"]
    assert (spec["maxAttempts"]["minimum"], spec["maxAttempts"]["maximum"]) == (1, 5)
    assert spec["mode"]["enum"] == ["Observe", "Approve", "Auto"]
    evidence = by_name("DiagnosisReport")["spec"]["properties"]["evidence"]
    assert evidence["maxItems"] == 256
    assert evidence["items"]["properties"]["text"]["maxLength"] == 65536


def test_a_field_that_may_be_null_may_be_absent() -> None:
    target = by_name("Remediation")["spec"]["properties"]["target"]
    assert target["properties"]["container"]["type"] == "string"
    assert target["properties"]["container"]["maxLength"] == 63
    assert "container" not in target["required"]


class Leaf(BaseModel):
    size: int = Field(default=3, ge=1)


class Tree(BaseModel):
    leaf: Leaf
    maybe: Leaf | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    when: datetime


def test_shared_types_are_inlined_with_their_sibling_keywords() -> None:
    schema = structural(Tree)
    leaf = {"type": "integer", "default": 3, "minimum": 1}
    assert schema["properties"]["leaf"] == {"type": "object", "properties": {"size": leaf}}
    assert schema["properties"]["maybe"]["properties"]["size"] == leaf
    assert schema["properties"]["labels"] == {
        "type": "object",
        "additionalProperties": {"type": "string"},
    }
    assert schema["properties"]["when"] == {"type": "string", "format": "date-time"}
    assert schema["required"] == ["leaf", "when"]
    assert without_defaults(schema)["properties"]["leaf"]["properties"]["size"] == {
        "type": "integer",
        "minimum": 1,
    }


def unsupported(annotation: Any, field: Any = ...) -> type[BaseModel]:
    return type("Bad", (BaseModel,), {"__annotations__": {"field": annotation}, "field": field})


@pytest.mark.parametrize(
    "model",
    [
        unsupported(int | str),
        unsupported(Any),
        unsupported(dict[str, Any]),
        unsupported(float, Field(gt=0)),
    ],
    ids=["union", "anything", "free object", "exclusive bound"],
)
def test_what_a_crd_cannot_say_is_refused(model: type[BaseModel]) -> None:
    with pytest.raises(UnsupportedSchemaError, match=r"Bad\.field"):
        structural(model)


def test_what_may_be_anything_is_said_so_and_stands_in_grants_and_confidences_only() -> None:
    names = {
        (kind.model.KIND, path)
        for kind in KINDS
        for path, node in nodes(schema_of(kind))
        if ANYTHING.items() <= node.items()
    }
    assert names == {
        ("RunGrant", ".spec.rules[].values[]"),
        ("DiagnosisReport", ".spec.fault.confidencePercent"),  # 95, 0.95 and "95%"
    }


@kinds
def test_no_person_is_shown_a_regular_expression(kind: Kind) -> None:
    for path, node in nodes(schema_of(kind)["properties"]["spec"], "spec"):
        assert "pattern" not in node, path
        for rule in node.get("x-kubernetes-validations", ()):
            assert rule["message"], path
            assert "self" not in rule["message"], path


def test_a_port_is_an_integer_or_a_string_without_a_rule_of_unknown_cost() -> None:
    probes = by_name("DiagnosisReport")["spec"]["properties"]["probes"]["items"]["properties"]
    for kind in ("http", "tcp", "grpc"):
        port = dict(probes[kind]["properties"]["port"])
        del port["description"]
        assert port == {
            "x-kubernetes-int-or-string": True,
            "minimum": 1,
            "maximum": 65535,
            "maxLength": 63,
        }
