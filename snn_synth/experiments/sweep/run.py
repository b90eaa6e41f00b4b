"""Running a sweep on this machine: some processes at a time, each a run with settings of its own."""

import json
import math
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import IO, Any

import yaml
from tqdm import tqdm
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from snn_synth import plot
from snn_synth.data.root import make_folder
from snn_synth.errors import InputError
from snn_synth.experiments.sweep.file import NAMED_BY_USER, check_arguments, read
from snn_synth.experiments.sweep.space import points
from snn_synth.files import atomic_write, sole_writer
from snn_synth.keys import same

RUNS = Path("runs/sweeps")  # each run has its folder here, by its id
PROGRAM = (sys.executable, "-P", "-m", "snn_synth.cli.trial")  # -P: nothing in this folder stands for a module
BAD_INPUT = 2  # the exit code of a run whose settings are refused, with one sentence


def run(
    path: Path, count: int | None = None, jobs: int | None = None, seed: int = 0, allow_import: Sequence[str] = ()
) -> dict[str, Any]:
    """Run a sweep, and write ``sweep.json`` and ``sweep.png`` into ``runs/sweeps/<its name>``.

    What has been run is not run again, if the sweep is started again with the same file. No run outlives this process.

    A run that fails is reported at once, and the others go on, as its settings alone may be wrong. The sweep stops
    where they cannot be the reason: all runs so far were refused as bad input, by the same sentence, although each
    setting that the sweep varies has had two values among them.

    Args:
        path: of the sweep's file, as ``wandb sweep`` takes it.
        count: of runs; all of a grid, and ``run_cap`` of a random search, if not given.
        jobs: processes at a time; one for each core if not given.
        seed: of a random search.
        allow_import: handed to each run.

    Returns:
        What ``sweep.json`` holds: the runs, the best first.

    Raises:
        InputError: for a file or a method that cannot run here, ``count`` or ``jobs`` below 1, if another process is at
            work on it, if every run failed, or if they are all refused alike.
    """
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    if jobs < 1 or (count is not None and count < 1):
        raise InputError(f"Expected --jobs and --count of at least 1, got {jobs} and {count}")
    sweep = read(path)
    name, metric = sweep["name"], sweep["metric"]["name"]
    settings = points(sweep, count, seed)
    argv = [_arguments(sweep["command"], point) for point in settings]
    allowed = [f"{NAMED_BY_USER}={one}" for one in allow_import]
    folder = make_folder(RUNS / name)
    runs = []
    # The runs' standard input ends, and they with it, when its other end is closed: by this block, or by any end of
    # this process.
    reading, writing = os.pipe()
    with (
        os.fdopen(reading) as leash,
        sole_writer(folder),
        ThreadPoolExecutor(jobs) as pool,
        os.fdopen(writing, "w"),
        tqdm(total=len(settings), desc=name, unit="run") as bar,
    ):

        def begin(number: int) -> Future[Any]:
            return pool.submit(_once, f"{name}-{number}", settings[number], argv[number], allowed, folder, jobs, leash)

        waiting = iter(range(len(settings)))
        running = {begin(number) for number in islice(waiting, jobs)}
        try:
            while running:  # one begins as one ends, and not before it is known what that one said
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for done in ended:
                    runs.append(done.result())
                    value = measure(_sorted(runs, sweep["metric"])[0], metric)
                    if value is not None:
                        bar.set_postfix_str(f"best {metric} {value:.4f}")
                    bar.update()
                    if (error := runs[-1]["error"]) is not None and error not in (one["error"] for one in runs[:-1]):
                        tqdm.write(f"{runs[-1]['run']} failed: {error}", file=sys.stderr)
                    if len(runs) < len(settings) and _refused_alike(runs, settings):
                        raise InputError(
                            f"Expected a run with {metric}, stopped after {len(runs)} of {len(settings)}, "
                            f"as all said: {error}"
                        )
                running |= {begin(number) for number in islice(waiting, len(ended))}
        except BaseException:  # those that have begun end with the leash
            pool.shutdown(wait=False)
            raise
    runs = _sorted(runs, sweep["metric"])
    if measure(runs[0], metric) is None:
        reason = runs[0]["error"] or f"{runs[0]['metrics'] or 'nothing'} in its metrics.json"
        raise InputError(f"Expected a run with {metric}, got none of {len(runs)}; the first said: {reason}")
    result = {"sweep": sweep, "seed": seed, "runs": runs}
    found = {one["run"]: (one["settings"], value) for one in runs if (value := measure(one, metric)) is not None}
    plot.save_figure(plot.sweep_scatter(list(found.values()), metric), folder / "sweep.png")
    with atomic_write(folder / "sweep.json") as draft:
        draft.write_text(json.dumps(result, indent=2) + "\n")
    return result


def measure(one: Mapping[str, Any], metric: str) -> float | None:
    """What a run measured; None for what cannot be compared: nothing, NaN, infinity, a text."""
    value = next((one["metrics"][key] for key in same(metric, one["metrics"])), None)
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if usable else None


def _refused_alike(runs: Sequence[Mapping[str, Any]], settings: Sequence[Mapping[str, Any]]) -> bool:
    """Whether bad input ended every run, with one sentence, and no setting of theirs can be the reason.

    A setting that varies over the sweep may be, as long as all these runs had the same value of it.
    """
    if any(one["exit_code"] != BAD_INPUT or one["error"] != runs[0]["error"] for one in runs):
        return False
    ran = [one["settings"] for one in runs]
    return all(_varies(name, ran) for name in settings[0] if _varies(name, settings))


def _varies(name: str, settings: Sequence[Mapping[str, Any]]) -> bool:
    return any(point[name] != settings[0][name] for point in settings)


def _once(
    run_id: str, point: Mapping[str, Any], argv: list[str], allowed: list[str], folder: Path, jobs: int, leash: IO[str]
) -> dict[str, Any]:
    """One run, in a process of its own, unless it has been run."""
    record = RUNS / run_id / "sweep-settings.yaml"
    measured = RUNS / run_id / "metrics.json"
    log = folder / f"{run_id}.log"
    text = yaml.safe_dump({"settings": dict(point), "command": shlex.join(argv)})
    error, code = None, 0
    if not (measured.is_file() and record.is_file() and record.read_text() == text):
        threads = max(1, (os.cpu_count() or 1) // jobs)
        before = _stamp(measured)
        with log.open("w") as output:
            code = subprocess.run(
                [*PROGRAM, *argv, f"--trainer.default_root_dir={RUNS / run_id}", *allowed],
                env={"OMP_NUM_THREADS": str(threads), **os.environ, "WANDB_RUN_ID": run_id},
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=leash,
                start_new_session=True,  # a group of its own, which ends as one
            ).returncode
        if code or _stamp(measured) == before:
            said = log.read_text(errors="replace").strip().splitlines()
            error = said[-1] if code and said else f"exit code {code}, and no metrics.json"
        else:
            with atomic_write(record) as draft:
                draft.write_text(text)
    metrics = _read_metrics(measured) if error is None else {}
    return {
        "run": run_id,
        "settings": dict(point),
        "metrics": metrics,
        "error": error,
        "exit_code": code,
        "log": str(log),
    }


def _stamp(path: Path) -> tuple[int, int] | None:
    """Which file stands there: a new one has another."""
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.is_file() else None


def _read_metrics(path: Path) -> dict[str, Any]:
    try:
        metrics = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return metrics if isinstance(metrics, dict) else {}


def _arguments(command: Sequence[str], point: Mapping[str, Any]) -> list[str]:
    """The arguments after ``snn-synth`` as W&B's agent makes them."""
    macros = create_sweep_command_args({"args": {name: {"value": value} for name, value in point.items()}})
    argv: list[str] = []
    for argument in command:
        name = argument.removeprefix("${").removesuffix("}")
        argv += macros[name] if argument == f"${{{name}}}" and name in macros else [argument]
    check_arguments(argv)  # again, with the values
    return argv


def _sorted(runs: Sequence[dict[str, Any]], metric: Mapping[str, str]) -> list[dict[str, Any]]:
    """The best first, those last that failed or measured nothing."""
    sign = -1 if metric.get("goal") == "maximize" else 1

    def place(one: Mapping[str, Any]) -> tuple[bool, float]:
        value = measure(one, metric["name"])
        return value is None, 0.0 if value is None else sign * value

    return sorted(runs, key=place)
