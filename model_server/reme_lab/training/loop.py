"""The loop of both stages: optimizer, budget, checkpoints, log, and going on after a stop."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from reme_lab.training import checkpoint, metrics_log
from reme_lab.training.checkpoint import Checkpoint
from reme_lab.training.errors import OtherRunError, RunExistsError
from reme_lab.training.lora import Adapters
from reme_lab.training.metrics_log import MetricsLog
from reme_lab.training.recipe import Steps
from reme_lab.training.schedule import progress, rate


class Stage(Protocol):
    """What is learned in a step, and how it is looked at from time to time."""

    def learn(self, step: int) -> dict[str, float]:
        """Leave the gradients of a step at the adapters; `tokens` is among the figures."""
        ...

    def evaluate(self) -> dict[str, float]:
        """Return figures on incidents that are not learned from."""
        ...


@dataclass
class Run:
    """One run of a stage in a folder; `train` ends when the budget does or on a signal."""

    stage: Stage
    adapters: Adapters
    plan: Steps
    folder: Path
    identity: dict[str, Any]
    step: int = 0
    seconds: float = 0.0
    stopped: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.journal = MetricsLog(self.folder)
        self.optimizer = torch.optim.AdamW(
            self.adapters.parameters,
            lr=self.plan.learning_rate,
            weight_decay=self.plan.weight_decay,
        )

    def begin(self, *, resume: bool, restart: bool = False) -> None:
        """Start anew, or go on from the checkpoint if there is one and `resume` says so.

        With `restart`, a run of other inputs is thrown away rather than refused.

        Raises:
            AlreadyBegunError: there is a run in the folder, and it is not to be resumed.
            OtherRunError: the checkpoint is of other data, another base or another recipe.
        """
        if restart and checkpoint.exists(self.folder) and self._differing():
            (self.folder / checkpoint.FILE).unlink()
        if not checkpoint.exists(self.folder):
            self.journal.clear()
            self.journal.write("run", **self.identity)
            self.save()
            return
        if not resume:
            raise RunExistsError(f"{self.folder} holds a run: give --resume or another folder")
        found = checkpoint.read(self.folder)
        if differ := self._differing():
            raise OtherRunError(f"the run in {self.folder} had another {', '.join(differ)}")
        self.adapters.load(found.adapters)
        self.optimizer.load_state_dict(found.optimizer)
        torch.set_rng_state(found.random)
        self.step, self.seconds = found.step, found.seconds
        self.journal.rewind(self.step)
        if not self.finished:
            self.journal.write("resumed", step=self.step, seconds=self.seconds)

    @property
    def finished(self) -> bool:
        """Whether the budget was used up already, and the last look taken."""
        last = metrics_log.read(self.folder)[-1:]
        done = bool(last) and last[0]["event"] == "done"
        return done and progress(self.plan, self.step, self.seconds) >= 1

    def _differing(self) -> list[str]:
        was = checkpoint.read(self.folder).run
        return [key for key, value in self.identity.items() if was.get(key) != value]

    def save(self) -> None:
        """Write the checkpoint."""
        Checkpoint(
            run=self.identity,
            step=self.step,
            seconds=self.seconds,
            adapters=self.adapters.state(),
            optimizer=self.optimizer.state_dict(),
            random=torch.get_rng_state(),
        ).write(self.folder)

    def train(self) -> bool:
        """Step until the budget is used up; whether it is, rather than a signal having come."""
        if self.finished:
            return True
        self.adapters.refresh()
        saved = looked = self.seconds
        with self._signals():
            while progress(self.plan, self.step, self.seconds) < 1 and not self.stopped:
                self._step()
                if self.seconds - looked >= 60 * self.plan.evaluate_minutes:
                    self._look()
                    looked = self.seconds
                if self.seconds - saved >= 60 * self.plan.checkpoint_minutes:
                    self.save()
                    saved = self.seconds
        self.save()
        if self.stopped:
            return False
        self._look()
        self.journal.write("done", step=self.step, seconds=self.seconds)
        self.save()
        return True

    def _step(self) -> None:
        began = time.monotonic()
        done = progress(self.plan, self.step, self.seconds)
        lr = rate(self.plan, self.step, done)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        figures = self.stage.learn(self.step)
        norm = torch.nn.utils.clip_grad_norm_(self.adapters.parameters, self.plan.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.adapters.refresh()
        self.step += 1
        took = time.monotonic() - began
        self.seconds += took
        speed = figures.pop("tokens") / took
        self.journal.write(
            "step",
            step=self.step,
            seconds=self.seconds,
            lr=lr,
            norm=float(norm),
            tokens_per_second=speed,
            **figures,
        )

    def _look(self) -> None:
        """Evaluate; randomness is put back, so that it does not matter when one looks."""
        began, state = time.monotonic(), torch.get_rng_state()
        figures = self.stage.evaluate()
        torch.set_rng_state(state)
        self.seconds += time.monotonic() - began
        self.journal.write("dev", step=self.step, seconds=self.seconds, **figures)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(*_: object) -> None:
            self.stopped = True

        before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
