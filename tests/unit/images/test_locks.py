import pytest

from reme_images.locks import Lock, blocks, faults, head, pins, project_locks, requirements_in

HASH = f"    --hash=sha256:{'a' * 64}\n"
DEV = Lock("dev", ("kopf>=1",))
OPERATOR = Lock("operator", ("kopf>=1",), like="dev")
PROJECT = {
    "build-system": {"requires": ["hatchling"]},
    "project": {
        "dependencies": ["pydantic"],
        "optional-dependencies": {
            "operator": ["kopf"],
            "sandbox": ["ansible-core"],
            "tools": ["pyroute2"],
        },
    },
    "dependency-groups": {"dev": ["pytest"]},
}


def text(lock: Lock, *lines: str) -> str:
    return head(lock) + "".join(f"{line} \\\n{HASH}" for line in lines)


def texts(**changed: str | None) -> dict[str, str]:
    whole = {"dev.txt": text(DEV, "kopf==1.2"), "operator.txt": text(OPERATOR, "kopf==1.2")}
    return {name: value for name, value in {**whole, **changed}.items() if value is not None}


def test_a_fresh_lock_has_no_fault() -> None:
    assert list(faults(OPERATOR, texts())) == []


@pytest.mark.parametrize(
    ("operator", "fault"),
    [
        (None, "is missing"),
        (text(Lock("operator", ("kopf>=2",)), "kopf==1.2"), "its source has changed"),
        (text(OPERATOR, "kopf==1.2") + "# https://example.org/simple\n", "names a host"),
        (head(OPERATOR) + "kopf==1.2\n", "kopf has no hash"),
        (text(OPERATOR, "kopf==1.3"), "kopf is not the version in dev.txt"),
        (text(OPERATOR, "kopf==1.2", "aiohttp==3"), "aiohttp is not the version in dev.txt"),
    ],
)
def test_a_lock_that_does_not_fit_is_named_with_the_reason(
    operator: str | None, fault: str
) -> None:
    (found,) = faults(OPERATOR, texts(**{"operator.txt": operator}))
    assert found.startswith("operator.txt: ")
    assert fault in found


def test_a_lock_that_keeps_a_package_apart_has_two_files() -> None:
    lock = Lock("model", ("vllm",), apart=("torch",))
    assert lock.files == ("torch.txt", "model.txt")
    assert list(faults(lock, {"model.txt": text(lock, "vllm==1")})) == ["torch.txt: is missing"]


def test_overrides_count_as_source() -> None:
    assert Lock("a", ("x",)).digest != Lock("a", ("x",), overrides=("torch==2",)).digest


def test_blocks_and_pins_are_by_package() -> None:
    lock = text(DEV, "kopf==1.2", "yarl==2 ; sys_platform == 'x'", "yarl==3 ; sys_platform == 'y'")
    assert set(blocks(lock)) == {"kopf", "yarl"}
    assert blocks(lock)["yarl"].count("--hash") == 2
    assert pins(lock) == {"kopf": {"1.2"}, "yarl": {"2", "3"}}


def test_what_is_tested_holds_everything_that_is_shipped() -> None:
    made = {lock.name: set(lock.requirements) for lock in project_locks(PROJECT)}
    assert made["dev"] == {"pydantic", "kopf", "ansible-core", "pyroute2", "pytest"}
    assert made["operator"] == {"pydantic", "kopf"}
    assert made["sandbox"] == {"pydantic", "ansible-core"}
    assert made["tools"] == {"pyroute2"}
    assert "hatchling" in made["build"]


def test_comments_are_no_requirements() -> None:
    assert requirements_in("# why\n\na==1  # because\nb; sys_platform == 'x'\n") == (
        "a==1",
        "b; sys_platform == 'x'",
    )
