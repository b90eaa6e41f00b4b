"""``snn-synth synthesize``: sound files to images, and what was said."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor
from tqdm import tqdm

from snn_synth import plot
from snn_synth.cli.devices import find_device
from snn_synth.cli.parsers import PARSERS
from snn_synth.codec import unpack
from snn_synth.data import build_front_end
from snn_synth.errors import InputError
from snn_synth.experiments import imagination
from snn_synth.experiments.hearing import Heard, hear
from snn_synth.experiments.synthesis import Drawing, Recording, Source, draw_words, load, read_recording
from snn_synth.files import atomic_write
from snn_synth.models import AudioToImage

ENDINGS = {"image": ".png", "spectrogram": "-spectrogram.png", "spikes": "-spikes.png", "forming": "-forming.gif"}
IMAGINED = "imagined"
MOST = 100  # new images of a word
HEARD = "heard.json"


def run(argv: list[str]) -> None:
    """Draw an image of each word of each sound file, and name those that cannot be drawn at the end.

    What is written is written after all has been computed; if no file can be drawn, nothing is.

    Raises:
        InputError: for wrong arguments or a wrong model, and for files that cannot be drawn.
    """
    arguments = PARSERS["synthesize"]().parse_args(argv[1:])

    device, count = find_device(arguments.device), arguments.imagine
    targets = output_files(arguments.files, arguments.out, count)
    spoken = None
    if count is None:
        source = load(arguments.checkpoint, arguments.num_steps, arguments.seed)
    else:
        spoken, source = imagination.load(arguments.checkpoint, arguments.num_steps, arguments.seed)
        spoken.to(device)
    source = source._replace(model=source.model.to(device))
    done: list[Done] = []
    errors: list[InputError] = []
    for file, paths in zip(arguments.files, targets, strict=True):
        try:
            recording = read_recording(source.model, file)
            drawing = draw_words(source, recording)
            heard = hear(source.model, drawing.images, recording.faults)
            imagined = None if spoken is None else imagination.imagine(spoken, recording, drawing, count, source.seed)
            done.append(Done(recording, drawing, heard, paths, imagined))
        except InputError as error:
            errors.append(error)
    if not done and len({str(error) for error in errors}) == 1:  # one file, or a mistake that has no file
        raise errors[0]
    if done:
        write_all(done, source, arguments.checkpoint, arguments.out)
    if errors:
        named = "; ".join(map(str, errors))
        raise InputError(f"Expected {len(targets)} sounds that can be drawn, got {len(errors)} that cannot: {named}")


class Done(NamedTuple):
    """A file that was drawn, and where its pictures go."""

    recording: Recording
    drawing: Drawing
    heard: Heard
    paths: dict[str, Path]
    imagined: Tensor | None = None
    """New images of each word, ``[words, count, 1, H, W]``."""


def write_all(done: list[Done], source: Source, checkpoint: str, folder: Path) -> None:
    """Write the pictures of each file and ``heard.json``, then say what was heard."""
    for one in tqdm(done, "Drawing", unit="file", disable=None):
        write(one, source.model)
    with atomic_write(folder / HEARD) as draft:
        content = {
            "checkpoint": checkpoint,
            "num_steps": source.num_steps,
            "seed": source.seed,
            "files": [entry(one) for one in done],
        }
        draft.write_text(json.dumps(content, indent=2) + "\n")
    for one in done:
        print(f"{one.recording.file}: {one.heard}")
    print(f"Wrote {HEARD} and {sum(len(one.paths) for one in done)} pictures into {folder}")


def output_files(files: list[Path], folder: Path, imagine: int | None = None) -> list[dict[str, Path]]:
    """Where the pictures of each file go, those of new images too if some are asked for.

    Raises:
        InputError: if `folder` is no folder, a file is one, or two pictures would have the same path.

    Example:
        >>> output_files([Path("words/seven.wav")], Path("out"))[0]["spikes"].as_posix()
        'out/seven-spikes.png'
    """
    if imagine is not None and not 1 <= imagine <= MOST:
        raise InputError(f"Expected --imagine from 1 to {MOST}, got {imagine}")
    endings = ENDINGS if imagine is None else ENDINGS | {IMAGINED: f"-{IMAGINED}.png"}
    if folder.exists() and not folder.is_dir():
        raise InputError(f"Expected a folder for the pictures, got the file {folder}")
    owner: dict[Path, Path] = {}
    targets = []
    for file in files:
        if file.is_dir():
            raise InputError(f"Expected sound files, got the folder {file}: give the files in it, {file}/*.wav")
        paths = {kind: folder / (file.stem + ending) for kind, ending in endings.items()}
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


def write(one: Done, model: AudioToImage) -> None:
    """Write the pictures of a file: several words side by side, new images of each word in a row."""
    recording, drawing, titles = one.recording, one.drawing, one.heard.titles
    front_end = build_front_end(model.front_end or {})
    # Only a stretched spectrogram has as many frames for every word, however long it is.
    seconds = [end - start for start, end in recording.words] if front_end.fit == "stretch" else None
    neuron = f"input neuron: {front_end.frames} frames\nof each channel, low ones below"
    plot.save_figure(plot.image_grid(drawing.images, len(drawing.images), titles), one.paths["image"], dpi=300)
    plot.save_figure(
        plot.spectrogram(*recording.spectrograms, titles=titles, seconds=seconds), one.paths["spectrogram"]
    )
    raster = plot.spike_raster(*unpack(drawing.input_spikes).unbind(1), titles=titles, neuron=neuron)
    plot.save_figure(raster, one.paths["spikes"])
    forming = [plot.image_forming(spikes, model.image_shape) for spikes in unpack(drawing.output_spikes).unbind(1)]
    plot.save_animation(plot.side_by_side(forming), one.paths["forming"])
    if one.imagined is not None:
        images = one.imagined.flatten(0, 1)
        plot.save_figure(plot.image_grid(images, one.imagined.shape[1]), one.paths[IMAGINED], dpi=300)


def entry(one: Done) -> dict[str, Any]:
    """What ``heard.json`` says of a file."""
    return {
        "file": str(one.recording.file),
        "seconds": round(one.recording.seconds, 3),
        "sample_rate": one.recording.sample_rate,
        "words": [
            {"start": round(start, 3), "end": round(end, 3), **said}
            for (start, end), said in zip(one.recording.words, one.heard.words, strict=True)
        ],
        "warnings": one.heard.warnings,
        "pictures": {kind: path.name for kind, path in one.paths.items()},
    }
