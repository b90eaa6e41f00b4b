"""Reading a sweep file: W&B's schema, as far as it runs without a server, and nothing but ``snn-synth fit``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snn_synth.errors import InputError
from snn_synth.parsing import read_yaml

KEYS = {"method", "metric", "parameters", "command", "program", "name", "run_cap"}
SERVERS = {"project", "entity", "description", "$schema"}  # of W&B's server, without a meaning here
NAMED_BY_USER = "--allow_import"  # what may be imported is said on the sweep's command line, never in a file


def read(path: Path) -> dict[str, Any]:
    """A sweep file, with its ``name`` and with ``command`` as the arguments after ``snn-synth``.

    Args:
        path: of the file.

    Raises:
        InputError: if it is none, asks for what only W&B's server does, or would run another program than ours.
    """
    sweep = read_yaml(path, "a sweep")
    sweep = sweep if isinstance(sweep, dict) else {}
    missing = [key for key in ("method", "metric", "parameters") if key not in sweep]
    if missing:
        raise InputError(f"Expected a sweep with `method`, `metric` and `parameters`, got {path} without {missing}")
    unknown = [key for key in sweep if key not in KEYS | SERVERS]
    if unknown:
        raise InputError(
            f"Expected only {sorted(KEYS)} in a sweep that runs without W&B's server, got {brief(unknown)} in {path}"
        )
    metric = sweep["metric"]
    if not (
        isinstance(metric, dict)
        and isinstance(metric.get("name"), str)
        and metric.get("goal", "minimize") in ("minimize", "maximize")
    ):
        raise InputError(
            f"Expected `metric` with a `name` and the `goal` minimize or maximize, got {brief(metric)} in {path}"
        )
    name = sweep.get("name", path.stem)
    check_name(name)
    return {**sweep, "name": name, "command": arguments_of(sweep.get("command"), sweep.get("program", "snn-synth"))}


def check_name(name: Any) -> None:
    """Raise InputError unless a name can be that of one folder, and of W&B's runs."""
    if (
        not isinstance(name, str)
        or not name.isprintable()
        or not 1 <= len(name.encode()) <= 100
        or name[0] in ". "
        or set(name) & set("/\\#?%:")
    ):
        raise InputError(
            "Expected a `name` of at most 100 letters, which starts with none of '. ' and has none of '/\\#?%:', for "
            f"it names a folder, got {brief(name)}"
        )


def arguments_of(command: Any, program: Any) -> list[str]:
    """The arguments after ``snn-synth``, of a command in W&B's form.

    Args:
        command: W&B's ``command``; ``snn-synth fit ${args}`` if None.
        program: W&B's ``program``.

    Raises:
        InputError: for any other program, script, or command of ours.

    Example:
        >>> arguments_of(["${env}", "${interpreter}", "-m", "snn_synth.cli", "fit", "${args}"], "snn-synth")
        ['fit', '${args}']
    """
    if program != "snn-synth":
        raise InputError(
            f"Expected `program: snn-synth`, the only one that a sweep runs here, got {brief(program)}: leave it "
            "out, and name the config by `command: [snn-synth, fit, --config, NAME, '${args}']`; W&B's own agents "
            "(`wandb sweep FILE`) run other programs"
        )
    if command is None:
        return ["fit", "${args}"]
    try:
        argv = [program if argument == "${program}" else str(_text(argument)) for argument in command]
    except (TypeError, ValueError):
        raise InputError(f"Expected `command` as a list of strings, got {brief(command)}") from None
    if found := [argument for argument in argv if "${envvar:" in argument]:
        raise InputError(
            "Expected a `command` without ${envvar:...}, which would put what only this machine knows, keys too, "
            f"among a run's settings, got {brief(found[0])}: write the value itself"
        )
    if argv[:1] in (["${env}"], ["env"], ["/usr/bin/env"]):
        argv = argv[1:]
    if argv[:1] in (["${interpreter}"], ["python"], ["python3"]) and argv[1:3] == ["-m", "snn_synth.cli"]:
        argv = ["snn-synth", *argv[3:]]
    if argv[:2] != ["snn-synth", "fit"]:
        raise InputError(
            "Expected a `command` that is `snn-synth fit ...`, without a shell, since a file must not run other "
            f"programs, got {brief(command)}; each run gets its folder without being told"
        )
    check_arguments(argv)
    return argv[1:]


def check_arguments(argv: Sequence[str]) -> None:
    """Raise InputError if an argument would allow imports; argparse takes abbreviations too."""
    for argument in argv:
        option = argument.partition("=")[0]
        if len(option) > 2 and NAMED_BY_USER.startswith(option):
            raise InputError(
                f"Expected `{NAMED_BY_USER}` on the command line of `snn-synth sweep`, not in a sweep file, "
                f"got {brief(argument)}"
            )


def flat(parameters: Any) -> dict[str, Mapping[str, Any]]:
    """The parameters by their names on the command line: those inside of others get the names of both.

    Raises:
        InputError: for what is no mapping, or names that are none of options.

    Example:
        >>> flat({"model": {"parameters": {"lr": {"value": 0.1}}}})
        {'model.lr': {'value': 0.1}}
    """
    if not isinstance(parameters, Mapping):
        raise InputError(f"Expected `parameters` by their names, got {brief(parameters)}")
    found: dict[str, Mapping[str, Any]] = {}
    for name, spec in parameters.items():
        if not (isinstance(name, str) and name.isascii() and name.replace(".", "_").isidentifier()):
            raise InputError(f"Expected names of options as `parameters`, got {brief(name)}")
        if not isinstance(spec, Mapping):
            raise InputError(f"Expected `value`, `values`, or `min` and `max`, for {name}, got {brief(spec)}")
        if "parameters" in spec and len(spec) > 1:
            raise InputError(f"Expected `parameters` alone in {name}, got {brief(list(spec))}")
        inside = {f"{name}.{part}": one for part, one in flat(spec.get("parameters", {})).items()}
        for full, one in (inside if "parameters" in spec else {name: spec}).items():
            if full in found:
                raise InputError(f"Expected each parameter once, got {full} twice")
            found[full] = one
    return found


def plain(value: Any) -> Any:
    """A value of a setting, if a command line and JSON can hold it.

    Raises:
        ValueError: if they cannot.
    """
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {_text(key): plain(one) for key, one in value.items()}
    return value if value is None else _text(value)


def _text(value: Any) -> bool | int | float | str:
    if isinstance(value, str):
        value.encode()  # raises UnicodeEncodeError, a ValueError, for halves of characters
        if "\0" in value or len(value) > 1000:
            raise ValueError("a text of more than 1000 letters, or with NUL")
        return value
    if isinstance(value, bool | int | float) and abs(value) < 2**63:  # NaN is not
        return value
    raise ValueError(f"{brief(value)} is no text, and no number below 2^63")


def brief(value: Any) -> str:
    """What came, in a line of bounded length."""
    try:
        text = repr(value)
    except ValueError:  # a number of too many digits
        return "a number of thousands of digits"
    return text if len(text) <= 200 else f"{text[:200]}..."
