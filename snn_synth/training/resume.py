"""Going on with a run under other settings: each is followed, or refused; none is ignored."""

import inspect
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import _init_optimizers_and_lr_schedulers
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from snn_synth.errors import InputError
from snn_synth.keys import same
from snn_synth.training.factories import class_made_by

ELSEWHERE = {"data.root"}  # where the data lies, and no more
COUNTS = {"ready", "started", "processed", "completed", "_batches_that_stepped"}  # of Lightning's loops
MOST = 10**7  # steps of a schedule that is made anew, one by one: a minute or two


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Settings whose values differ, by their dotted names; of those that only one side has, nothing is known.

    Example:
        >>> adam = {"class_path": "torch.optim.adam.Adam", "init_args": {"lr": 0.1, "betas": [0.9, 0.99]}}
        >>> other = {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.2, "betas": (0.9, 0.99)}}
        >>> changes({"optimizer": adam, "seed": 0}, {"optimizer": other, "seed": 0})
        {'optimizer.lr': (0.1, 0.2)}
    """
    found: dict[str, tuple[Any, Any]] = {}
    for name, old in before.items():
        if name.startswith("_") or name not in now:
            continue
        new = now[name]
        if "class_path" in _mapping(old) and "class_path" in _mapping(new):
            if (classes := (_class(old), _class(new)))[0] != classes[1]:
                found[name] = classes
            else:
                inside = changes(_mapping(old.get("init_args")), _mapping(new.get("init_args")))
                found |= {f"{name}.{key}": values for key, values in inside.items()}
        elif _as_list(old) != _as_list(new):
            found[name] = _class(old), _class(new)
    return found


def check_settings(module: LightningModule, checkpoint: Mapping[str, Any], fixed: Collection[str]) -> bool:
    """Compare a module, and its data, with the checkpoint that it goes on from.

    Args:
        module: that trains.
        checkpoint: as Lightning loads it.
        fixed: settings of the module that come with the checkpoint's weights; None stands for whatever they were.

    Returns:
        Whether any setting of the module has changed.

    Raises:
        InputError: if the network, the data, or the class of the optimizer or its scheduler has changed, or the
            checkpoint holds something else in the place of schedulers' states.
    """
    states = checkpoint.get("lr_schedulers", [])
    if not isinstance(states, list) or not all(isinstance(state, dict) and all(map(_text, state)) for state in states):
        raise InputError("Expected the states of schedulers as `lr_schedulers` of the checkpoint, got others")
    changed = changes(_whole(module, checkpoint.get("hyper_parameters")), _whole(module, module.hparams))
    changed = {
        name: (old, new)
        for name, (old, new) in changed.items()
        if (name not in fixed or new is not None) and not (_text(old) and _text(new) and same(old, [new]))
    }
    refused = {
        name: pair
        for name, pair in changed.items()
        if name.partition(".")[0] in fixed or name in ("optimizer", "lr_scheduler")
    }
    data = getattr(module.trainer, "datamodule", None)
    before = _mapping(checkpoint.get("datamodule_hyper_parameters"))
    if data is not None and before:
        was, kind = str(before.get("_class_path")).rpartition(".")[2], type(data).__name__
        of_data = (
            {"data": (was, kind)}
            if was != kind
            else changes({"data": _nested(before)}, {"data": _nested(data.hparams)})
        )
        refused |= {name: pair for name, pair in of_data.items() if name not in ELSEWHERE}
    for name, (old, new) in refused.items():
        raise InputError(
            f"Expected `{name}` to be {old!r}, as when the checkpoint was saved, got {new!r}: leave it as it was to go "
            "on with that run, or start another without a checkpoint"
        )
    schedule = class_made_by(getattr(module, "lr_scheduler", None))
    if "optimizer.lr" in changed and schedule is not None and "max_lr" in inspect.signature(schedule).parameters:
        raise InputError(
            f"Expected `lr_scheduler.max_lr` to go on at another rate, as {schedule.__name__} sets the optimizer's, "
            f"got `optimizer.lr` {changed['optimizer.lr'][1]!r} instead of {changed['optimizer.lr'][0]!r}"
        )
    for name, (old, new) in changed.items():
        rank_zero_info(f"Going on with `{name}` {new!r}; it was {old!r}.")
    return bool(changed)


def check_progress(checkpoint: Mapping[str, Any], callbacks: Sequence[Any]) -> None:
    """Refuse counts of Lightning's loops that are none, and states that no callback of Lightning's has.

    Args:
        checkpoint: as Lightning loads it.
        callbacks: of the trainer, before they take their states.

    Raises:
        InputError: for the first of them.
    """
    open_ = [checkpoint.get("loops")]
    while open_:
        for name, value in _mapping(open_.pop()).items():
            open_.append(value)
            if name in COUNTS and (type(value) is not int or value < 0):
                raise InputError(f"Expected counts of steps and epochs in the checkpoint, got {_shown(value)}")
    for callback in callbacks:
        if not type(callback).__module__.startswith("lightning."):
            continue
        state = _mapping(_mapping(checkpoint.get("callbacks")).get(callback.state_key))
        for name, one in callback.state_dict().items():
            value = state.get(name, one)
            if not _alike(one, value) or (isinstance(one, Tensor) and not isinstance(value, Tensor)):
                raise InputError(
                    f"Expected the state of {type(callback).__name__} in the checkpoint, got {name!r} of "
                    f"{_shown(value)}"
                )


def follow_settings(module: LightningModule, changed: bool) -> None:
    """Let optimizers and schedulers do, from here on, what they would have come to under the present settings.

    What optimizers have learned stays. A schedule is that of a run of the present length, at the place reached.

    Args:
        module: whose training state Lightning has just restored, settings of the optimizers included.
        changed: whether any setting is another than the checkpoint's; the schedules' lengths are compared here.

    Raises:
        InputError: for a schedule that is shorter than what was trained, a state that no scheduler of its class comes
            to, or ReduceLROnPlateau, which nothing but its own past determines.
    """
    trainer = module.trainer
    optimizers, schedules = _init_optimizers_and_lr_schedulers(module)
    pairs = [(new.scheduler, old.scheduler) for new, old in zip(schedules, trainer.lr_scheduler_configs, strict=True)]
    for pair in pairs:
        _check_state(*pair, reached=max(trainer.global_step, trainer.current_epoch + 1))
    lengths = [tuple(getattr(one, "total_steps", None) for one in pair) for pair in pairs]
    if not changed and all(new == old for new, old in lengths):
        return
    for (new, old), (length, before) in zip(pairs, lengths, strict=True):
        done: int = old.last_epoch
        if isinstance(new, ReduceLROnPlateau):
            raise InputError(
                "Expected the settings that the checkpoint was saved with, as ReduceLROnPlateau cannot go on with "
                "others, got changed ones"
            )
        if length is not None and done > length:
            raise InputError(
                f"Expected a schedule of more than the {done} steps that were trained, got one of {length}"
            )
        if done > MOST:
            raise InputError(
                f"Expected the settings that the checkpoint was saved with, as a schedule of more than {MOST:,} steps "
                f"is not made anew, got changed ones at step {done}"
            )
        with warnings.catch_warnings():  # of steps without the optimizer
            warnings.simplefilter("ignore")
            for _ in range(done):
                new.step()
        old.load_state_dict(new.state_dict())
        if length != before:
            rank_zero_info(f"The learning rate goes on as that of a run of {length} steps at step {done}.")
    for fresh, optimizer in zip(optimizers, trainer.optimizers, strict=True):
        for group, restored in zip(fresh.param_groups, optimizer.param_groups, strict=True):
            restored.update({name: value for name, value in group.items() if name != "params"})


def _check_state(fresh: Any, restored: Any, reached: int) -> None:
    """Refuse what a scheduler has taken from a checkpoint, any of its attributes, if it cannot be its own.

    Args:
        fresh: a scheduler of the same settings.
        restored: one that has loaded the checkpoint's state.
        reached: more steps it has not done.

    Raises:
        InputError: for an optimizer or a method that is overwritten, texts in the place of numbers, or steps not done.
    """
    cls, before = type(restored), vars(fresh)
    for name, value in vars(restored).items():
        wrong = callable(getattr(cls, name, None)) or (name in before and not _alike(before[name], value))
        if name in ("last_epoch", "_step_count"):
            most = reached + (name == "_step_count")  # which counts the first, of its making
            wrong = wrong or type(value) is not int or not 0 <= value <= most
        if wrong:
            raise InputError(
                f"Expected the state of {cls.__name__} after at most {reached} steps in the checkpoint, got {name!r} "
                f"of {_shown(value)}"
            )


def _alike(one: Any, other: Any) -> bool:
    """Whether both are numbers, or lists of as many, or otherwise of one type; of None, nothing is known."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, int | float | Tensor):
        return isinstance(other, int | float) or (isinstance(other, Tensor) and other.numel() == 1)
    return one is None or other is None or isinstance(other, type(one))


def _shown(value: Any) -> str:
    return " ".join(repr(value).split())[:100]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(module: LightningModule, settings: Any) -> dict[str, Any]:
    """Settings in which optimizer and scheduler have all their arguments, the defaults too."""
    whole = dict(_mapping(settings))
    for name in ("optimizer", "lr_scheduler"):
        cls, given = class_made_by(getattr(module, name, None)), whole.get(name)
        if name == "optimizer" and name in whole and given is None:
            given = {"class_path": torch.optim.AdamW.__name__}
        if cls is not None and _class(given) == cls.__name__:
            arguments = inspect.signature(cls).parameters.values()
            defaults = {one.name: one.default for one in arguments if one.default is not one.empty}
            init_args = defaults | dict(_mapping(_mapping(given).get("init_args")))
            given = {"class_path": cls.__name__, "init_args": init_args}
        if name in whole:
            whole[name] = given
    return whole


def _nested(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"class_path": arguments.get("_class_path"), "init_args": arguments}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _class(value: Any) -> Any:
    """The name of a class from its path; anything else as it is."""
    return str(value["class_path"]).rpartition(".")[2] if "class_path" in _mapping(value) else value


def _as_list(value: Any) -> Any:
    return [_as_list(one) for one in value] if isinstance(value, list | tuple) else value
