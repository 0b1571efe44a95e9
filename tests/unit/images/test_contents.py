"""The Dockerfile must copy the modules that run in an image, and no others."""

import ast
from fnmatch import fnmatch
from pathlib import Path

import pytest

from reme_images.dockerfile import stages
from reme_images.settings import IMAGES, ROOT

STAGES = stages((ROOT / "Dockerfile").read_text())
FOLDERS = {
    "reme_api": "crds",
    "reme_benchmark": "benchmark",
    "reme_kube": "operator",
    "reme_model": "model_server",
    "reme_operator": "operator",
    "reme_playbook": "playbook_sandbox",
    "reme_runner": "playbook_sandbox",
}


def source(module: str) -> str | None:
    """Return the file of a module of this repository; None for other modules."""
    top, *rest = module.split(".")
    if top not in FOLDERS:
        return None
    path = Path(FOLDERS[top], top, *rest)
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if (ROOT / candidate).is_file():
            return str(candidate)
    return None


def imports(file: str) -> set[str]:
    """Return the names of the modules that a file imports, anywhere in it."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return modules


def required_files(*modules: str) -> set[str]:
    """Return the files of modules and of all modules of this repository that they import."""
    files: set[str] = set()
    to_visit = list(modules)
    while to_visit:
        module = to_visit.pop()
        parents = [module.rsplit(".", n)[0] for n in range(1, module.count(".") + 1)]
        for file in filter(None, map(source, (module, *parents))):
            if file not in files:
                files.add(file)
                to_visit += imports(file)
    return files


@pytest.mark.parametrize(
    ("stage", "modules"),
    [
        ("model-app", ("reme_model.serving.serve",)),
        ("weights", ("reme_model.serving.convert",)),
        (
            "tools-app",
            (
                "reme_benchmark.workload.service",
                "reme_benchmark.workload.__main__",
                "reme_benchmark.workload.load_generator",
                "reme_benchmark.workload.scripted_model",
                "reme_benchmark.injection.agent.__main__",
                "reme_benchmark.injection.agent.stress_worker",
                "reme_benchmark.injection.agent.packet_delay",
                "reme_benchmark.injection.agent.check_programs",
            ),
        ),
    ],
)
def test_exactly_the_modules_that_run_are_copied(stage: str, modules: tuple[str, ...]) -> None:
    copied: set[str] = set()
    for pattern in STAGES[stage].sources:
        if pattern.endswith(".py"):
            copied.add(pattern)
        elif (ROOT / pattern).is_dir():
            copied |= {str(f.relative_to(ROOT)) for f in (ROOT / pattern).rglob("*.py")}
    assert copied == required_files(*modules)


@pytest.mark.parametrize(
    ("stage", "module"),
    [("operator-app", "reme_operator.app.main"), ("sandbox-app", "reme_runner.__main__")],
)
def test_every_module_that_runs_is_copied(stage: str, module: str) -> None:
    files = required_files(module)
    assert files, f"{module} does not exist"
    sources = STAGES[stage].sources
    missing = [f for f in files if not any(f == s or f.startswith(f"{s}/") for s in sources)]
    assert not missing


def test_dockerignore_admits_all_copied_files() -> None:
    admitted = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    for stage in STAGES.values():
        for pattern in stage.sources:
            name = pattern.rstrip("*")
            assert any(
                fnmatch(name, line) or name.startswith(f"{line}/") or line.startswith(name)
                for line in admitted
            ), pattern


def test_no_image_runs_as_root() -> None:
    for name in IMAGES:
        assert "USER 65532:65532" in STAGES[name].instructions


def test_no_image_is_based_on_the_builder() -> None:
    for name in IMAGES:
        base = STAGES[name].base
        while base in STAGES:
            assert base != "builder"
            base = STAGES[base].base
