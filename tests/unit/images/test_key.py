from typing import Any

import pytest

from reme_images.cache_key import CopiedFile, image_key
from reme_images.dockerfile import Stage

STAGE = Stage("app", "builder", ("COPY src /app/", "RUN make"))
FILE = CopiedFile("src/a.py", False, "1" * 64)


def key(stage: Stage = STAGE, base: str = "sha256:1", file: CopiedFile = FILE) -> str:
    return image_key([stage], [base], {"src": [file]}.__getitem__)


def test_the_same_inputs_give_the_same_key() -> None:
    assert key() == key()


@pytest.mark.parametrize(
    "changed",
    [
        {"base": "sha256:2"},
        {"stage": Stage("app", "builder", ("COPY src /app/", "RUN make more"))},
        {"stage": Stage("app", "other", STAGE.instructions)},
        {"file": FILE._replace(digest="2" * 64)},
        {"file": FILE._replace(path="src/b.py")},
        {"file": FILE._replace(executable=True)},
    ],
)
def test_every_input_of_the_image_changes_the_key(changed: dict[str, Any]) -> None:
    assert key(**changed) != key()
