"""Weights & Biases that works without an account."""

import os
from collections.abc import Mapping
from typing import Any, Literal

from lightning.pytorch import loggers
from lightning.pytorch.utilities import rank_zero_info

from snn_synth.keys import former


def wandb_is_offline() -> bool:
    """Whether a run has to stay on this machine: no API key, or ``WANDB_MODE`` says so."""
    mode = os.environ.get("WANDB_MODE")
    if mode is not None:
        return mode != "online"
    if os.environ.get("WANDB_API_KEY"):
        return False
    import wandb
    from requests.utils import get_netrc_auth

    # Not wandb.login(prompt=False), which asks the server about the key, and fails without a network.
    host = os.environ.get("WANDB_BASE_URL") or wandb.Settings().base_url
    return get_netrc_auth(host) is None


class WandbLogger(loggers.WandbLogger):
    """Lightning's W&B logger, offline by itself when there is no key, and never with a prompt.

    Online, the checkpoints of ``ModelCheckpoint`` go up as artifacts. Offline, the run is written to
    ``<save_dir>/wandb/offline-run-*``, for ``wandb sync`` to send up later, and checkpoints stay in the run's folder.

    Args:
        project: on W&B.
        name: of the run.
        save_dir: where ``wandb/`` is made; the trainer's folder, say.
        offline: None decides by the key.
        log_model: send checkpoints up as artifacts when online; "all" sends each as it is saved.
        **wandb_init: further arguments of Lightning's logger or ``wandb.init``: ``tags``, ``group``, ...

    Example:
        >>> import tempfile
        >>> logger = WandbLogger(project="digits", save_dir=tempfile.mkdtemp(), offline=True, tags=["first"])
        >>> logger.save_dir == logger._save_dir, logger._offline
        (True, True)
    """

    def __init__(
        self,
        project: str = "snn_synth",
        name: str | None = None,
        save_dir: str = "runs",
        offline: bool | None = None,
        log_model: bool | Literal["all"] = True,
        **wandb_init: Any,
    ) -> None:
        """Decide whether to be online."""
        offline = wandb_is_offline() if offline is None else offline
        os.makedirs(save_dir, exist_ok=True)
        given = {name: value for name, value in wandb_init.items() if value is not None}  # a null mode would be online
        super().__init__(
            project=project,
            name=name,
            save_dir=save_dir,
            offline=offline,
            log_model=False if offline else log_model,
            **given,
        )
        if offline:  # said outright: wandb has read WANDB_MODE long before Lightning sets it
            self._wandb_init["mode"] = os.environ.get("WANDB_MODE", "offline")
        if "WANDB_QUIET" not in os.environ:  # or it ends with twenty lines of curves and numbers that metrics.json has
            self._wandb_init.setdefault("settings", {"quiet": True})
        # wandb dropped anonymous runs, and warns whenever the argument is given, as Lightning does.
        self._wandb_init.pop("anonymous", None)
        if offline and os.environ.get("WANDB_MODE") != "disabled":
            rank_zero_info(
                f"W&B is offline (no API key, or asked to): the run is kept in {save_dir}/wandb, `wandb sync` sends it "
                "up later; checkpoints stay in the run's folder and are not part of it."
            )

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log; for an agent of W&B also by former names, which the metric of its sweep may have."""
        named = dict(metrics)
        if os.environ.get("WANDB_SWEEP_ID"):
            named |= {old: value for key, value in metrics.items() if (old := former(key)) is not None}
        super().log_metrics(named, step)
