import pytest

from reme_images.wheels import is_torch


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", True),
        ("torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl", True),
        ("torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl", False),
        ("torch-2.13.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl", False),
        ("torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl.part", False),
        ("torchvision-2.13.0+cpu-cp311-cp311-linux_x86_64.whl", False),
    ],
)
def test_only_the_locked_wheel_is_used(name: str, expected: bool) -> None:
    assert is_torch(name, "2.13.0+cpu") is expected
