"""What docs/explanation/evidence.md says of the evidence rules is what the code has."""

from pathlib import Path

from reme_playbook.policy.evidence_rules import RULES

PAGE = Path(__file__).parents[3] / "docs/explanation/evidence.md"


def test_the_page_has_every_rule_with_its_actions_and_reason() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{rule.name}` | {', '.join(f'`{a}`' for a in rule.actions)} | {rule.reason} |"
        for rule in RULES
    ]
