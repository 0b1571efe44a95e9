"""Simulated nodes: the pod of a Job and the runner in it, with injected faults.

The runner has exactly the permissions of its grant, bindings and ServiceAccount at that time, and
every write is recorded here, outside of the operator.
"""

import asyncio
import json
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reme_playbook.execution.runner_contract import RECORD_SECONDS
from tests.doubles.api_rules import Json, merge_patched
from tests.doubles.shop import NAMESPACE, RELEASE
from tests.doubles.sim_api import SimulatedApi
from tests.doubles.sim_loop import now

PHASES = ("pending", "claimed", "applied", "reported")
"""Phases after which a fault can be injected."""

_CLAIM_SECONDS = 20


class PodEndedError(Exception):
    """The pod ended; `graceful` when the runner could write its last result."""

    def __init__(self, graceful: bool) -> None:
        super().__init__("the pod has ended")
        self.graceful = graceful


@dataclass
class Execution:
    """What one pod of a run really did."""

    run: str
    pod: str
    started_at: float
    claimed: bool = False
    applied: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    wrote: list[float] = field(default_factory=list)  # when it changed its target
    ended: float | None = None


@dataclass
class Nodes:
    """The Job controller, the kubelets and the runners; a hook of the API server."""

    api: SimulatedApi
    task_seconds: float = 0.6
    faults_by_number: dict[int, tuple[str, str]] = field(
        default_factory=dict
    )  # nth pod: what, when
    executions: list[Execution] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    _pods: dict[str, list["asyncio.Task[None]"]] = field(default_factory=dict)

    def __call__(self, what: str, obj: Json) -> None:
        """React to one change of the store."""
        uid = str(obj["metadata"]["uid"])
        if what == "ADDED jobs":
            self.jobs.append(obj["metadata"]["name"])
            self._begin(obj)
        elif what == "DELETED jobs":
            for pod in self._pods.get(uid, []):
                asyncio.get_running_loop().call_later(0.6, pod.cancel, context=Context())

    def _begin(self, job: Json) -> None:
        number = len(self.jobs)
        twice = self.faults_by_number.get(number, ("", ""))[0] == "twice"
        for copy in range(2 if twice else 1):
            work = self._pod(job, number, copy)
            task = asyncio.get_running_loop().create_task(work, context=Context())
            self._pods.setdefault(job["metadata"]["uid"], []).append(task)

    # the Job controller -----------------------------------------------------------------------

    async def _pod(self, job: Json, number: int, copy: int) -> None:
        run, deadline = job["metadata"]["name"], job["spec"]["activeDeadlineSeconds"]
        pod = f"{run}-{job['metadata']['uid'][:4]}{copy}"
        execution = Execution(run, pod, _time())
        try:
            async with asyncio.timeout(deadline):
                await asyncio.sleep(0.3 + copy * 0.7)
                while not self.api.get("serviceaccounts", RELEASE, run):  # noqa: ASYNC110 - it polls
                    await asyncio.sleep(1)  # a pod needs its ServiceAccount
                if not self._alive(job):
                    return
                self.executions.append(execution)
                self._put_pod(job, pod)
                succeeded = await self._runner(job, execution, number if copy == 0 else -1)
                why = "" if succeeded else "BackoffLimitExceeded"
        except TimeoutError:
            why = "DeadlineExceeded"
        except PodEndedError:
            why = "BackoffLimitExceeded"
        except asyncio.CancelledError:
            why = "deleted"
        execution.ended = _time()
        await asyncio.sleep(0.4)
        if self.api.get("pods", RELEASE, pod):
            phase = "Failed" if why else "Succeeded"
            self.api.edit("pods", RELEASE, pod, {"status": {"phase": phase}})
        if self._alive(job) and copy == 0:
            kind = "Failed" if why else "Complete"
            condition = {"type": kind, "status": "True", "reason": why, "message": ""}
            self.api.edit("jobs", RELEASE, run, {"status": {"conditions": [condition]}})

    def _alive(self, job: Json) -> bool:
        obj = self.api.get("jobs", RELEASE, job["metadata"]["name"])
        return obj is not None and obj["metadata"]["uid"] == job["metadata"]["uid"]

    def _put_pod(self, job: Json, pod: str) -> None:
        owner = {"kind": "Job", "uid": job["metadata"]["uid"], "controller": True}
        labels = {"batch.kubernetes.io/job-name": job["metadata"]["name"]}
        self.api.put(
            "pods",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": pod,
                    "namespace": RELEASE,
                    "labels": labels,
                    "ownerReferences": [owner | {"name": job["metadata"]["name"]}],
                },
                "spec": {"containers": [{"name": "run"}]},
                "status": {"phase": "Running"},
            },
        )

    # the runner -------------------------------------------------------------------------------

    async def _runner(self, job: Json, execution: Execution, number: int) -> bool:
        run, deadline = execution.run, int(_environment(job)["REME_DEADLINE_SECONDS"])
        result: Json = {"run": run, "end": "Running", "started": _stamp(), "planned": 0}
        try:
            await self._moment(number, "pending")
            playbook = self.api.get("configmaps", RELEASE, f"{run}-input")
            while playbook is None:
                await asyncio.sleep(1)
                playbook = self.api.get("configmaps", RELEASE, f"{run}-input")
            tasks = json.loads(playbook["data"]["playbook.json"])[0]["tasks"]
            result["planned"] = len(tasks)
            if not await self._claim(execution, result):
                return False
            await self._moment(number, "claimed")
            if self.faults_by_number.get(number, ("",))[0] == "full":
                result |= {"end": "Failed", "message": "Ansible could not run: no space is left"}
            elif self.faults_by_number.get(number, ("",))[0] == "hangs":
                await asyncio.sleep(deadline)
                result |= {"end": "TimedOut", "message": "it took too long"}
            else:
                await self._play(run, tasks, execution, result)
            await self._moment(number, "applied")
            written = await self._finish(run, result)
            await self._moment(number, "reported")
        except (PodEndedError, asyncio.CancelledError) as error:
            if execution.claimed and (not isinstance(error, PodEndedError) or error.graceful):
                last = {"end": "Interrupted", "finished": _stamp(), "message": "told to stop"}
                self._write(run, {"result.json": json.dumps(result | last)})
            raise
        return written and result["end"] == "Succeeded"

    async def _moment(self, number: int, phase: str) -> None:
        await asyncio.sleep(self.task_seconds / 3)
        what, when = self.faults_by_number.get(number, ("", ""))
        if when == phase and what in ("killed", "evicted"):
            raise PodEndedError(graceful=what == "evicted")

    async def _claim(self, execution: Execution, result: Json) -> bool:
        until = _time() + _CLAIM_SECONDS
        claim = json.dumps({"pod": execution.pod, "nonce": execution.pod, "time": _stamp()})
        while _time() < until:
            config_map = self.api.get("configmaps", RELEASE, f"{execution.run}-result")
            if config_map is None:
                return False
            if config_map["data"]["claim.json"]:
                return False
            if self._write(execution.run, {"claim.json": claim, "result.json": json.dumps(result)}):
                execution.claimed = True
                return True
            await asyncio.sleep(0.2)
        return False

    async def _play(self, run: str, tasks: list[Json], execution: Execution, result: Json) -> None:
        for task in tasks:
            result |= {"firstTask": result.get("firstTask") or _stamp()}
            result |= {"runningTask": task["name"]}
            self._write(run, {"result.json": json.dumps(result)})
            await asyncio.sleep(self.task_seconds)
            if not self._may(run, "deployments", NAMESPACE):
                execution.refused.append(task["name"])
                result |= {
                    "end": "Failed",
                    "message": "refused",
                    "tasks": len(execution.applied) + 1,
                }
                return
            self._apply(task)
            execution.applied.append(task["name"])
            execution.wrote.append(_time())
            result |= {
                "tasks": len(execution.applied),
                "changed": len(execution.applied),
                "runningTask": "",
            }
        result |= {"end": "Succeeded"}

    async def _finish(self, run: str, result: Json) -> bool:
        result |= {"finished": _stamp()}
        until = _time() + RECORD_SECONDS
        while not self._write(run, {"result.json": json.dumps(result)}):
            if _time() >= until:
                return False
            await asyncio.sleep(0.5)
        return True

    def _may(self, run: str, role: str, namespace: str) -> bool:
        """Return whether the API server would let the run write there, now."""
        grant = self.api.get("rungrants", RELEASE, run)
        return (
            not self.api.down
            and self.api.get("serviceaccounts", RELEASE, run) is not None
            and self.api.get("rolebindings", namespace, f"{run}-{role}") is not None
            and grant is not None
            and datetime.fromisoformat(grant["spec"]["notAfter"]) > now()
        )

    def _write(self, run: str, data: Json) -> bool:
        name = f"{run}-result"
        if not self._may(run, "result", RELEASE) or not self.api.get("configmaps", RELEASE, name):
            return False
        self.api.edit("configmaps", RELEASE, name, {"data": data})
        return True

    def _apply(self, task: Json) -> None:
        """Change what the task says, as Ansible would."""
        for module, value in task.items():
            if "rollback" in module:
                number = value.get("revision", 1)
                revision = self.api.get("replicasets", NAMESPACE, f"{value['name']}-{number}")
                assert revision is not None, f"no revision {number}"
                self._patch(value["name"], {"spec": {"template": revision["spec"]["template"]}})
            elif "scale" in module:
                self._patch(value["name"], {"spec": {"replicas": value["replicas"]}})
            elif module == "kubernetes.core.k8s":
                self._patch(value["name"], value["definition"])

    def _patch(self, name: str, patch: Json) -> None:
        before = self.api.get("deployments", NAMESPACE, name)
        assert before is not None, f"{name} is gone"
        after = merge_patched(before, patch)
        after["status"]["observedGeneration"] = before["metadata"]["generation"] + 1
        for count in ("replicas", "availableReplicas", "readyReplicas", "updatedReplicas"):
            after["status"][count] = after["spec"]["replicas"]
        self.api.put("deployments", after)


def _environment(job: Json) -> dict[str, Any]:
    containers = job["spec"]["template"]["spec"]["containers"]
    return {e["name"]: e.get("value") for c in containers for e in c.get("env", [])}


def _time() -> float:
    return asyncio.get_running_loop().time()


def _stamp() -> str:
    return now().isoformat()
