from dataclasses import replace
from pathlib import Path

import pytest

from reme_images.buildah import used_layers
from reme_images.cli import image_names
from reme_images.engine import BuildRequest
from reme_images.errors import ImagesError

REQUEST = BuildRequest("operator", "localhost/reme-operator:dev", Path("/repo"), Path("/log"))


def test_without_names_all_images_are_selected() -> None:
    assert image_names([]) == ["operator", "sandbox", "model", "tools"]
    assert image_names(["tools", "operator", "tools"]) == ["tools", "operator"]


def test_the_error_for_an_unknown_image_lists_the_known_ones() -> None:
    with pytest.raises(ImagesError, match=r"no image shop: there are operator, sandbox"):
        image_names(["shop", "tools"])


def test_a_build_request_becomes_options() -> None:
    request = replace(
        REQUEST,
        arguments={"BASE_IMAGE": "b"},
        secrets={"ca": Path("/ca.crt")},
        contexts={"wheels": Path("/w")},
    )
    assert request.options() == [
        *("--target", "operator", "--tag", "localhost/reme-operator:dev"),
        *("--build-arg", "BASE_IMAGE=b"),
        *("--secret", "id=ca,src=/ca.crt"),
        *("--build-context", "wheels=/w"),
    ]


def test_the_layers_that_a_build_used_are_read_from_its_log() -> None:
    log = (
        "[2/3] STEP 1/2: RUN echo --> 00000000000\n"
        "--> Using cache b5659de8acddd351f42ac50a235b978703c9e23770ae2c8835c88add7e6b20f7\n"
        "--> b5659de8acd\n"
        "--> 085d4ed802d\n"
    )
    assert used_layers(log) == {"b5659de8acd", "085d4ed802d"}
