"""Draws `architecture.svg`: `python docs/explanation/architecture_picture.py`."""

from html import escape
from pathlib import Path

WIDTH, HEIGHT = 960, 520
INK, LINE = "#1f2933", "#52606d"
BLUE, GREEN, ORANGE, GREY = "#d9e8f6", "#ddf0dd", "#fbe6cf", "#eef1f4"

parts: list[str] = []


def frame(x: int, y: int, width: int, height: int, title: str) -> None:
    """Draw a dashed frame with a title."""
    parts.append(
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="none" '
        f'stroke="{LINE}" stroke-dasharray="5 4"/>'
        f'<text x="{x + 12}" y="{y + 20}" font-size="13" fill="{LINE}">{escape(title)}</text>'
    )


def box(x: int, y: int, width: int, height: int, fill: str, *lines: str) -> None:
    """Draw a box; its first line is bold."""
    parts.append(
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" '
        f'stroke="{LINE}"/>'
    )
    top = y + height / 2 - 8 * (len(lines) - 1) + 5
    for number, line in enumerate(lines):
        style = 'font-size="14" font-weight="bold"' if number == 0 else 'font-size="12"'
        parts.append(
            f'<text x="{x + width / 2}" y="{top + 17 * number}" text-anchor="middle" {style} '
            f'fill="{INK}">{escape(line)}</text>'
        )


def arrow(points: str, text: str = "", x: int = 0, y: int = 0, *, both: bool = False) -> None:
    """Draw a line with an arrow head, and a label at (x, y)."""
    start = ' marker-start="url(#head)"' if both else ""
    parts.append(
        f'<polyline points="{points}" fill="none" stroke="{LINE}" stroke-width="1.5" '
        f'marker-end="url(#head)"{start}/>'
    )
    if text:
        parts.append(
            f'<text x="{x}" y="{y}" text-anchor="middle" font-size="12" fill="{INK}">'
            f"{escape(text)}</text>"
        )


def draw() -> str:
    """Return the picture as SVG."""
    box(20, 30, 190, 60, GREY, "Diagnosis tool, person", "writes DiagnosisReport")
    box(20, 130, 190, 60, GREY, "Platform team", "writes RemediationPolicy")
    box(20, 230, 190, 60, GREY, "On-call person", "kubectl reme approve")
    policies = ("RBAC", "run admission policy", "operator admission policy", "approval policy")
    objects = ("reports, policies,", "remediations, RunGrants")
    box(290, 30, 180, 260, BLUE, "API server", *objects, "", *policies)
    arrow("210,60 288,60")
    arrow("210,160 288,160")
    arrow("210,260 288,260")
    frame(540, 10, 400, 290, "release namespace")
    parts_of_it = ("admission, snapshot,", "compiler, policy,", "dry run, probes,", "rollback")
    box(560, 40, 170, 122, GREEN, "Operator", *parts_of_it)
    box(780, 45, 140, 70, ORANGE, "Model server", "no credentials,", "no egress")
    arrow("732,80 778,80", "prompt, reply", 850, 132, both=True)
    arrow("472,100 558,100", "watch, write", 506, 92, both=True)
    box(560, 206, 170, 80, GREEN, "Job of a run", "compiler, Ansible,", "ServiceAccount of the run")
    arrow("645,162 645,204", "creates", 674, 188)
    arrow("558,246 472,246", "granted", 507, 238)
    frame(20, 340, 920, 160, "target namespace")
    box(290, 380, 180, 80, GREY, "Target", "Deployment, StatefulSet,", "DaemonSet, their objects")
    box(560, 380, 170, 80, GREY, "Neighbours", "other workloads")
    box(40, 380, 190, 80, GREY, "Remediation", "attempts, plan, runs,", "probe results, outcome")
    arrow("380,290 380,378", "changes", 410, 335)
    arrow("730,140 770,140 770,325 472,395", "probes", 795, 200)
    arrow("770,325 700,378", "health", 765, 358)
    arrow("290,280 135,378", "record", 240, 330)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" role="img" aria-label="Architecture of reme">\n'
        f'<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        f'markerHeight="7" orient="auto-start-reverse"><path d="M0,0 L10,5 L0,10 z" '
        f'fill="{LINE}"/></marker></defs>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    (Path(__file__).parent / "architecture.svg").write_text(draw())
