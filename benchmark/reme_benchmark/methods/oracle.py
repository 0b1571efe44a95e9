"""The bound: the known good playbook of the fault, or nothing where nothing is right."""

import json

from reme_benchmark.methods.base import Simple, Task
from reme_benchmark.methods.changes import perform
from reme_benchmark.scenarios.faults.placeholders import fill
from reme_benchmark.scoring.records import MethodReport


class ReferencePlaybook(Simple):
    """Carries out the least disruptive good playbook: what the instrument must score with 100%."""

    name = "oracle"

    def __init__(self, which: int = 0) -> None:
        """Take the playbook of that number; 0 is the least disruptive."""
        self._which = which
        if which:
            self.name = f"oracle-{which}"

    async def repair(self, task: Task) -> MethodReport:
        """Carry out the playbook, if the right answer is to act."""
        context = task.context
        fault, control = context.fault, context.case.control
        if fault is None or control is not None or not fault.repairs:
            return MethodReport(outcome="Abstained", message="the right answer is to do nothing")
        good = fault.repairs[min(self._which, len(fault.repairs) - 1)]
        playbook = [fill(task_, context.values) for task_ in good.playbook]
        actions = await perform(task.cluster, playbook)
        return MethodReport(
            outcome="Performed",
            acted=True,
            attempts=1,
            message=good.title,
            playbooks=[json.dumps(playbook)],
            diff="\n".join(action.summary() for action in actions),
        )
