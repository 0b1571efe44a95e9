"""Untrusted text from any field reaches the model as bounded, inert, redacted data."""

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace

import pytest
from pydantic import ValidationError

from reme_api.actions import ActionName
from reme_api.diagnosis_report import DiagnosisReportSpec, Fault, Target, TargetKind
from reme_api.policy import ActionRule, RemediationPolicySpec
from reme_api.probes import ProbeResult, ProbeVerdict
from reme_model.inference.reply import Abstention, parse_reply
from reme_model.prompt.choices import list_choices
from reme_model.prompt.context import MAX_CHARACTERS, MAX_LINES, AttemptSummary, describe_incident
from reme_model.prompt.messages import build_messages
from reme_model.prompt.redact import redact, short
from reme_model.prompt.sections.lines import quoted
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.snapshot import EventLine
from tests.attack.injection_corpus import Injection, harm, harms, injections
from tests.unit.model.shops import Shop, policy_of, report_about
from tests.unit.playbook.builders import Shop as WholeShop
from tests.unit.playbook.builders import container, template

EVERY = pytest.mark.parametrize("attempt", injections(), ids=lambda attempt: attempt.id)
BENIGN = "some words"
# Markers that tokenizers of common model families take for the start or end of a message.
TOKENS = re.compile(
    r"<\|[^|]{0,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|</?think>"
    r"|<\uff5c|<(?:repo_name|file_sep|filename|gh_stars|issue_\w+|jupyter_\w+)>|\[TOOL_CALLS\]"
    r"|\[/?AVAILABLE_TOOLS\]"
)
DOWN = {"ready": 1, "restarts": 3}


def waiting(**fields: str) -> dict[str, object]:
    return {**DOWN, "state": {"state": {"waiting": fields}}}


def event(text: str) -> dict[str, object]:
    return {"events": [EventLine("Pod", text, text, text)]}


SHOPS: dict[str, Callable[[str], Shop]] = {
    "event": lambda t: Shop(**event(t)),  # type: ignore[arg-type]
    "waiting reason": lambda t: Shop(**waiting(reason=t, message="x")),  # type: ignore[arg-type]
    "waiting message": lambda t: Shop(**waiting(reason="Failed", message=t)),  # type: ignore[arg-type]
    "end of a container": lambda t: Shop(
        ready=1, restarts=2, state={"lastState": {"terminated": {"reason": t, "exitCode": 1}}}
    ),
    "phase of a pod": lambda t: Shop(ready=1, phase=t),
    "image": lambda t: Shop(image=t),
    "earlier image": lambda t: Shop(earlier=[{"image": t}]),
    "value of a variable": lambda t: Shop(env={"DB_HOST": t}),
    "name of a variable": lambda t: Shop(env={t[:100]: "postgress"}, earlier=[{"env": {}}]),
    "earlier value of a variable": lambda t: Shop(earlier=[{"env": {"DB_HOST": t}}]),
    "value of a setting": lambda t: Shop(config={"greeting": t}),
    "key of a setting": lambda t: Shop(config={t[:200]: "postgress:1"}),
    "path of a probe": lambda t: Shop(ready=1, probe_path=t),
    "label of a selector": lambda t: Shop(selector={"app": t, t[:60]: "x"}),
    "port of a Service": lambda t: Shop(target_port=t),
    "limit": lambda t: Shop(earlier=[{"limits": {"cpu": t}}]),
}


def report(text: str) -> DiagnosisReportSpec:
    made = report_about("fault", text[:1024], text[:4096], text[-4096:])
    made.evidence[1].source = text[:256]
    return made


def description_with(field: str, text: str) -> str:
    """Return the description of a shop in which one field contains the text."""
    if field in SHOPS:
        return describe_incident(SHOPS[field](text).live(), report_about("fault", "it fails"))
    if field == "report":
        return describe_incident(Shop().live(), report(text))
    if field == "earlier attempt":
        before = AttemptSummary(1, (text, text), text, text)
        return describe_incident(Shop().live(), report_about("fault"), [before])
    if field == "findings":
        service = Shop().other("Service", "stock")
        every = tuple(Finding(kind, service, text) for kind in FindingKind)
        return describe_incident(replace(Shop().live(), findings=every), report_about("fault"))
    assert field == "probe"
    probes = [{"name": "up", "http": {"service": "cart", "port": 80, "path": "/"}}]
    conversation = DiagnosisReportSpec.model_validate(
        {**report_about("fault").wire(), "probes": probes}
    )
    result = ProbeResult(name="up", verdict=ProbeVerdict.FAILED, failed=1, message=text[:1024])
    return describe_incident(Shop().live(), conversation, (), [result])


FIELDS = (*SHOPS, "report", "earlier attempt", "findings", "probe")


def inert(text: str) -> None:
    """Check that the text contains only visible characters without a special meaning."""
    assert not TOKENS.search(text), text
    for character in text:
        assert character == "\n" or unicodedata.category(character)[0] != "C", repr(text)
        assert unicodedata.category(character) not in ("Zl", "Zp"), repr(text)


def test_the_corpus_is_large_and_names_each_attempt_once() -> None:
    assert len(injections()) >= 60
    assert len({attempt.id for attempt in injections()}) == len(injections())
    assert {a.wants for a in injections()} - {"none"} == set(harms())


@EVERY
def test_nothing_of_it_is_more_than_data(attempt: Injection) -> None:
    for field in FIELDS:
        text = description_with(field, attempt.text)
        inert(text)
        lines = text.splitlines()
        assert len(lines) <= MAX_LINES, field
        assert len(text) <= MAX_CHARACTERS, field
        if attempt.hides:
            assert attempt.hides not in text, (field, text)


@EVERY
def test_it_can_begin_no_line_of_its_own(attempt: Injection) -> None:
    """The start of a line tells its tone; untrusted text is only ever inside of a line."""
    heads = re.compile(
        r"(reported fault|target|container|no other revision|previous revision|normal|wrong|config"
        r"|event|evidence|attempt|readiness probe|liveness probe|startup probe|cpu of|memory of"
        r"|changed|metric)\b"
    )
    for field in FIELDS:
        count = len(description_with(field, BENIGN).splitlines())
        lines = description_with(field, attempt.text).splitlines()
        # A value may add or remove a line: if it names a missing Service, or a secret.
        assert len(lines) <= count + 2, (field, lines)
        assert all(heads.match(line) for line in lines), (field, lines)


@EVERY
def test_it_cannot_close_the_quotation_that_it_stands_in(attempt: Injection) -> None:
    inside = quoted(short(attempt.text, 150))
    inert(inside)
    assert inside[0] == inside[-1] == '"'
    assert '"' not in inside[1:-1]
    assert "\\" not in inside


@EVERY
def test_it_is_one_part_of_one_message_of_the_user(attempt: Injection) -> None:
    live = Shop().live()
    space = allowed_actions(live, policy_of())
    plain = build_messages(describe_incident(live, report_about("fault")), space)
    conversation = build_messages(describe_incident(live, report(attempt.text)), space)
    assert conversation[:-1] == plain[:-1]
    assert conversation[-1]["role"] == "user"


@EVERY
def test_the_choices_and_the_words_of_an_abstention_are_as_inert(attempt: Injection) -> None:
    shop = Shop(env={"DB_HOST": "x"}, earlier=[{"env": {"DB_HOST": attempt.text}}])
    inert(list_choices(allowed_actions(shop.live(), policy_of())))
    text = parse_reply(json.dumps({"abstain": attempt.text[:8000]}))
    assert isinstance(text, Abstention)
    inert(text.reason)
    assert len(text.reason) <= 120
    if attempt.hides:
        assert attempt.hides not in text.reason


NAMES: dict[str, Callable[[str], object]] = {
    "fault type": lambda t: Fault(type=t),
    "container": lambda t: Target(kind=TargetKind.DEPLOYMENT, name="cart", container=t),
    "target": lambda t: Target(kind=TargetKind.DEPLOYMENT, name=t),
}


@pytest.mark.parametrize("name", sorted(NAMES))
@EVERY
def test_names_cannot_hold_it(attempt: Injection, name: str) -> None:
    if re.fullmatch(r"[A-Za-z0-9]+", attempt.text[:64]) and len(attempt.text) < 64:
        pytest.skip("a name like any other")
    with pytest.raises(ValidationError):
        NAMES[name](attempt.text)


@pytest.mark.parametrize("name", harms())
def test_a_model_that_obeys_achieves_nothing(name: str) -> None:
    """Not even if the policy allows every action."""
    everything = RemediationPolicySpec(
        actions=[
            ActionRule(
                name=action,
                max_increase_percent=100,
                max_decrease_percent=90,
                max_replicas=100,
            )
            for action in ActionName
        ]
    )
    live = WholeShop().live()
    space = allowed_actions(live, everything)
    try:
        actions = compile_playbook(json.dumps(harm(name)))
    except RejectedPlaybookError:
        return  # not part of the language
    assert not set(actions) & set(space), "it is offered"
    with pytest.raises(RejectedPlaybookError):
        validate(actions, everything, live, release_namespace="reme-system")


@pytest.mark.parametrize("field", ["command", "args"])
def test_a_secret_after_its_option_is_redacted(field: str) -> None:
    now = container(**{field: ["serve", "--password", "hunter2-b2"]})
    before = container(**{field: ["serve", "--password", "hunter2-a1", "--port", "80"]})
    shop = WholeShop(template=template(now), earlier=[template(before)])
    text = describe_incident(shop.live(), report_about("fault"))
    assert "previous revision" in text
    assert "hunter2" not in text
    assert "hunter2" not in list_choices(allowed_actions(shop.live(), policy_of()))


def test_redacting_twice_is_redacting_once() -> None:
    for attempt in injections():
        once = redact(attempt.text[:4096])
        assert redact(once) == once
