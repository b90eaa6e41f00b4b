"""``snn-synth robustness``."""

import json
import shlex
from time import perf_counter

from snn_synth import plot
from snn_synth.cli.parsers import PARSERS
from snn_synth.errors import InputError
from snn_synth.experiments import robustness
from snn_synth.experiments.record import versions
from snn_synth.experiments.synthesis import load
from snn_synth.files import atomic_write


def run(argv: list[str]) -> None:
    """Measure a model in each condition, write numbers and a picture, and print a table."""
    arguments = PARSERS["robustness"]().parse_args(argv[1:])
    if arguments.words is not None and arguments.words < 1:
        raise InputError(f"Expected at least 1 word, got {arguments.words}")
    if arguments.out.exists() and not arguments.out.is_dir():
        raise InputError(f"Expected a folder for the results, got the file {arguments.out}")

    source = load(arguments.checkpoint, arguments.num_steps, arguments.seed)
    robustness.check(source.model, source.num_steps)
    gallery = robustness.digits_gallery(source.model)
    heard, unheard = robustness.find_test_words(arguments.words)
    corpus = "the official test words of FSDD"
    if heard is None:
        corpus = "the words of espeak's unheard voices"
        print("FSDD is not there (SNN_SYNTH_DATA), so that every condition is measured on espeak's voices alone.")
    elif unheard is None:
        print("The package espeakng-loader (extra `demo`) is not there, so that espeak's voices are not measured.")

    start = perf_counter()
    found = robustness.measure(
        source.model,
        gallery,
        heard,
        unheard,
        source.num_steps,
        source.max_rate,
        source.seed,
        progress=None,
        code=source.code,
    )
    figure = plot.share_bars({name: one["right"] for name, one in found.items()}, "words drawn right")
    plot.save_figure(figure, arguments.out / "robustness.png")
    content = {
        "shows": f"Words whose image is nearest to that of their own digit: {corpus}, changed as recordings differ.",
        "conditions": found,
        "checkpoint": arguments.checkpoint,
        "num_steps": source.num_steps,
        "seed": source.seed,
        "command": shlex.join(["snn-synth", *argv]),
        "seconds": round(perf_counter() - start, 1),
        "versions": versions(),
    }
    with atomic_write(arguments.out / "metrics.json") as draft:
        draft.write_text(json.dumps(content, indent=2) + "\n")
    print(f"{robustness.table(found)}\nWrote metrics.json and robustness.png into {arguments.out}")
