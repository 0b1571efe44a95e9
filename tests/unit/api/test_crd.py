from pathlib import Path

import pytest
import yaml

from reme_api import api_reference, crd_generator
from reme_api.crd_generator import KINDS, definition, plain, template
from reme_api.reasons import ConditionType, Outcome, Reason, Step

ROOT = Path(__file__).parents[3]


def test_names_are_unique_and_in_a_category_of_their_own() -> None:
    names = [definition(kind)["spec"]["names"] for kind in KINDS]
    assert sorted(n["shortNames"][0] for n in names) == ["dr", "rem", "rgrant", "rpol"]
    assert {tuple(n["categories"]) for n in names} == {("reme",)}
    assert {n["plural"] for n in names} == {kind.model.PLURAL for kind in KINDS}


def test_every_kind_is_namespaced_and_those_with_a_status_have_the_subresource() -> None:
    for kind in KINDS:
        spec = definition(kind)["spec"]
        version = spec["versions"][0]
        assert spec["scope"] == "Namespaced"
        has_status = "status" in version["schema"]["openAPIV3Schema"]["properties"]
        assert ("subresources" in version) is has_status
        assert has_status is (kind.model.KIND != "RunGrant")


def test_columns_show_target_verdict_and_age() -> None:
    columns = {
        kind.model.KIND: [
            c["name"]
            for c in definition(kind)["spec"]["versions"][0]["additionalPrinterColumns"]
            if not c.get("priority")
        ]
        for kind in KINDS
    }
    assert columns == {
        "DiagnosisReport": ["Target", "Fault", "Accepted", "Remediated", "Outcome", "Age"],
        "Remediation": ["Target", "Succeeded", "Outcome", "Reason", "Age"],
        "RemediationPolicy": ["Mode", "Profile", "Method", "Ready", "Reason", "Age"],
        "RunGrant": ["Username", "Age"],
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.model.KIND)
def test_the_template_is_the_plain_file_between_switches(kind: crd_generator.Kind) -> None:
    lines = template(kind).splitlines()
    assert lines[1] == "{{- if .Values.crds.enabled }}"
    assert lines[-1] == "{{- end }}"
    rest = [line for line in lines if "{{" not in line and "}}" not in line]
    with_keep = yaml.safe_load("\n".join(rest))
    assert with_keep["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert with_keep == yaml.safe_load(plain(kind)) == definition(kind)


def test_a_text_that_helm_would_evaluate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        crd_generator, "definition", lambda _: {"metadata": {}, "text": "{{ bad }}"}
    )
    with pytest.raises(ValueError, match="Helm"):
        template(KINDS[0])


def test_what_is_committed_is_what_is_generated(capsys: pytest.CaptureFixture[str]) -> None:
    assert crd_generator.main(["--check"]) == 0, capsys.readouterr().out
    assert api_reference.main(["--check"]) == 0, capsys.readouterr().out


def test_drift_is_shown_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--out", str(tmp_path / "bases"), "--chart-out", str(tmp_path / "chart")]
    assert crd_generator.main(where) == 0
    assert crd_generator.main([*where, "--check"]) == 0
    file = tmp_path / "bases" / "rungrants.yaml"
    file.write_text(file.read_text().replace("maxItems: 32", "maxItems: 64", 1))
    capsys.readouterr()
    assert crd_generator.main([*where, "--check"]) == 1
    shown = capsys.readouterr().out
    assert "maxItems: 64\n+" in shown
    assert "maxItems: 32" in shown
    assert "maxItems: 64" in file.read_text(), "--check writes nothing"


def test_generated_leftovers_go_and_other_files_stay(tmp_path: Path) -> None:
    where = ["--out", str(tmp_path), "--chart-out", str(tmp_path / "chart")]
    old, other = tmp_path / "oldkinds.yaml", tmp_path / "mine.yaml"
    old.write_text(crd_generator.HEADER + "kind: Old\n")
    other.write_text("kind: Mine\n")
    assert crd_generator.main([*where, "--check"]) == 1
    assert crd_generator.main(where) == 0
    assert not old.exists()
    assert other.exists()


def test_the_reference_names_every_field_of_every_spec() -> None:
    text = api_reference.api_page()
    for field in ("`target.kind`", "`probes[].http.port`", "`verification.windowSeconds`"):
        assert field in text
    assert "`spec.cancel`: cancel cannot be set back to false" in text
    assert "| integer | `10` | How long the probes must pass without a break. 1 to 3600. |" in text


def test_the_values_of_reasons_stand_on_one_page_with_a_meaning() -> None:
    page, api = api_reference.reasons_page(), api_reference.api_page()
    for enumeration in (ConditionType, Outcome, Step, Reason):
        for member in enumeration:
            assert member.meaning, member
            assert page.count(f"| `{member.value}` | {member.meaning} |") == 1
    assert "RemediationCreated" not in api
