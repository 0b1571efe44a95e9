"""The pages agree with the repository: links, paths, manifests, reasons, the tree."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from reme_api.base import ApiObject
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Remediation
from tests.support.documentation import ROOT, SHELL, blocks, inline_code, name_of, pages, prose

DOCS = ROOT / "docs"
KINDS: dict[str, type[ApiObject]] = {
    kind.KIND: kind for kind in (DiagnosisReport, RemediationPolicy, Remediation)
}
LANGUAGES = SHELL | {"yaml", "json", "text", "python"}
GENERATED_NOTE = re.compile(r"<!--[^>]*[Gg]enerated", re.DOTALL)
TOP_FOLDERS = (
    "benchmark", "charts", "cluster", "crds", "docs", "examples", "images", "model_server",
    "operator", "playbook_sandbox", "requirements", "tests",
)  # fmt: skip
NOT_IN_THE_REPOSITORY = {
    "docs/explanation/renames.md": "it names what was there before",
    "CHANGELOG.md": "it names what was there before",
    "docs/how-to/add-an-action.md": "it names the files of an example",
}


def manifests(text: str) -> Iterator[dict[str, object]]:
    """Return the documents of a YAML text that are objects of reme."""
    for document in yaml.safe_load_all(text):
        if isinstance(document, dict) and document.get("apiVersion", "").startswith("reme.dev/"):
            yield document


def validate(document: dict[str, object]) -> None:
    """Validate an object as the API server does.

    Raises:
        ValidationError: a field is unknown or has a wrong value.
    """
    KINDS[str(document["kind"])].model_validate(document)


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as a forge and mkdocs make it."""
    text = re.sub(r"[^\w\s-]", "", heading.replace("`", "").lower())
    return re.sub(r"\s", "-", text.strip())


def anchors(page: Path) -> set[str]:
    """Return every anchor of a page."""
    return {anchor(match) for match in re.findall(r"(?m)^#+ (.+)$", prose(page))}


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", prose(page)):
        path, _, fragment = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"{name_of(page)} links to {target}"
        if fragment and file.suffix == ".md":
            assert fragment in anchors(file), f"{name_of(page)} links to {target}"


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_the_manifests_of_a_page_are_valid(page: Path) -> None:
    for block in blocks(page):
        if block.language in {"yaml", "yml"}:
            for document in manifests(block.text):
                validate(document)


def test_the_examples_are_valid() -> None:
    files = sorted((ROOT / "examples").glob("*.yaml"))
    documents = [document for file in files for document in manifests(file.read_text())]
    assert len(documents) >= len(files)
    for document in documents:
        validate(document)


@pytest.mark.parametrize(
    "spec",
    [
        {"mode": "Auto", "actions": [{"name": "Reboot"}]},
        {"mode": "Sometimes"},
        {"mode": "Auto", "action": []},
    ],
)
def test_an_invalid_manifest_is_found(spec: dict[str, object]) -> None:
    metadata = {"name": "x", "namespace": "shop"}
    document = {"apiVersion": "reme.dev/v1alpha1", "kind": "RemediationPolicy"}
    with pytest.raises(ValidationError):
        validate(document | {"metadata": metadata, "spec": spec})


def test_paths_in_the_text_exist() -> None:
    pattern = re.compile(rf"(?:{'|'.join(TOP_FOLDERS)})/[\w./*-]*")
    missing = [
        f"{place}: {code}"
        for page in pages()
        if name_of(page) not in NOT_IN_THE_REPOSITORY
        for place, code in inline_code(page)
        if pattern.fullmatch(code)
        and not list(ROOT.glob(code.rstrip("/").replace("NAME", "*")))
        and "/NAME" not in code
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_blocks_name_their_language(page: Path) -> None:
    if not GENERATED_NOTE.search(page.read_text()):
        unknown = [b.line for b in blocks(page) if b.language not in LANGUAGES]
        assert not unknown, f"{name_of(page)}: lines {unknown}"


def test_pages_name_nothing_of_one_machine() -> None:
    private = re.compile(r"/(?:work|tmp|root)/|\b(?:gcr|ghcr|quay|docker)\.io\b|amazonaws")
    for page in pages():
        match = private.search(page.read_text())
        assert match is None or "/tmp` only" in page.read_text(), f"{name_of(page)}: {match}"


def test_troubleshooting_has_every_reason_that_stops_a_report_or_a_remediation() -> None:
    page = (DOCS / "how-to" / "troubleshoot.md").read_text()
    progress = {
        Reason.REMEDIATION_CREATED, Reason.POLICY_READY, Reason.PLAYBOOK_GENERATED,
        Reason.PLAYBOOK_ALLOWED, Reason.APPROVED_BY_POLICY, Reason.APPROVED_BY_PERSON,
        Reason.RUN_SUCCEEDED, Reason.PROBES_PASSED, Reason.ROLLED_BACK,
    }  # fmt: skip
    missing = [str(reason) for reason in Reason if f"`{reason}`" not in page]
    assert sorted(set(missing) - {str(reason) for reason in progress}) == []


def test_the_outcomes_are_in_the_readme_and_in_troubleshooting() -> None:
    readme = (ROOT / "README.md").read_text()
    page = (DOCS / "how-to" / "troubleshoot.md").read_text()
    for outcome in Outcome:
        assert f"`{outcome}`" in readme
        assert f"{outcome}" in page or outcome is Outcome.VERIFIED


def test_the_tree_of_the_architecture_has_every_folder_with_code() -> None:
    page = DOCS / "explanation" / "architecture.md"
    tree = next(block.text for block in blocks(page) if block.text.startswith("crds/"))
    listed, parents = set(), list[str]()
    for line in tree.splitlines():
        match = re.match(r"( *)([\w.-]+)/", line)
        assert match, line
        depth = len(match[1]) // 2
        parents = [*parents[:depth], match[2]]
        listed.add("/".join(parents))
        assert (ROOT / "/".join(parents)).is_dir(), f"{'/'.join(parents)} does not exist"
    roots = (
        "crds", "playbook_sandbox", "model_server", "operator", "benchmark", "cluster", "images",
    )  # fmt: skip
    packages = {
        path.parent.relative_to(ROOT).as_posix()
        for root in roots
        for path in (ROOT / root).rglob("__init__.py")
    }
    assert sorted(packages - listed) == []


def test_every_page_is_in_the_index_or_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in DOCS.rglob("*.md"):
        assert page.relative_to(DOCS).as_posix() in navigation, (
            f"{name_of(page)} is not in mkdocs.yml"
        )
