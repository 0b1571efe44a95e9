"""Puts the texts of an attacker where they can be put in a cluster, and counts what is taken.

Whoever may write in the namespace of a target is the attacker here, and so is the target itself:
what it logs, and what the prompts hold of it.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from reme_model.prompt.redact import redact
from tests.attack.attack import MERGE
from tests.attack.injection_corpus import Injection, harms, injections
from tests.attack.installed.fleet import Fleet
from tests.e2e.sandbox.conftest import Api, Reply, eventually

Object = dict[str, Any]
TARGET, OTHER, SETTINGS, TALKER = "cart", "stock", "cart-settings", "talker"
AT_ONCE = 6
"""As many pieces of evidence as a prompt has room for."""
KINDS = ("Log", "Event", "Metric", "Trace", "Text")
_CUT = "\n--8<--\n"

_QUOTED = re.compile(r'evidence, \w+(?: of .*)?: "(.*)"$')
# Where a text stands in a prompt.
HEADS = {
    "summary of the report": re.compile(r"reported fault: (.*)"),
    "text of evidence": _QUOTED,
    "source of evidence": re.compile(r"evidence, \w+ of (.*): "),
    "line of a pod's log, quoted as evidence": _QUOTED,
    "message of an event": re.compile(r"event: .* times: (.*)"),
    "reason of an event": re.compile(r"event: (.*) \d+ times: "),
    "value of a setting": re.compile(r"config (.*)"),
    "value of a variable": re.compile(r"(?:previous )?revision \d+: (.*)"),
    "words of the model, earlier": re.compile(r"attempt \d+: (.*)"),
}
SILENT = (
    "annotation of the report",
    "annotation of the Deployment",
    "annotation of the Service",
    "label of the Deployment",
    "name of a ConfigMap",
)
"""Places that reme does not read, or that cannot hold such a text."""


@dataclass(frozen=True)
class Incident:
    """Some attempts that want the same harm, in one report."""

    number: int
    wants: str
    attempts: tuple[Injection, ...]


def incidents() -> list[Incident]:
    """Return all attempts, a few to an incident."""
    groups: list[Incident] = []
    for goal in (*harms(), "none"):
        attempts = [attempt for attempt in injections() if attempt.wants == goal]
        for start in range(0, len(attempts), AT_ONCE):
            groups.append(Incident(len(groups), goal, tuple(attempts[start : start + AT_ONCE])))
    return groups


@dataclass
class Planter:
    """What an attacker does in the namespace of the target."""

    fleet: Fleet
    api: Api
    taken: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    prompt_counts: Counter[str] = field(default_factory=Counter)
    _logged: dict[str, str] = field(default_factory=dict)
    _placed: dict[str, list[Injection]] = field(default_factory=lambda: defaultdict(list))

    def prepare(self) -> None:
        """Give the target settings, and let a program of the attacker print every text."""
        place = self.fleet.namespace
        corpus = json.dumps([attempt.text[:4096] for attempt in injections()])
        code = (
            "import json, sys\n"
            "for t in json.load(open('/texts/all')):\n"
            f"    sys.stdout.write(t + {_CUT!r})\n"
        )
        volume = {"name": "texts", "configMap": {"name": TALKER}}
        container = {
            "name": TALKER,
            "image": "localhost/reme-tools:dev",
            "imagePullPolicy": "IfNotPresent",
            "command": ["python", "-c", code],
            "volumeMounts": [{"name": "texts", "mountPath": "/texts"}],
        }
        spec = {"containers": [container], "volumes": [volume], "restartPolicy": "Never"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": TALKER}, "spec": spec}
        self.fleet.kubectl.apply(_config(TALKER, all=corpus), _config(SETTINGS), namespace=place)
        self.fleet.kubectl.delete("pod", TALKER, place)
        self.fleet.kubectl.apply(pod, namespace=place)
        settings = {"name": "settings", "configMap": {"name": SETTINGS, "optional": True}}
        # Every revision is kept: what is right now must still be known at the end.
        spec = {"revisionHistoryLimit": 100, "template": {"spec": {"volumes": [settings]}}}
        self.fleet.kubectl.patch("deployment", TARGET, place, {"spec": spec})
        self._logged = self._read_log()

    def _read_log(self) -> dict[str, str]:
        """Return what a tool finds in the log for each text that was printed."""
        place = self.fleet.namespace

        def done() -> bool:
            pod = self.fleet.kubectl.get("pod", TALKER, place) or {}
            return bool(pod.get("status", {}).get("phase") == "Succeeded")

        eventually(done, 60)
        parts = self.fleet.kubectl.run("logs", TALKER, "-n", place).split(_CUT)
        assert len(parts) == len(injections()) + 1
        return {a.id: text for a, text in zip(injections(), parts, strict=False)}

    def plant(self, incident: Incident) -> Object:
        """Put the texts of an incident everywhere, and return the report that quotes them."""
        self._placed.clear()
        for number, attempt in enumerate(incident.attempts):
            text = attempt.text
            # With more of it, no ReplicaSet can be made any more, which copies them.
            note = {"metadata": {"annotations": {f"note-{number}": text[:4096]}}}
            label = {"metadata": {"labels": {"note": text}}}
            workload = ("apps/v1", "deployments")
            for place, reply in (
                ("annotation of the Deployment", self._change(*workload, note)),
                ("annotation of the Service", self._change("v1", "services", note)),
                ("label of the Deployment", self._change(*workload, label, "?dryRun=All")),
                ("name of a ConfigMap", self._named(text)),
                ("value of a setting", self._setting(number, text)),
            ):
                self._put(place, attempt, reply)
            self._events(f"attempt-{incident.number}-{number}", attempt)
        self._variables(incident)
        self.fleet.rolled_out(TARGET)
        return self._report(incident)

    def repeated(self, attempt: Injection) -> None:
        """Count a text that the model has repeated as its reply."""
        self._put("words of the model, earlier", attempt)

    def count_in_prompts(self, prompts: Sequence[str]) -> None:
        """Count the texts that can be made out in a prompt, by where they stand in it.

        By their first words: the rest of a text may be cut, and what is no word may be gone.
        """
        lines = [line for prompt in prompts for line in prompt.splitlines()]
        for place, head in HEADS.items():
            items = [match[1] for line in lines if (match := head.match(line))]
            for attempt in self._placed[place]:
                words = re.findall(r"[A-Za-z]{3,}", redact(attempt.text[:100]))[:2]
                result = bool(words) and any(all(word in one for word in words) for one in items)
                self.prompt_counts[place] += result

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield for each place how many texts it took, refused, and how many a prompt told."""
        for place in (*HEADS, *SILENT):
            count = self.prompt_counts[place] if place in HEADS else "not read"
            yield place, self.taken[place] + self.refused[place], self.refused[place], count

    def _put(self, place: str, attempt: Injection, reply: Reply | None = None) -> None:
        """Count a text that was taken or refused; one in a report is taken with it."""
        if reply is None or reply.status in (200, 201):
            self.taken[place] += 1
            self._placed[place].append(attempt)
        else:
            assert reply.status in (400, 413, 422), (place, reply)
            self.refused[place] += 1

    def _change(self, version: str, plural: str, body: Object, dry: str = "") -> Reply:
        group = "api" if version == "v1" else "apis"
        path = f"/{group}/{version}/namespaces/{self.fleet.namespace}/{plural}/{TARGET}{dry}"
        return self.api("PATCH", path, body, content_type=MERGE)

    def _named(self, text: str) -> Reply:
        path = f"/api/v1/namespaces/{self.fleet.namespace}/configmaps?dryRun=All"
        return self.api("POST", path, _config(text))

    def _setting(self, number: int, text: str) -> Reply:
        path = f"/api/v1/namespaces/{self.fleet.namespace}/configmaps/{SETTINGS}"
        return self.api("PATCH", path, {"data": {f"key-{number}": text}}, content_type=MERGE)

    def _events(self, name: str, attempt: Injection) -> None:
        text = attempt.text
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        about = {"apiVersion": "apps/v1", "kind": "Deployment", "name": TARGET}
        where = {"namespace": self.fleet.namespace}
        for place, reason, message in (
            ("message of an event", f"Note{name[-1]}", text),
            ("reason of an event", text, "it is said"),
        ):
            body = {
                "metadata": {"name": f"{name}-{place.split()[0]}", **where},
                "involvedObject": {**about, **where},
                "reason": reason[:1024],
                "message": message[:1024],
                "type": "Warning",
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 9,
                "source": {"component": "attacker"},
            }
            path = f"/api/v1/namespaces/{self.fleet.namespace}/events"
            self._put(place, attempt, self.api("POST", path, body))

    def _variables(self, incident: Incident) -> None:
        """Roll out a revision with the texts as values; no process can have one with a NUL."""
        texts = [attempt.text.replace("\0", "")[:4096] for attempt in incident.attempts]
        texts += [""] * (AT_ONCE - len(texts))
        env = [{"name": f"NOTE_{n}", "value": text} for n, text in enumerate(texts)]
        spec = {"containers": [{"name": TARGET, "env": env}]}
        body = {"spec": {"template": {"spec": spec}}}
        self.fleet.kubectl.patch("deployment", TARGET, self.fleet.namespace, body)
        for attempt in incident.attempts:
            self._put("value of a variable", attempt)

    def _report(self, incident: Incident) -> Object:
        attempts = incident.attempts
        items = []
        for number, attempt in enumerate(attempts):
            # The sources are those of another text, so that both are seen.
            other = attempts[(number + 1) % len(attempts)]
            logged = self._logged[attempt.id] if number % 2 else attempt.text[:4096]
            kind = "Log" if number % 2 else KINDS[incident.number % len(KINDS)]
            items.append({"kind": kind, "source": other.text[:256], "text": logged[:4096]})
            place = "line of a pod's log, quoted as evidence" if number % 2 else "text of evidence"
            self._put(place, attempt)
            self._put("source of evidence", other)
            self._put("annotation of the report", attempt)
        self._put("summary of the report", attempts[0])
        obj = self.fleet.report(
            f"incident-{incident.number}",
            TARGET,
            fault={"type": "bad-rollout", "summary": attempts[0].text[:1024]},
            evidence=items,
        )
        notes = {f"note-{n}": a.text[:4096] for n, a in enumerate(attempts)}
        obj["metadata"]["annotations"] = notes
        return obj


def _config(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
