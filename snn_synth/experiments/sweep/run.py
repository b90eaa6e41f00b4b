"""Running a sweep on this machine: some processes at a time, each a run with settings of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from snn_synth import plot
from snn_synth.errors import InputError
from snn_synth.experiments.sweep.space import points, read
from snn_synth.files import atomic_write

RUNS = Path("runs/sweeps")  # where the commands of our sweep files put each run, by its id


def run(path: Path, count: int | None = None, jobs: int | None = None, seed: int = 0) -> dict[str, Any]:
    """Run a sweep, and write ``sweep.json`` and ``sweep.png`` into ``runs/sweeps/<its name>``.

    What has been run is not run again, if the sweep is started again with the same file.

    Args:
        path: of the sweep's file, as ``wandb sweep`` takes it.
        count: of runs; all of a grid, and ``run_cap`` of a random search, if not given.
        jobs: processes at a time; one for each core if not given.
        seed: of a random search.

    Returns:
        What ``sweep.json`` holds: the runs, the best first.

    Raises:
        InputError: for a file or a method that cannot run here, ``count`` or ``jobs`` below 1, or if every run failed.
    """
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    if jobs < 1 or (count is not None and count < 1):
        raise InputError(f"Expected --jobs and --count of at least 1, got {jobs} and {count}")
    sweep = read(path)
    name, metric = sweep.get("name", path.stem), sweep["metric"]["name"]
    settings = points(sweep, count, seed)
    folder = RUNS / name
    folder.mkdir(parents=True, exist_ok=True)
    runs = []
    with ThreadPoolExecutor(jobs) as pool, tqdm(total=len(settings), desc=name, unit="run") as bar:
        started = {
            pool.submit(
                _once, sweep["command"], sweep.get("program", ""), f"{name}-{number}", point, folder, jobs
            ): point
            for number, point in enumerate(settings)
        }
        try:
            for done in as_completed(started):
                runs.append(done.result())
                best = _sorted(runs, sweep["metric"])[0]
                bar.set_postfix_str(f"best {metric} {best['metrics'].get(metric, float('nan')):.4f}")
                bar.update()
        except BaseException:  # Ctrl-C has reached the processes too; those that have not begun shall not
            pool.shutdown(cancel_futures=True)
            raise
    runs = _sorted(runs, sweep["metric"])
    if metric not in runs[0]["metrics"]:
        raise InputError(f"Expected a run with {metric}, got none of {len(runs)}; the first said: {runs[0]['error']}")
    result = {"sweep": sweep, "seed": seed, "runs": runs}
    values = {one["run"]: (one["settings"], one["metrics"][metric]) for one in runs if metric in one["metrics"]}
    plot.save_figure(plot.sweep_scatter(list(values.values()), metric), folder / "sweep.png")
    with atomic_write(folder / "sweep.json") as draft:
        draft.write_text(json.dumps(result, indent=2) + "\n")
    return result


def _once(
    command: Sequence[str], program: str, run_id: str, point: Mapping[str, Any], folder: Path, jobs: int
) -> dict[str, Any]:
    """One run, in a process of its own, unless it has been run."""
    settings = RUNS / run_id / "sweep-settings.yaml"
    measured = RUNS / run_id / "metrics.json"
    log = folder / f"{run_id}.log"
    text = yaml.safe_dump(dict(point))
    error = None
    if not (measured.is_file() and settings.is_file() and settings.read_text() == text):
        threads = max(1, (os.cpu_count() or 1) // jobs)
        here = {"WANDB_RUN_ID": run_id, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        with log.open("w") as output:
            code = subprocess.run(
                list(_words(command, program, point)),
                env={"OMP_NUM_THREADS": str(threads), **os.environ, **here},
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            ).returncode
        if code:
            said = log.read_text(errors="replace").strip().splitlines() or [f"exit code {code}"]
            error = said[-1]
        else:
            with atomic_write(settings) as draft:
                draft.write_text(text)
    metrics = json.loads(measured.read_text()) if error is None and measured.is_file() else {}
    return {"run": run_id, "settings": dict(point), "metrics": metrics, "error": error, "log": str(log)}


def _words(command: Sequence[str], program: str, point: Mapping[str, Any]) -> Iterator[str]:
    """The command as W&B's agent makes it."""
    macros = create_sweep_command_args({"args": {name: {"value": value} for name, value in point.items()}})
    single = {"${program}": program, "${interpreter}": sys.executable, "${env}": "env"}
    for word in create_sweep_command(list(command)):
        name = word.removeprefix("${").removesuffix("}")
        if word == f"${{{name}}}" and name in macros:
            yield from macros[name]
        else:
            yield single.get(word, word)


def _sorted(runs: Sequence[dict[str, Any]], metric: Mapping[str, str]) -> list[dict[str, Any]]:
    """The best first, those that failed last."""
    sign = -1 if metric.get("goal") == "maximize" else 1

    def place(one: Mapping[str, Any]) -> tuple[bool, float]:
        value = one["metrics"].get(metric["name"])
        return value is None, 0.0 if value is None else sign * value

    return sorted(runs, key=place)
