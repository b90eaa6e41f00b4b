"""Manual optimization: several updates in a batch, of which Lightning counts one."""

import contextlib
from collections.abc import Iterator
from typing import Any

from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.plugins.precision import Precision
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies import SingleDeviceStrategy, Strategy

_HOOKS = "on_before_backward", "on_after_backward", "on_before_optimizer_step"


class Uncounted:
    """An optimizer of Lightning whose updates are no steps of the Trainer, but for one.

    Lightning counts each ``optimizer.step()`` as a step, so that ``max_steps``, ``every_n_train_steps``,
    ``fast_dev_run`` and the length of a schedule would mean something else than batches.

    Args:
        optimizer: a LightningOptimizer.
        strategy: of the Trainer.
        counted: which update of the batch is a step, from 1; 0 for none.
    """

    def __init__(self, optimizer: Any, strategy: Strategy, counted: int = 0) -> None:
        """Keep all."""
        self._optimizer, self._strategy, self._until = optimizer, strategy, counted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)

    def step(self) -> None:
        """Update the weights."""
        self._until -= 1
        if self._until == 0:
            self._optimizer.step()
        else:  # what LightningOptimizer.step does besides counting
            self._strategy.optimizer_step(self._optimizer.optimizer, _nothing)

    @contextlib.contextmanager
    def as_one_step(self) -> Iterator[Any]:
        """PyTorch's optimizer for all updates of a batch, which together are one step of the Trainer."""
        self._optimizer._on_before_step()
        yield self._optimizer.optimizer
        self._optimizer._on_after_step()


def unwatched(module: LightningModule, kind: type[LightningModule]) -> bool:
    """Whether nobody waits for the backward passes and updates of a module, which may then be PyTorch's alone.

    Args:
        module: in a Trainer.
        kind: the class that it is, or inherits from; hooks of its own count as none.
    """
    trainer: Any = module.trainer
    return (
        type(trainer.strategy) is SingleDeviceStrategy
        and type(trainer.precision_plugin) is Precision
        and type(trainer.profiler) is PassThroughProfiler
        and all(_is(module, kind, name) for name in (*_HOOKS, "backward", "manual_backward"))
        and all(_is(callback, Callback, name) for callback in trainer.callbacks for name in _HOOKS)
    )


def _is(instance: Any, kind: type, name: str) -> bool:
    """Whether a method is still that of a class, neither overridden nor replaced in the instance."""
    return getattr(getattr(instance, name), "__func__", None) is getattr(kind, name)


def _nothing() -> None:
    """Each update has had its backward pass before."""
