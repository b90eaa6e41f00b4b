"""Running an experiment: all of its trials for all seeds, then its numbers and its picture."""

import json
import re
import shlex
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from snn_synth import plot
from snn_synth.errors import InputError
from snn_synth.experiments.record import read_results, versions
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.trials import DRAWN, Trial, equal
from snn_synth.files import atomic_write

Preset = Literal["quick", "full"]
# Of what is measured.
PARTS = ("val", "test", "guided", "unlabelled", "reconstructed", "unheard", "train", "inference", "stored")
PUBLISHED = "test/standardized_mse"  # what the paper prints
ROWS = 12  # of drawn images in a picture, shared by the variants
NAMES = {
    "standardized_mse": "standardized MSE",
    "spike_mse": "Spike-MSE",
    "error_share": "neurons with an error",
    "pixel_mse": "MSE of the pixels",
    "recognized": "share recognized",
    "fad": "Fréchet autoencoder distance",
    "sure": "share with probability above 0.9",
    "right": "share of the class that was asked for",
    "pixel_variance": "variance within classes (real images: 1)",
    "utterance_variance": "variance among the images of an utterance",
    "pca_8": "8 principal components",
    "mean_image": "the mean image",
    "decision": "time of the decision in T",
    "most_common": "the most common answer",
    "nearest_class": "share of images nearest to their own digit",
}


def run(
    name: str,
    experiment: Experiment,
    out: Path,
    preset: Preset = "quick",
    seeds: int = 1,
    root: str | None = None,
    force: bool = False,
    argv: Sequence[str] = (),
) -> dict[str, Any]:
    """Run an experiment, and write ``metrics.json`` and its pictures into ``<out>/<name>``.

    Trials are kept under ``<out>/trials``: what has been run is not run again, what was interrupted goes on, and
    experiments with a trial in common share it. Several processes with the same folder share the trials among them.
    What ``metrics.json`` holds already of the same settings, preset and seeds stays as it is, unless the saved networks
    of all seeds can tell something that it lacks.

    Args:
        name: of the experiment.
        experiment: what to run.
        out: folder.
        preset: ``quick`` trains a tenth as long, or less; ``full`` is the paper's length.
        seeds: how many, from 0.
        root: folder with the data; see :func:`snn_synth.data.data_root`.
        force: replace the results of other settings.
        argv: arguments of the command line, for the record.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        InputError: for ``seeds`` below 1, if the data is missing, or if the folder holds results of other settings.
    """
    if seeds < 1:
        raise InputError(f"Expected `seeds` to be at least 1, got {seeds}")
    path = out / name / "metrics.json"
    settings = {"experiment": name, "preset": preset, "seeds": list(range(seeds))}
    there = {} if experiment.groups else _there(path, settings, force)
    trials = {variant: trial.quick() if preset == "quick" else trial for variant, trial in experiment.variants.items()}
    kept = {
        variant: there[variant]
        for variant, trial in trials.items()
        if variant in there
        and equal(trial, there[variant]["trial"])
        and (_told(trial, there[variant]) or not all(trial.saved(seed, out / "trials") for seed in range(seeds)))
    }
    variants = {variant: trial for variant, trial in trials.items() if variant not in kept}
    for trial in variants.values():
        trial.prepare(root)  # before anything is trained
    start = time.perf_counter()
    jobs = [(seed, variant) for seed in range(seeds) for variant in variants]
    done: dict[tuple[int, str], dict[str, Any]] = {}
    for wait in (False, True):  # first what no other process is at, so that several share the work
        for number, (seed, variant) in enumerate(jobs, start=1):
            if (seed, variant) in done:
                continue
            print(f"\n{name}, {number} of {len(jobs)}: {variant}, seed {seed}", file=sys.stderr, flush=True)
            found = variants[variant].run(seed, out / "trials", root, name=variant, group=name, wait=wait)
            if found is not None:
                done[seed, variant] = found
    results = {variant: [done[seed, variant] for seed in range(seeds)] for variant in variants}
    folders = {variant: out / "trials" / trial.key(0) for variant, trial in trials.items()}
    summaries = kept | {variant: _summary(found, experiment.paper.get(variant)) for variant, found in results.items()}
    metrics = settings | {
        "shows": experiment.shows,
        "measures": list(experiment.measures),
        "also": list(experiment.also),
        "variants": {variant: summaries[variant] for variant in trials},
        "command": shlex.join(["snn-synth", *argv]),
        "seconds": round(time.perf_counter() - start, 1),
        "trial_seconds": round(sum(one.get("trial_seconds", 0.0) for one in summaries.values()), 1),
        "versions": versions(),
    }
    if experiment.groups:
        measures = (*experiment.measures, *experiment.also)
        metrics["groups"] = {
            name: {"variants": dict(members), **_means([results[variant] for variant in members.values()], measures)}
            for name, members in experiment.groups.items()
        }
    drawn = {variant: np.load(folder / DRAWN) for variant, folder in folders.items() if (folder / DRAWN).is_file()}
    row_names = {variant: trial.row_names for variant, trial in trials.items()}
    if drawn:
        metrics["drawn"] = list(drawn)  # those whose trials lie here, which are in the picture
    _draw(out / name, metrics, drawn, row_names, experiment.shown_from)
    with atomic_write(path) as draft:
        text = json.dumps(metrics, indent=2)
        draft.write_text(re.sub(r"\[[^][{}]+\]", lambda numbers: " ".join(numbers[0].split()), text) + "\n")
    return metrics


def _there(path: Path, settings: Mapping[str, Any], force: bool) -> dict[str, Any]:
    """Results that lie there, if they are of the same preset and seeds; others are replaced, or refused."""
    if not path.is_file():
        return {}
    there = read_results(path)
    found = {key: there.get(key) for key in settings}
    if found == settings:
        variants = dict(there["variants"])
        # earlier versions kept the sum alone
        equally = round(there.get("trial_seconds", 0.0) / max(1, len(variants)), 1)
        return {variant: {"trial_seconds": equally, **one} for variant, one in variants.items()}
    if not force:
        raise InputError(
            f"Expected {path.parent} to hold no results, or those of {settings}, got {found}: --force replaces them"
        )
    return {}


def _told(trial: Trial, summary: Mapping[str, Any]) -> bool:
    """Whether all further parts are there, each of which has some measure."""
    return set(trial.further_parts) <= {key.split("/")[0] for key in summary}


def _summary(results: list[dict[str, Any]], paper: float | None) -> dict[str, Any]:
    """Mean, standard deviation and each seed's value of what was measured; the mean curve; the first seed's cost.

    And how long all seeds took, for the total of a run that keeps some variants.
    """
    parts = [(part, key) for part in PARTS for key in results[0].get(part, ())]
    measured = {f"{part}/{key}": [one[part][key] for one in results] for part, key in parts}
    curves = {key: np.mean([one["curve"][key] for one in results], 0).round(5).tolist() for key in results[0]["curve"]}
    summary = {key: _spread(values) for key, values in measured.items()}
    trial = {key: value for key, value in results[0]["trial"].items() if value is not None}
    seconds = round(sum(one["seconds"] for one in results), 1)
    return {
        "paper": paper,
        **summary,
        "curve": curves,
        "cost": results[0]["cost"],
        "trial_seconds": seconds,
        "trial": trial,
    }


def _means(variants: Sequence[Sequence[Mapping[str, Any]]], measures: Sequence[str]) -> dict[str, Any]:
    """Of each measure the mean over some variants, for each seed, and over the seeds."""
    found = {}
    for key in measures:
        part, measure = key.split("/")
        values = np.mean([[one[part][measure] for one in seeds] for seeds in variants], 0)
        found[key] = _spread(values.tolist())
    return found


def _spread(values: Sequence[float]) -> dict[str, Any]:
    return {
        "mean": round(statistics.fmean(values), 5),
        "std": round(statistics.stdev(values), 5) if len(values) > 1 else None,
        "each": [round(value, 5) for value in values],
    }


def _draw(
    folder: Path,
    metrics: Mapping[str, Any],
    drawn: Mapping[str, Any],
    row_names: Mapping[str, tuple[str, ...]],
    shown_from: int,
) -> None:
    variants, measures = metrics["variants"], metrics["measures"]
    first = measures[0].split("/")[1]
    watched = {variant: one["curve"].get(first, []) for variant, one in variants.items()}
    curves = {
        variant: (one["curve"]["batch"] if watched[variant] else [], watched[variant])
        for variant, one in variants.items()
    }
    finals = {}
    for variant, one in variants.items():
        finals[variant] = {
            _label(key): (one[key]["mean"], one[key]["std"] or 0, one["paper"] if key == PUBLISHED else None)
            for key in measures
            if key in one
        }
    ylabel = NAMES.get(first, first)
    if groups := metrics.get("groups"):
        panels = {
            name: {
                within: {
                    key.split("/")[0]: (variants[variant][key]["mean"], variants[variant][key]["std"] or 0, None)
                    for key in measures
                }
                for within, variant in one["variants"].items()
            }
            for name, one in groups.items()
        }
        plot.save_figure(plot.grouped_bars(panels, ylabel), folder / "groups.png")
    else:
        plot.save_figure(plot.training_and_test(curves, finals, ylabel), folder / "errors.png")
    if drawn:
        each = max(1, ROWS // len(drawn))
        image = next(iter(drawn.values()))[0]
        rows = {"image": image}
        for variant, one in drawn.items():
            if shown_from > 0 and not np.array_equal(one[0], image):  # what follows was drawn of these
                image = rows[f"{variant}, image"] = one[0]
            rows |= _named(variant, row_names[variant], one, range(len(one))[shown_from:][:each])
        plot.save_figure(plot.image_rows(rows), folder / "images.png")


def _named(variant: str, names: tuple[str, ...], rows: Any, shown: Sequence[int]) -> dict[str, Any]:
    """The rows that are shown, by the variant's name; where they are of several kinds, by theirs, too."""
    kinds: dict[str, list[int]] = {}
    for place in shown:
        kinds.setdefault(names[min(place, len(names)) - 1] if names else "", []).append(place)
    if len(kinds) == 1:
        return {variant: rows[shown]}
    return {f"{variant}, {kind}": rows[places] for kind, places in kinds.items()}


def _label(key: str) -> str:
    part, measure = key.split("/")
    return f"{NAMES.get(measure, measure)}, {part}"
