"""``snn-synth synthesize``: sound files to images, and what was said."""

import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from snn_synth import plot
from snn_synth.cli.devices import find_device
from snn_synth.cli.parsers import PARSERS
from snn_synth.codec import unpack
from snn_synth.errors import InputError
from snn_synth.experiments.hearing import Heard, hear
from snn_synth.experiments.synthesis import Drawing, Recording, draw_words, load, read_recording
from snn_synth.files import atomic_write

ENDINGS = {"image": ".png", "spectrogram": "-spectrogram.png", "spikes": "-spikes.png", "forming": "-forming.gif"}
HEARD = "heard.json"


def run(argv: list[str]) -> None:
    """Draw an image of each word of each sound file; nothing is written before all has been checked and computed."""
    arguments = PARSERS["synthesize"]().parse_args(argv[1:])

    device = find_device(arguments.device)
    targets = output_files(arguments.files, arguments.out)
    source = load(arguments.checkpoint, arguments.num_steps, arguments.seed)
    source = source._replace(model=source.model.to(device))
    recordings = [read_recording(source.model, file) for file in arguments.files]
    drawings = [draw_words(source, recording) for recording in recordings]
    heard = [
        hear(source.model, one.images, recording.faults) for one, recording in zip(drawings, recordings, strict=True)
    ]

    done = zip(tqdm(recordings, "Drawing", unit="file", disable=None), drawings, heard, targets, strict=True)
    for recording, drawing, said, paths in done:
        write(recording, drawing, said, paths, source.model.image_shape)
    entries = [entry(*parts) for parts in zip(recordings, heard, targets, strict=True)]
    with atomic_write(arguments.out / HEARD) as draft:
        content = {
            "checkpoint": arguments.checkpoint,
            "num_steps": source.num_steps,
            "seed": source.seed,
            "files": entries,
        }
        draft.write_text(json.dumps(content, indent=2) + "\n")
    for recording, said in zip(recordings, heard, strict=True):
        print(f"{recording.file}: {said}")
    print(f"Wrote {HEARD} and {len(ENDINGS) * len(targets)} pictures into {arguments.out}")


def output_files(files: list[Path], folder: Path) -> list[dict[str, Path]]:
    """Where the pictures of each file go.

    Raises:
        InputError: if `folder` is no folder, a file is one, or two pictures would have the same path.

    Example:
        >>> output_files([Path("words/seven.wav")], Path("out"))[0]["spikes"].as_posix()
        'out/seven-spikes.png'
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"Expected a folder for the pictures, got the file {folder}")
    owner: dict[Path, Path] = {}
    targets = []
    for file in files:
        if file.is_dir():
            raise InputError(f"Expected sound files, got the folder {file}: give the files in it, {file}/*.wav")
        paths = {kind: folder / (file.stem + ending) for kind, ending in ENDINGS.items()}
        for path in paths.values():
            if path in owner:
                raise InputError(
                    f"Expected files of different names, got {owner[path]} and {file}, both for {path}: rename one, or "
                    "draw them in two runs with folders of their own"
                )
            owner[path] = file
        targets.append(paths)
    for path in (*owner, folder / HEARD):
        if path.is_dir():
            raise InputError(f"Expected to write the file {path}, got a folder of that name")
    return targets


def write(recording: Recording, drawing: Drawing, heard: Heard, paths: dict[str, Path], shape: tuple[int, ...]) -> None:
    """Write the four pictures of a file: of several words, side by side."""
    labels = heard.labels if heard.labels and len(heard.labels) > 1 else None
    plot.save_figure(plot.image_grid(drawing.images, len(drawing.images), labels), paths["image"], dpi=300)
    plot.save_figure(plot.spectrogram(*recording.spectrograms), paths["spectrogram"])
    plot.save_figure(plot.spike_raster(*unpack(drawing.input_spikes).unbind(1)), paths["spikes"])
    forming = [plot.image_forming(spikes, shape) for spikes in unpack(drawing.output_spikes).unbind(1)]
    plot.save_animation(plot.side_by_side(forming), paths["forming"])


def entry(recording: Recording, heard: Heard, paths: dict[str, Path]) -> dict[str, Any]:
    """What ``heard.json`` says of a file."""
    return {
        "file": str(recording.file),
        "seconds": round(recording.seconds, 3),
        "sample_rate": recording.sample_rate,
        "words": [
            {"start": round(start, 3), "end": round(end, 3), **said}
            for (start, end), said in zip(recording.words, heard.words, strict=True)
        ],
        "warnings": heard.warnings,
        "pictures": {kind: path.name for kind, path in paths.items()},
    }
