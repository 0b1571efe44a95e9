"""Watches the cluster from outside of the operator, and remembers what the operator may forget."""

import json
import os
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

from reme_api.remediation import Attempt, Remediation, RemediationStatus
from reme_cluster.kubectl import Kubectl
from tests.support.testbed import SYSTEM

Object = dict[str, Any]


class Watch:
    """Every state of the objects of one kind that was observed, as it comes."""

    def __init__(self, kubectl: Kubectl, kind: str, namespace: str) -> None:
        self._command = [
            kubectl.program, "get", kind, "-n", namespace,
            "-o", "json", "--watch", "--output-watch-events",
        ]  # fmt: skip
        self._changed = threading.Condition()
        self.observed: list[Object] = []
        self._ended = False
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        while not self._ended:
            with subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as self._process:
                assert self._process.stdout is not None
                for event in _objects(self._process.stdout):
                    with self._changed:
                        self.observed.append(event["object"])
                        self._changed.notify_all()
            time.sleep(0.2)  # the API server is away: from its list on, everything comes again

    def end(self) -> None:
        """Stop watching."""
        self._ended = True
        until = time.monotonic() + 10
        # One may just have been begun anew: until the thread has ended, there may be another.
        while self._thread.is_alive() and time.monotonic() < until:
            if self._process is not None:
                self._process.kill()
            self._thread.join(0.2)

    def until(self, check: Callable[[Object], bool], seconds: float = 240) -> Object:
        """Return the first object that passes the check, at once when it is observed."""
        deadline, looked = time.monotonic() + seconds, 0
        with self._changed:
            while True:
                for item in self.observed[looked:]:
                    if check(item):
                        return item
                looked = len(self.observed)
                remaining = deadline - time.monotonic()
                assert remaining > 0, f"not within {seconds:.0f} s: {' '.join(self._command[1:3])}"
                self._changed.wait(remaining)


def _objects(stream: IO[str]) -> Iterator[Object]:
    """Yield the JSON objects that stand one after the other in a stream."""
    decoder, text = json.JSONDecoder(), ""
    while chunk := os.read(stream.fileno(), 65536):
        text += chunk.decode(errors="replace")
        while text := text.lstrip():
            try:
                document, end = decoder.raw_decode(text)
            except ValueError:
                break
            yield document
            text = text[end:]


class Claim(NamedTuple):
    """Which pod has taken which run."""

    run: str
    pod: str


class RunObserver:
    """What happened to the runs of one namespace's remediations."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self.remediations = Watch(kubectl, "remediations.reme.dev", namespace)
        self.jobs = Watch(kubectl, "jobs", SYSTEM)
        self.results = Watch(kubectl, "configmaps", SYSTEM)
        self.targets = Watch(kubectl, "deployments", namespace)
        self._kubectl = kubectl

    def end(self) -> None:
        """Stop watching."""
        for watch in (self.remediations, self.jobs, self.results, self.targets):
            watch.end()

    def reaches(
        self, report: Object, moment: Callable[[RemediationStatus], object], seconds: float = 300
    ) -> Remediation:
        """Return the remediation of a report as soon as its status passes that moment."""

        def passed(remediation: Object) -> bool:
            if remediation["spec"]["reportRef"]["uid"] != report["metadata"]["uid"]:
                return False
            return bool(moment(Remediation.model_validate(remediation).status))

        return Remediation.model_validate(self.remediations.until(passed, seconds))

    def claimed(self, report: Object, seconds: float = 300) -> Claim:
        """Return the run of a report's remediation that a pod has taken, at once."""
        uid = self._uid(report, seconds)

        def taken(config_map: Object) -> bool:
            return _of(config_map) == uid and bool((config_map.get("data") or {}).get("claim.json"))

        config_map = self.results.until(taken, seconds)
        run = str(config_map["metadata"]["name"]).removesuffix("-result")
        return Claim(run, str(json.loads(config_map["data"]["claim.json"])["pod"]))

    def job(self, report: Object, seconds: float = 300) -> str:
        """Return the first Job of a report's remediation, as soon as it is there."""
        uid = self._uid(report, seconds)
        job = self.jobs.until(lambda job: _of(job) == uid, seconds)
        return str(job["metadata"]["name"])

    def _uid(self, report: Object, seconds: float) -> str:
        """Return the remediation of a report: what an earlier test has left is none of it."""
        report_uid = report["metadata"]["uid"]
        remediation = self.remediations.until(
            lambda r: r["spec"]["reportRef"]["uid"] == report_uid, seconds
        )
        return str(remediation["metadata"]["uid"])

    def jobs_of(self, remediation: Remediation) -> dict[str, set[str]]:
        """Return the UIDs of the Jobs that ever existed, by the name of their run."""
        job_uids: dict[str, set[str]] = defaultdict(set)
        for job in list(self.jobs.observed):
            if _of(job) == remediation.metadata.uid:
                job_uids[job["metadata"]["name"]].add(job["metadata"]["uid"])
        return job_uids

    def claims_of(self, remediation: Remediation) -> dict[str, set[str]]:
        """Return who carried out each run."""
        claims: dict[str, set[str]] = defaultdict(set)
        for result in list(self.results.observed):
            claim = (result.get("data") or {}).get("claim.json")
            if claim and _of(result) == remediation.metadata.uid:
                claims[result["metadata"]["name"].removesuffix("-result")].add(claim)
        return claims


def _of(obj: Object) -> str:
    """Return the UID of the remediation that an object belongs to."""
    return str((obj["metadata"].get("labels") or {}).get("reme.dev/remediation-uid", ""))


def attempt(status: RemediationStatus) -> Attempt | None:
    """Return the latest attempt."""
    return status.attempts[-1] if status.attempts else None
