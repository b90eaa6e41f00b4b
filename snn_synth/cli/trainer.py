"""``snn-synth fit | validate | test | predict``: LightningCLI, one folder for each run."""

import os
import time
from argparse import ArgumentError
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_only

from snn_synth.cli.checks import check_checkpoint, check_data, check_machines, check_test
from snn_synth.cli.configs import with_paths
from snn_synth.cli.console import without_noise
from snn_synth.cli.earlier import set_aside
from snn_synth.cli.imports import OPTION, limited_imports, take_allowed
from snn_synth.cli.meant import meant
from snn_synth.cli.outputs import PredictionFiles, write_metrics
from snn_synth.cli.signals import say, stops_told
from snn_synth.cli.undo import Undo
from snn_synth.data.root import make_folder
from snn_synth.errors import InputError, brief
from snn_synth.files import atomic_write, write_failure
from snn_synth.keys import same
from snn_synth.processes import is_first
from snn_synth.training import (  # all of its classes are known to YAML by their short names then
    AtomicCheckpointIO,
    ResumeCheckpoint,
    WandbLogger,
)

UNNAMED = "runs/unnamed"  # folder of a run whose config names none
# A setting may be an Enum, such as Timer's interval, which YAML knows by its value only.
yaml.SafeDumper.add_multi_representer(Enum, lambda dumper, value: dumper.represent_data(value.value))


def run(argv: list[str]) -> None:
    """Parse the command line, make what the config describes, and run it."""
    argv, allowed = take_allowed(["--help" if argument == "--help_all" else argument for argument in argv])
    with without_noise(), limited_imports(allowed), Undo() as undo:
        SynthCLI(argv, undo, allowed)


class SaveConfig(SaveConfigCallback):
    """Keeps the complete config of a training run in its folder, once it really trains."""

    began = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Wait: a run that fails before its first batch must not change the record of the one before."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write ``config.yaml``, and log what the model's own hyper-parameters leave out."""
        self.began = True
        self._save(trainer)

    @rank_zero_only
    def _save(self, trainer: Trainer) -> None:
        folder = Path(trainer.default_root_dir)
        goes_on = trainer.ckpt_path is not None and Path(trainer.ckpt_path).resolve().parent == folder.resolve()
        if not goes_on and (place := set_aside(folder)) is not None:
            print(f"The run that was in {folder} before is kept in {place}")
        config = self.config.clone()
        config.ckpt_path = None  # where this run went on from is no setting of the next command
        text = self.parser.dump(config, skip_none=False)
        with atomic_write(folder / "config.yaml") as partial:
            partial.write_text(text)
        plain = yaml.safe_load(text)
        for logger in trainer.loggers:
            logger.log_hyperparams({name: plain[name] for name in ("data", "seed_everything")})


class SynthCLI(LightningCLI):
    """Everything that a run writes lies in ``trainer.default_root_dir``.

    Args:
        argv: arguments of the command line.
        undo: told what folder the run makes.
        allowed: the packages given to ``--allow_import``, for the record of the command.
    """

    def __init__(self, argv: list[str], undo: Undo, allowed: Sequence[str] = ()) -> None:
        """Do everything: LightningCLI runs the command in its constructor."""
        self.argv, self.undo = [*argv, *(f"{OPTION}={name}" for name in allowed)], undo
        strict = {"exit_on_error": False}
        super().__init__(
            LightningModule,
            LightningDataModule,
            save_config_callback=SaveConfig,
            trainer_defaults={"default_root_dir": UNNAMED},
            parser_kwargs={"prog": "snn-synth", **strict, **{name: dict(strict) for name in self.subcommands()}},
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=with_paths(argv) + folder_in_sweep(argv),
            auto_configure_optimizers=False,  # ours are settings of the model
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Leave out the commands that are not asked for: a parser of one takes a tenth of a second to make.

        And the option to unpickle whatever a checkpoint holds.
        """
        return {name: skip | {"weights_only"} for name, skip in super().subcommands().items() if name == self.argv[0]}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the one option that is ours."""
        parser.add_argument(
            "--test_after_fit", type=bool, default=True, help="`fit` ends with a reading of the test set."
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, find the checkpoint, and check it before anything is made."""
        try:
            self.config = parser.parse_args(args)  # type: ignore[arg-type]
        except ArgumentError as error:
            if (option := self._meant(parser, str(error))) is None:
                raise
            raise InputError(
                f"Expected options of `snn-synth {self.argv[0]} --help`, got {brief(error)}: did you mean {option}?"
            ) from error
        command = self.config.subcommand
        config = self.config[command]
        if command != "fit" and config.ckpt_path is None:
            config.ckpt_path = str(Path(config.trainer.default_root_dir, "best.ckpt"))
        if config.ckpt_path is not None:
            check_checkpoint(config.ckpt_path, config.model.class_path)
        if config.trainer.fast_dev_run:  # a trial of the code, which leaves nothing
            config.trainer.default_root_dir = self.undo.passing_folder()
        config.trainer.logger = self._loggers(command, config.trainer)

    def _meant(self, parser: LightningArgumentParser, message: str) -> str | None:
        """The option that a refused one may stand for, of those that the configs without it have."""
        if "unrecognized arguments" not in message:
            return None
        parts = with_paths(self.argv)
        last = max(place for place, part in enumerate(parts) if part.startswith(("-c", "--config"))) + 1
        last += "=" not in parts[last - 1]
        try:
            config = parser.parse_args(parts[:last])
        except Exception:  # they have a mistake of their own
            return None
        return meant(message, config[self.argv[0]].as_dict())

    def _loggers(self, command: str, trainer: Any) -> Any:
        """Loggers of a training run, all with the run's folder as theirs; the other commands write JSON instead.

        Raises:
            InputError: for ``settings`` of W&B, which say to what server its key is sent.
        """
        if command != "fit" or trainer.fast_dev_run:
            return command == "fit"  # Lightning puts one in its place that writes nothing
        for logger in trainer.logger if isinstance(trainer.logger, list) else [trainer.logger]:
            parts = [logger.get(part) or {} for part in ("init_args", "dict_kwargs")] if hasattr(logger, "get") else []
            given = {name for part in parts for name in part.keys()}  # noqa: SIM118  (a Namespace has no other way)
            if "settings" in given:
                raise InputError("Expected no `settings` of W&B in a config, got some: set WANDB_* in the environment")
            if "save_dir" in given:
                logger.init_args.save_dir = trainer.default_root_dir
        return trainer.logger

    def _parse_ckpt_path(self) -> None:
        """Leave the model to the config: Lightning would merge in the checkpoint's, and fails at nested settings."""

    def before_instantiate_classes(self) -> None:
        """Make the run's folder, to learn now whether that can be done, and keep other runs out of it."""
        folder = Path(self.config[self.config.subcommand].trainer.default_root_dir)
        self.undo.watch(folder)
        make_folder(folder)
        if self.config.subcommand == "fit" and is_first():
            self.undo.lock(folder)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Let the best checkpoint lie in the run's folder too, unless the config says where."""
        trainer = super().instantiate_trainer(**kwargs)
        check_machines(trainer)
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:  # it would unpickle what it is told to
            trainer.strategy.checkpoint_io = AtomicCheckpointIO()
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
                callback.dirpath = str(Path(trainer.default_root_dir).absolute())
        return trainer

    def fit(self, **arguments: Any) -> None:
        """Train, then read the test set once; a full disk or a signal ends it with what to do next."""
        check_data(self.model, self.datamodule)
        if self.config.fit.test_after_fit:
            check_test(self.trainer, self.datamodule)
        folder = Path(self.trainer.default_root_dir)
        kept = folder / "resume.ckpt"
        try:
            with stops_told():
                self._fit(**arguments)
        except (KeyboardInterrupt, SystemExit):  # Lightning makes the one of the other
            if self.trainer.global_step and kept.is_file():  # until the first step it may be that of the run before
                say(f"go on with --ckpt_path {kept}")
            raise
        except Exception as error:
            if (reason := write_failure(error)) is None:
                raise
            then = f"go on with --ckpt_path {kept}" if kept.is_file() else "start again"
            raise InputError(f"Expected to write into {folder}, got {reason}: free some space, then {then}") from error

    def _fit(self, **arguments: Any) -> None:
        try:
            took = _timed(self.trainer.fit, **arguments)
        finally:
            if self.trainer.global_step:
                self.undo.keep()
        self._check_that_it_trained(arguments["ckpt_path"])
        best = next((c for c in self.trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint)), None)
        checkpoint = best.best_model_path if best and Path(best.best_model_path).is_file() else None
        callbacks: list[Any] = self.trainer.callbacks  # type: ignore[attr-defined]
        before = next((one.measured for one in callbacks if isinstance(one, ResumeCheckpoint)), {})
        metrics, seconds = {**before, **self.trainer.callback_metrics}, {"fit": took}
        if best is not None and best.monitor is not None and best.best_model_score is not None:
            metrics |= dict.fromkeys([best.monitor, *same(best.monitor, metrics)], best.best_model_score)
        if self.config.fit.test_after_fit:
            seconds["test"] = _timed(self.trainer.test, self.model, datamodule=self.datamodule, ckpt_path=checkpoint)
            metrics |= self.trainer.callback_metrics
        self._write("metrics.json", metrics, seconds, checkpoint)
        for logger in self.trainer.loggers:
            if isinstance(logger, WandbLogger) and self.trainer.is_global_zero:
                logger.experiment.finish()  # or what this process does next would be logged there

    def _check_that_it_trained(self, checkpoint: str | None) -> None:
        """Raise InputError if there was nothing to train, unless a kill after the last batch left a run unmeasured."""
        callbacks: list[Any] = self.trainer.callbacks  # type: ignore[attr-defined]
        if not any(isinstance(callback, SaveConfig) and not callback.began for callback in callbacks):
            return
        if checkpoint is None:
            raise InputError("Expected something to train, got no epoch or no batch: see --trainer.max_epochs")
        measured, resumed = Path(self.trainer.default_root_dir, "metrics.json"), Path(checkpoint)
        done = measured.is_file() and measured.stat().st_mtime_ns >= resumed.stat().st_mtime_ns
        if done or resumed.resolve().parent != measured.resolve().parent:
            raise InputError(
                f"Expected something left to train, got {checkpoint} of a run that ended: give a --trainer.max_epochs "
                f"above {self.trainer.max_epochs} to go on with it"
            )

    def validate(self, **arguments: Any) -> None:
        """Measure on the validation set."""
        self._measure("validate", **arguments)

    def test(self, **arguments: Any) -> None:
        """Measure on the test set."""
        self._measure("test", **arguments)

    def _measure(self, command: str, **arguments: Any) -> None:
        seconds = {command: _timed(getattr(self.trainer, command), **arguments)}
        self._write(f"{command}.json", self.trainer.callback_metrics, seconds, arguments["ckpt_path"])

    def predict(self, **arguments: Any) -> None:
        """Write what the checkpoint makes of the test set."""
        if self.trainer.world_size > 1:  # each would write its share of the images over the others'
            raise InputError(f"Expected one process to predict with, got {self.trainer.world_size}: leave `ddp` out")
        if not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            self.trainer.callbacks.append(PredictionFiles())  # type: ignore[attr-defined]
        self.trainer.predict(**arguments)

    def _write(self, name: str, metrics: Any, seconds: dict[str, float], checkpoint: str | None) -> None:
        if self.trainer.is_global_zero and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            write_metrics(Path(self.trainer.default_root_dir, name), self.argv, metrics, seconds, checkpoint)


def folder_in_sweep(argv: list[str]) -> list[str]:
    """The option that gives a run of W&B's agent a folder of its own, unless the command line names one."""
    run_id = os.environ.get("WANDB_RUN_ID")
    named = any(argument.startswith("--trainer.default_root_dir") for argument in argv)
    if argv[0] != "fit" or named or not run_id or not os.environ.get("WANDB_SWEEP_ID"):
        return []
    return [f"--trainer.default_root_dir=runs/sweeps/{run_id}"]


def _timed(function: Any, *arguments: Any, **options: Any) -> float:
    start = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - start
