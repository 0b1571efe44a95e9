"""What is generated of the chart is what its sources say."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support.chart import CHART


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    path = CHART.parent / "tools" / "generate.py"
    spec = importlib.util.spec_from_file_location("chart_generate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by name
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_generated_files_are_fresh(generate: ModuleType) -> None:
    files: dict[Path, str] = generate.generated()
    stale = [path.name for path, text in files.items() if path.read_text() != text]
    assert stale == [], "run `make generate`"


def leaves(node: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(node, dict) and node:
        return [leaf for key, value in node.items() for leaf in leaves(value, (*path, key))]
    return [path]


def test_every_value_is_documented(generate: ModuleType) -> None:
    text = (CHART / "values.yaml").read_text()
    documented = {value.path for value in generate.documented(text)}
    undocumented = [
        ".".join(path)
        for path in leaves(yaml.safe_load(text))
        if not any(path[: len(d)] == d for d in documented)
    ]
    assert undocumented == []


def test_the_schema_describes_every_documented_value(generate: ModuleType) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    for value in generate.documented((CHART / "values.yaml").read_text()):
        node = schema
        for key in value.path:
            node = node["properties"][key]
        assert node["description"] == value.text


def test_the_defaults_fit_the_schema_without_helm() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load((CHART / "values.yaml").read_text()), schema)


def objects(schema: Any, path: str = "") -> list[str]:
    """Return the places of the schema where an unknown key would pass in silence."""
    if isinstance(schema, list):
        return [open_ for item in schema for open_ in objects(item, path)]
    if not isinstance(schema, dict):
        return []
    here = [path] if "properties" in schema and "additionalProperties" not in schema else []
    return here + [
        open_ for key, value in schema.items() for open_ in objects(value, f"{path}/{key}")
    ]


def test_a_misspelled_key_passes_nowhere() -> None:
    schema = yaml.safe_load((CHART / "values.schema.yaml").read_text())
    # An action's bounds are checked by the API server.
    assert objects(schema) == ["/properties/defaultPolicy/properties/actions/items"]


def test_a_comment_becomes_a_description(generate: ModuleType) -> None:
    text = "a:\n  # -- First\n  # second.\n  # @default -- nothing\n  b: {c: 1}\nd: 2\n"
    (value,) = generate.documented(text)
    assert value.path == ("a", "b")
    assert value.text == "First second."
    assert value.default == "nothing"


def test_a_comment_about_an_unknown_value_is_an_error(generate: ModuleType) -> None:
    values = list(generate.documented("# -- What\nwhat: 1\n"))
    with pytest.raises(KeyError, match="what"):
        generate.described({"properties": {}}, values)
