"""Training loop of both stages: optimizer, budget, checkpoints, log, and resumption."""

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
    """One stage: computes gradients for a step, and evaluates."""

    def learn(self, step: int) -> dict[str, float]:
        """Accumulate the gradients of a step in the adapters; the figures include `tokens`."""
        ...

    def evaluate(self) -> dict[str, float]:
        """Return figures on the dev incidents."""
        ...


@dataclass
class Run:
    """One run of a stage in a folder; `train` ends with the budget or on a signal."""

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
        self.log = MetricsLog(self.folder)
        self.optimizer = torch.optim.AdamW(
            self.adapters.parameters,
            lr=self.plan.learning_rate,
            weight_decay=self.plan.weight_decay,
        )

    def begin(self, *, resume: bool, restart: bool = False) -> None:
        """Start a new run, or continue from the checkpoint if `resume` is set.

        With `restart`, a run with other inputs is deleted instead of rejected.

        Raises:
            RunExistsError: the folder contains a run, and it is not to be resumed.
            OtherRunError: the checkpoint has other data, another base or another recipe.
        """
        if restart and checkpoint.exists(self.folder) and self._differences():
            (self.folder / checkpoint.FILE).unlink()
        if not checkpoint.exists(self.folder):
            self.log.clear()
            self.log.write("run", **self.identity)
            self.save()
            return
        if not resume:
            raise RunExistsError(f"{self.folder} contains a run: use --resume or another folder")
        stored = checkpoint.read(self.folder)
        if differences := self._differences():
            raise OtherRunError(f"the run in {self.folder} differs in: {', '.join(differences)}")
        self.adapters.load(stored.adapters)
        self.optimizer.load_state_dict(stored.optimizer)
        torch.set_rng_state(stored.random)
        self.step, self.seconds = stored.step, stored.seconds
        self.log.rewind(self.step)
        if not self.finished:
            self.log.write("resumed", step=self.step, seconds=self.seconds)

    @property
    def finished(self) -> bool:
        """Whether the budget is used up and the final evaluation is done."""
        last = metrics_log.read(self.folder)[-1:]
        done = bool(last) and last[0]["event"] == "done"
        return done and progress(self.plan, self.step, self.seconds) >= 1

    def _differences(self) -> list[str]:
        stored = checkpoint.read(self.folder).run
        return [key for key, value in self.identity.items() if stored.get(key) != value]

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
        """Train until the budget is used up; return False if a signal stopped the run before."""
        if self.finished:
            return True
        self.adapters.refresh()
        saved = evaluated = self.seconds
        with self._signals():
            while progress(self.plan, self.step, self.seconds) < 1 and not self.stopped:
                self._step()
                if self.seconds - evaluated >= 60 * self.plan.evaluate_minutes:
                    self._evaluate()
                    evaluated = self.seconds
                if self.seconds - saved >= 60 * self.plan.checkpoint_minutes:
                    self.save()
                    saved = self.seconds
        self.save()
        if self.stopped:
            return False
        self._evaluate()
        self.log.write("done", step=self.step, seconds=self.seconds)
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
        self.log.write(
            "step",
            step=self.step,
            seconds=self.seconds,
            lr=lr,
            norm=float(norm),
            tokens_per_second=speed,
            **figures,
        )

    def _evaluate(self) -> None:
        """Evaluate without changing the random state, so that the schedule has no influence."""
        began, state = time.monotonic(), torch.get_rng_state()
        figures = self.stage.evaluate()
        torch.set_rng_state(state)
        self.seconds += time.monotonic() - began
        self.log.write("dev", step=self.step, seconds=self.seconds, **figures)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(*_: object) -> None:
            self.stopped = True

        handlers = {
            number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
