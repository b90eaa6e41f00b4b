"""Write docs/results.md from docs/results/*/metrics.json: the page is never edited by hand."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from claims import CLAIMS, GENERATOR_CLAIMS, OUTLOOK_CLAIMS, Claim, spread, value, verdict_with_p
from generator_table import ABOUT, generators
from tables import (
    BEST,
    BOUNDS,
    DEMO,
    INFERENCE,
    OTHER_DATA,
    PAPERS_SPEECH,
    STORED_MAPS,
    Results,
    ablations,
    ablations_show,
    against,
    best_table,
    inference,
    not_run,
    of_former_recipe,
    readings,
    speech_of,
    stored,
    table_one,
)

from snn_synth.errors import InputError
from snn_synth.experiments.record import read_results
from snn_synth.experiments.reproduce.catalogue import EXPERIMENTS
from snn_synth.experiments.reproduce.searches import SEARCHES
from snn_synth.files import atomic_write

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "docs" / "results", ROOT / "docs" / "results.md"
HEAD = """\
# Results: the paper's numbers beside ours

Which results of Roy, Panda & Roy (2019) hold in this implementation: every row of their table, every figure and most
claims of their text, with our numbers beside theirs. The page also has the best recipes for the same networks, and the
results of the generators of other papers.

An **SNN** is a spiking network, an **ANN** a conventional one of its size. **T** is the number of time steps, **T_h**
that of the hidden spikes which an audiocoder learns. Data set **A** of speech pairs all words of a digit with one
image, **B** each word with an image of its own.

**paper** means the paper's own learning rule and settings. **best** means our best recipe for a network of the same
size, the same number of epochs and the same T. Its learning rates and batches were chosen on a tenth of the training
images, with at least as many trials for the ANN as for the SNN (`reproduce search-mnist`, ...); the smallest batches
tried were mostly the best, so smaller ones may be better for both. [What no search chose](explanation/choices.md), such
as the kind of neuron, is listed.

Errors are the standardized test MSE: image and output are given zero mean and unit variance first, so 0 is perfect and
a silent output scores 1. What is drawn of a test word is compared with the image of its digit that is nearest to it, as
in the paper: B has many of each, A one. Errors are means and standard deviations over three seeds; one without a
deviation is of one seed. Costs, sizes and the shares of single speakers are means alone. Equal settings in two
sections may differ in the third decimal: they ran on different processors, and [rounding
grows](trust.md#where-numbers-are-the-same).

This page is written by `python benchmarks/results.py` from `docs/results/`: do not edit it. Each folder there holds
what `snn-synth reproduce NAME --preset full` wrote, but `robustness` (`snn-synth robustness`) and `demo`
(`benchmarks/demo.py`). Its `metrics.json` has the command, the versions, every seed and
the settings of every trial. `python benchmarks/results.py runs/reproduce` adds new results.
"""

TABLE_NOTES = """
With TI-46, `snn-synth fit --config a2i_ti46` runs row A of speech, and with `--data.pairing B --model.hidden_steps 10`
row B, with Lyon's front end, the paper's sizes and an 85/15 split; it trains the paper's autoencoder first. FSDD's
words in the paper's shape: [full-size](#full-size).
"""

VERDICTS = """\
Where two variants with several seeds are compared, **holds** and **does not hold** mean that a paired t-test over the
seeds tells them apart at 5 % (p is not corrected for the number of claims), and **cannot be told** that it does not.
With one seed the numbers are compared as they are, so small differences mean little. A bound (≤, ≥) is compared with
the mean. Batches to converge are read from the mean curve, and cannot be told where it still falls, or rises again.
"""

MODEL = """\
![A neuron with three synapses over time](images/neuron.png)

*The paper's figure 2B, drawn with the neuron of this library (leak 0.1): input spikes, the membrane potential before
its reset, output spikes.*

![From a word to its image](images/architecture.png)

*The paper's figure 8, drawn with the networks that come with the package and a word spoken by espeak-ng. The
autoencoder of images gives the hidden spikes that the audiocoder learns. Its decoder turns hidden spikes of both kinds
into images.*

`python docs/pictures.py` draws both.
"""

PICTURES = {
    "errors.png": "error during training and on the test set",
    "groups.png": "side by side",
    "images.png": "drawn images",
}

# What the paper leaves open, what was chosen here, and the variants (chosen first) that show what it changes.
CHOICES: list[tuple[str, str, str, list[str]]] = [
    (
        "Weight decay: 1e-4 in one place, 1e-5 in another",
        "1e-4",
        "choices",
        ["SNN, as chosen", "SNN, weight decay 1e-5"],
    ),
    (
        "How weight decay enters: not said",
        "decoupled from the gradient, as in AdamW",
        "choices",
        ["SNN, as chosen", "SNN, weight decay in the gradient"],
    ),
    (
        "Initial weights: not said",
        "PyTorch's, uniform within 1/√inputs",
        "choices",
        ["SNN, as chosen", "SNN, initial weights x 0.5", "SNN, initial weights x 2"],
    ),
    (
        "The same on Fashion-MNIST",
        "PyTorch's, uniform within 1/√inputs",
        "choices-fashion",
        ["as chosen", "initial weights x 2", "initial weights x 4"],
    ),
    (
        "Whether weight decay is times the learning rate: not said (Fashion-MNIST)",
        "it is",
        "choices-fashion",
        ["as chosen", "weight decay 1e-4 an update"],
    ),
    (
        "Maximum rate of the input: not said",
        "a white pixel fires at every step",
        "choices",
        ["SNN, as chosen", "SNN, maximum rate 0.5"],
    ),
    (
        "Activations of the conventional autoencoder: not said (MNIST)",
        "ReLU, then a sigmoid",
        "choices",
        [f"ANN, {by}, {output} output" for by in ("Adam 1e-3", "SGD 0.1") for output in ("sigmoid", "linear")],
    ),
    (
        "The same on Fashion-MNIST, 1,024 hidden units",
        "ReLU, then a sigmoid",
        "choices",
        [f"Fashion-1024: ANN, {by}, {output}" for by in ("Adam 5e-3", "SGD 5e-3") for output in ("sigmoid", "linear")],
    ),
    (
        "Adam with the printed learning rate of 0.1 on MNIST: it diverges",
        "1e-3",
        "choices",
        ["ANN, Adam 1e-3, sigmoid output", "ANN, Adam 0.1, sigmoid output"],
    ),
    (
        "Time steps of the audiocoder: 60 in the text, 30 in the table",
        "30",
        "choices-speech",
        ["T = 30, 100 frames", "T = 60", "paper's recipe, 512 hidden neurons", "paper's recipe, T = 60"],
    ),
    (
        "How a spectrogram of a second gets 1,500 frames: not said",
        "100 frames of a mel spectrogram",
        "choices-speech",
        ["T = 30, 100 frames", "200 frames"],
    ),
    (
        "Which ten images data set A has: selected by hand",
        "the first training image of each digit",
        "choices-speech",
        ["T = 30, 100 frames", "images nearest their class mean"],
    ),
]


# Of a target that is not met, what was tried: by row and recipe, the experiment that shows it, and what it tells.
TRIED: dict[tuple[str, str], tuple[str, str]] = {
    ("table1-fashion-512", "SNN paper"): (
        "choices-fashion",
        "The error of the training images falls at first, then rises: the paper's rate of 5e-4 is too large for 60 "
        "updates a batch, and more so if the moments are kept from batch to batch. (On MNIST, too, 60 updates a "
        "batch are worse than 30: figure 4B.) A fifth of that rate ends below the target, and so do "
        "[one update a batch, and a trace without a reset](#other-readings-of-the-papers-recipe).",
    ),
    ("table1-fashion-1024", "SNN paper"): (
        "choices-fashion",
        "As with 512 hidden neurons, the error falls at first, then rises; a fifth of that rate ends below the target, "
        "as do [one update a batch, and a trace without a reset](#other-readings-of-the-papers-recipe).",
    ),
}


# What the numbers and the pictures of a section do not tell by themselves.
NOTES = {
    "conv-fashion": """\
Convolutions end below full connections in two seeds of three; by the spread of the third it cannot be
told. An epoch of the spiking ones takes over four times as long. The
picture has the fully connected ones of a former recipe, with batches of 10. The convolutions' initial
weights and learning rate were chosen by four trials on a twentieth of the images, whose results are not
kept; the fully connected ones have the best of a whole search.""",
    "stacked": """\
A second layer does not help a code of 64 neurons: its spikes go through 256 neurons and 15 steps once more.
Layer by layer it is worse, as the layers learn together for one of the three epochs alone.""",
    "table1-a2i-b": "In the drawn images, SNN, reset to zero is by an earlier recipe.",
    "full-size": "[Performance](performance.md) has the time and the memory of a batch of this size.",
    "unseen-speakers-others": "In the drawn images, ACANN has a decoder of a former recipe.",
    "spoken-diffusion": "The picture has data set B's network of a former recipe, with batches of 50.",
}


def not_met(results: Results) -> str:
    """The targets that are not met, and what was tried."""
    lines = []
    for name, (title, *bounds) in BOUNDS.items():
        for variant, bound in zip(("SNN paper", "SNN best"), bounds, strict=True):
            found = results.get(name, {}).get("variants", {}).get(variant)
            if found is None or bound is None or found["test/standardized_mse"]["mean"] <= bound:
                continue
            experiment, why = TRIED.get((name, variant), ("", ""))
            tried = results[experiment]["variants"] if experiment in results and experiment != name else {}
            figures = "; ".join(f"{other} {value(one)}" for other, one in tried.items())
            shown = f" Tried ([{experiment}](#{experiment})): {figures}." if figures else ""
            lines.append(f"- **{title}, {variant}**: {value(found)}, target: at most {bound:g}. {why}{shown}")
    return "\n".join(lines) or "Every target of a row that was run is met."


def claims(results: Results, said: Sequence[Claim], published: bool = False) -> str:
    """What is said, whether it holds here, and our figures; of the published ones, whether our data are others."""
    lines = ["| claim | here | our figures | experiment |", "|---|---|---|---|"]
    for name, says, check in said:
        names = name.split("+")
        if not set(names) <= set(results):
            lines.append(f"| {says} | not run | | {name} |")
            continue
        variants = {f"{one}, {variant}": found for one in names for variant, found in results[one]["variants"].items()}
        verdict, figures = check(results[name] if len(names) == 1 else {"variants": variants})
        by = ", ".join(f"[{one}](#{one})" for one in names)
        if published and any(map(speech_of, variants.values())):
            by += "; other data than the paper's"
        lines.append(f"| {says} | **{verdict}** | {figures} | {by} |")
    return "\n".join(lines)


def choices(results: Results) -> str:
    """What was chosen where the paper leaves it open."""
    lines = ["| in the paper | chosen here | results, that of the choice first |", "|---|---|---|"]
    for says, chosen, name, variants in CHOICES:
        found = results[name]["variants"] if name in results else {}
        figures = "; ".join(f"{variant} {value(found[variant])}" for variant in variants) if found else "not run"
        lines.append(f"| {says} | {chosen} | {figures} |")
    return "\n".join(lines)


def grouped(metrics: Mapping[str, Any]) -> list[str]:
    """A table with a row for each group: means of both measures over its variants, their difference, each variant."""
    groups = metrics["groups"]
    first, second = metrics["measures"]
    members = list(next(iter(groups.values()))["variants"])
    lines = [f"| mean of {len(members)} | {first} | {second} | gap | " + " | ".join(members) + " |"]
    lines.append("|---" * (len(members) + 4) + "|")
    for name, one in groups.items():
        gap = one[second]["mean"] - one[first]["mean"]
        each = [metrics["variants"][variant] for variant in one["variants"].values()]
        cells = [f"{variant[first]['mean']:.3f} / {variant[second]['mean']:.3f}" for variant in each]
        lines.append(f"| {name} | {value(one, first)} | {value(one, second)} | {gap:.3f} | {' | '.join(cells)} |")
    return lines


def section(name: str, metrics: Mapping[str, Any]) -> str:
    """An experiment: its numbers and pictures."""
    measures = metrics["measures"]
    lines = [
        f"## {name}",
        "",
        (EXPERIMENTS | SEARCHES)[name].shows,
        "",
        f"`{metrics['command']}`, {metrics['trial_seconds'] / 60:.0f} minutes of training and measuring.",
        "",
    ]
    if metrics.get("groups"):
        lines += [*grouped(metrics), ""]
    measured = {measure for one in metrics["variants"].values() for measure in one}
    columns = [*measures, *metrics.get("also", ()), *({"test/standardized_mse_whole_set"} & measured)]
    lines += ["| | " + " | ".join(columns) + " | paper |", "|---" * (len(columns) + 2) + "|"]
    for variant, found in metrics["variants"].items():
        cells = [value(found, measure) if measure in found else "" for measure in columns]
        paper = "" if found["paper"] is None else f"{found['paper']:.3f}"
        lines.append(f"| {variant} | " + " | ".join(cells) + f" | {paper} |")
    lines += [line for said in (*not_run(name, metrics), *of_former_recipe(name, metrics)) for line in ("", said)]
    published = [found for found in metrics["variants"].values() if found["paper"] is not None]
    if published and (data := speech_of(published[0])):
        lines += ["", f"The paper's numbers are of {PAPERS_SPEECH}; ours of {data}: {OTHER_DATA}."]
    if name in NOTES:
        lines += ["", NOTES[name]]
    for picture, says in PICTURES.items():
        if (RESULTS / name / picture).is_file():
            lines += ["", f"![{name}: {says}](results/{name}/{picture})"]
    if lacking := [variant for variant in metrics["variants"] if variant not in metrics.get("drawn", [variant])]:
        lines += ["", f"The drawn images lack {'; '.join(lacking)}."]
    return "\n".join([*lines, ""])


def robustness(metrics: Mapping[str, Any]) -> str:
    """What `snn-synth robustness` measured of the shipped network."""
    lines = ["## robustness", "", metrics["shows"], "", f"`{metrics['command']}`, T = {metrics['num_steps']}.", ""]
    lines += ["| | right | standardized_mse | words |", "|---|---|---|---|"]
    for name, found in metrics["conditions"].items():
        lines.append(f"| {name} | {found['right']:.1%} | {found['standardized_mse']:.3f} | {found['words']} |")
    if (RESULTS / "robustness" / "robustness.png").is_file():
        lines += ["", "![robustness: words drawn right](results/robustness/robustness.png)"]
    return "\n".join([*lines, ""])


def demo(metrics: Mapping[str, Any]) -> str:
    """What `snn-synth demo` measured of the networks that it trained, over its seeds."""
    runs = [_demo_rows(run) for run in metrics["seeds"].values()]
    lines = [
        "## demo",
        "",
        "What `make demo` trains in some minutes on synthetic voices alone, beside a conventional network of its size: "
        f"means and standard deviations over {len(runs)} seeds. `make demo` trains with the first, 0. The spiking "
        "neurons reset by subtraction. The 20 epochs were chosen by the errors of these test words, the learning rates "
        "and the reset by those of other words.",
        "",
        f"`{metrics['command']}`",
        "",
        "| | SNN | nearest to their own digit | ANN | nearest to their own digit | words |",
        "|---|---|---|---|---|---|",
    ]
    for name, (*_, words) in runs[0].items():
        cells = [
            _over_seeds([run[name][column] for run in runs], form) for column, form in enumerate((".3f", ".1%") * 2)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} | {words} |")
    errors = {kind: [run["test words"][column] for run in runs] for column, kind in ((0, "SNN"), (2, "ANN"))}
    each = "; ".join(f"{kind} {', '.join(f'{error:.3f}' for error in of)}" for kind, of in errors.items())
    verdict = verdict_with_p(errors["SNN"], errors["ANN"])
    lines += ["", f"Target: test words {against(DEMO, fmean(errors['SNN']))}; below the ANN: {verdict}. {each}."]
    return "\n".join([*lines, ""])


def _demo_rows(run: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Of one seed, what was tested: error and right share of the spiking and of the conventional network, and words."""
    alone = run["autoencoder"]["standardized_mse"], run["ann"]["autoencoder_standardized_mse"]
    spoken = {
        "test words": {**run, "utterances": run["test_utterances"]},
        "voices that were not in the training": run["held_out_voices"],
        **{f"the same, {name}": found for name, found in run["noise"].items()},
        "real people, FSDD's test words": run["real_voices"],
    }
    rows: dict[str, tuple[Any, ...]] = {"the autoencoder alone": (alone[0], None, alone[1], None, "")}
    for name, found in spoken.items():
        both = [found[kind][key] for kind in ("audio_to_image", "ann") for key in ("standardized_mse", "nearest_class")]
        rows[name] = (*both, found["utterances"])
    return rows


def _over_seeds(values: Sequence[float | None], form: str) -> str:
    known = [one for one in values if one is not None]
    if not known:
        return ""
    return spread({"mean": fmean(known), "std": stdev(known) if len(known) > 1 else None}, form)


def page(results: Results) -> str:
    """The whole page."""
    parts = [
        HEAD,
        "## The neuron and the network\n",
        MODEL,
        "## Table 1\n",
        table_one(results),
        TABLE_NOTES,
        "## The best recipes\n",
        BEST,
        best_table(results),
        "",
        "### What each part brings\n",
        ablations_show(results),
        ablations(results),
        "",
        "### Targets that are not met\n",
        not_met(results),
        "",
        "## Cost of an inference\n",
        INFERENCE,
        inference(results),
        "",
        "## Stored hidden spikes\n",
        STORED_MAPS,
        stored(results),
        "",
        "## The paper's claims\n",
        VERDICTS,
        claims(results, CLAIMS, published=True),
        "",
        "## The paper's outlook: convolutions and more layers\n",
        claims(results, OUTLOOK_CLAIMS),
        "",
        "## Generators of new images\n",
        ABOUT,
        generators(results["generators"]) if "generators" in results else "Not run yet.",
        "",
        "## Targets for the generators of other papers\n",
        claims(results, GENERATOR_CLAIMS),
        "",
    ]
    parts += ["## Choices that the paper leaves open\n", choices(results), ""]
    if any(name.startswith("readings-") for name in results):
        parts += ["### Other readings of the paper's recipe\n", readings(results), ""]
    parts += [section(name, results[name]) for name in [*EXPERIMENTS, *SEARCHES] if name in results]
    parts += [robustness(results["robustness"])] if "robustness" in results else []
    parts += [demo(results["demo"])] if "demo" in results else []
    return "\n".join(parts)


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """The results in a folder, by the names of their experiments."""
    return {path.parent.name: read_results(path) for path in sorted(folder.glob("*/metrics.json"))}


def bring(source: Path, target: Path) -> None:
    """Copy what full runs of `reproduce` left in a folder: numbers and pictures."""
    for name, metrics in read(source).items():
        if metrics.get("preset") == "full":
            pictures = [] if name in SEARCHES else list(PICTURES)
            for path in (source / name / file for file in ("metrics.json", *pictures)):
                if path.is_file():
                    (target / name).mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target / name / path.name)


def main(argv: Sequence[str]) -> None:
    """Bring in the results of a folder, if one is named, and write the page."""
    for word in argv:
        bring(Path(word), RESULTS)
    results = read(RESULTS)
    if not results:
        raise InputError(f"Expected results in {RESULTS}, or the folder of `snn-synth reproduce`, got none")
    with atomic_write(PAGE) as draft:
        draft.write_text(page(results))
    print(f"Wrote {PAGE}")


if __name__ == "__main__":
    main(sys.argv[1:])
