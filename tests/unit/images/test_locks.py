import pytest

from reme_images.locks import (
    Lock,
    header,
    package_lines,
    parse_requirements,
    pins,
    problems,
    project_locks,
)

HASH = f"    --hash=sha256:{'a' * 64}\n"
DEV = Lock("dev", ("kopf>=1",))
OPERATOR = Lock("operator", ("kopf>=1",), same_versions_as="dev")
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
    return header(lock) + "".join(f"{line} \\\n{HASH}" for line in lines)


def texts(**changed: str | None) -> dict[str, str]:
    whole = {"dev.txt": text(DEV, "kopf==1.2"), "operator.txt": text(OPERATOR, "kopf==1.2")}
    return {name: value for name, value in {**whole, **changed}.items() if value is not None}


def test_a_fresh_lock_has_no_problem() -> None:
    assert list(problems(OPERATOR, texts())) == []


@pytest.mark.parametrize(
    ("operator", "problem"),
    [
        (None, "is missing"),
        (text(Lock("operator", ("kopf>=2",)), "kopf==1.2"), "its source has changed"),
        (text(OPERATOR, "kopf==1.2") + "# https://example.org/simple\n", "contains a URL"),
        (header(OPERATOR) + "kopf==1.2\n", "kopf has no hash"),
        (text(OPERATOR, "kopf==1.3"), "kopf is not the version in dev.txt"),
        (text(OPERATOR, "kopf==1.2", "aiohttp==3"), "aiohttp is not the version in dev.txt"),
    ],
)
def test_a_problem_names_the_lock_and_the_reason(operator: str | None, problem: str) -> None:
    (message,) = problems(OPERATOR, texts(**{"operator.txt": operator}))
    assert message.startswith("operator.txt: ")
    assert problem in message


def test_a_lock_with_a_separate_package_has_two_files() -> None:
    lock = Lock("model", ("vllm",), separate_packages=("torch",))
    assert lock.files == ("torch.txt", "model.txt")
    assert list(problems(lock, {"model.txt": text(lock, "vllm==1")})) == ["torch.txt: is missing"]


def test_overrides_belong_to_the_source() -> None:
    assert Lock("a", ("x",)).digest != Lock("a", ("x",), overrides=("torch==2",)).digest


def test_lines_and_pins_are_grouped_by_package() -> None:
    lock = text(DEV, "kopf==1.2", "yarl==2 ; sys_platform == 'x'", "yarl==3 ; sys_platform == 'y'")
    assert set(package_lines(lock)) == {"kopf", "yarl"}
    assert package_lines(lock)["yarl"].count("--hash") == 2
    assert pins(lock) == {"kopf": {"1.2"}, "yarl": {"2", "3"}}


def test_the_lock_of_the_tests_contains_all_of_the_images() -> None:
    made = {lock.name: set(lock.requirements) for lock in project_locks(PROJECT)}
    assert made["dev"] == {"pydantic", "kopf", "ansible-core", "pyroute2", "pytest"}
    assert made["operator"] == {"pydantic", "kopf"}
    assert made["sandbox"] == {"pydantic", "ansible-core"}
    assert made["tools"] == {"pyroute2"}
    assert "hatchling" in made["build"]


def test_comments_are_not_requirements() -> None:
    assert parse_requirements("# why\n\na==1  # because\nb; sys_platform == 'x'\n") == (
        "a==1",
        "b; sys_platform == 'x'",
    )
