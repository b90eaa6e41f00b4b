"""Manual optimization: several updates in a batch, of which Lightning counts one."""

from typing import Any

from lightning.pytorch.strategies import Strategy


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


def _nothing() -> None:
    """Each update has had its backward pass before."""
