"""``snn-synth synthesize``: sound files to images, and what was said."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from snn_synth import plot
from snn_synth.cli.devices import find_device
from snn_synth.cli.hearing import Heard, hear
from snn_synth.cli.parsers import PARSERS
from snn_synth.codec import PackedSpikes, pack, unpack
from snn_synth.data import build_front_end, find_words, read_audio
from snn_synth.data.recording import recording_faults
from snn_synth.errors import InputError
from snn_synth.files import atomic_write
from snn_synth.functional.encoding import RateCode
from snn_synth.models import AudioToImage, Synthesis
from snn_synth.models.pretrained import Pretrained, is_saved

SHIPPED = "fsdd"  # of the models that come with the package
# A checkpoint says how many time steps there are: together the bounds keep a drawing below a gigabyte.
LONGEST = 5_000  # time steps, each a frame of the GIF for each word
MOST = 2**25  # places for a spike, of which a layer's currents, membranes and spikes are in memory at once
DASHES = 2**20  # input spikes in the picture of them, each a dash of nearly a kilobyte
LARGEST_SEED = 2**32 - 1  # times a million, for a number of each word, it still is one of 64 bits
WORDS = 20  # of a recording, each an image in its row
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


class Source(NamedTuple):
    """A synthesis model, and how it is run."""

    model: AudioToImage
    num_steps: int = 30
    max_rate: float = 1.0
    seed: int = 0
    code: RateCode = "poisson"


class Recording(NamedTuple):
    """A sound file, its words (start and end in seconds), and what may keep it from being understood."""

    file: Path
    seconds: float
    sample_rate: int
    words: list[tuple[float, float]]
    spectrograms: list[Tensor]
    faults: list[str]


class Drawing(NamedTuple):
    """What was drawn of a recording's words, its spikes packed to bits."""

    images: Tensor
    input_spikes: PackedSpikes
    output_spikes: PackedSpikes


def load(name: str, num_steps: int | None = None, seed: int | None = None) -> Source:
    """The model of a checkpoint or of a folder that ``save_pretrained`` wrote, of the Hub, or one of the package.

    Args:
        name: of the file, the folder or the model.
        num_steps: time steps; those of the training if not given.
        seed: of the drawing; that of the training if not given.

    Raises:
        InputError: if it is none of them, or of another model; or for a seed that is too large.
    """
    source = _loaded(name)
    given: dict[str, Any] = {"num_steps": num_steps, "seed": seed}
    source = source._replace(
        model=source.model.eval(), **{key: value for key, value in given.items() if value is not None}
    )
    if not -LARGEST_SEED <= source.seed <= LARGEST_SEED:
        raise InputError(f"Expected a seed of at most {LARGEST_SEED:,}, got {source.seed}")
    return source


def _loaded(name: str) -> Source:
    if is_saved(name):
        model = Pretrained.from_pretrained(name)
        if not isinstance(model, AudioToImage):
            raise InputError(
                f"Expected a saved AudioToImage, which draws from sound, got {name} with a {type(model).__name__}: "
                "save AudioToImage(audiocoder, autoencoder, front_end=...)"
            )
        return Source(model)
    from snn_synth.training import LitAudiocoder, load_checkpoint  # a checkpoint costs Lightning, a folder does not

    module = load_checkpoint(LitAudiocoder, name)
    return Source(module.audio_to_image(), module.num_steps, module.max_rate, module.seed, module.code)


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
                raise InputError(f"Expected files of different names, got {owner[path]} and {file}, both for {path}")
            owner[path] = file
        targets.append(paths)
    for path in (*owner, folder / HEARD):
        if path.is_dir():
            raise InputError(f"Expected to write the file {path}, got a folder of that name")
    return targets


def read_recording(model: AudioToImage, file: Path) -> Recording:
    """A sound with the spectrogram of each of its words, by the front end of the training.

    Raises:
        InputError: for a file that is no sound, is empty, silent or too long or has too many words, or a checkpoint
            without a front end.
    """
    if model.front_end is None:
        raise InputError("Expected a checkpoint that holds its front end, got one from before its first `fit`")
    front_end = build_front_end(model.front_end)
    waveform, rate = read_audio(file)
    words = find_words(waveform, rate, front_end.trim_db)
    if len(words) > WORDS:
        raise InputError(
            f"Expected at most {WORDS} words in a recording, got {len(words)} in {file}: cut it into parts"
        )
    parts = [waveform] if len(words) < 2 else [waveform[start:end] for start, end in words]
    return Recording(
        file,
        len(waveform) / rate,
        rate,
        [(start / rate, end / rate) for start, end in words or [(0, len(waveform))]],
        [front_end(part, rate) for part in parts],  # which trims the only word itself
        recording_faults(waveform, rate, words),
    )


def draw_words(source: Source, recording: Recording) -> Drawing:
    """Draw each word of a recording, the same whatever other words and files there are.

    Raises:
        InputError: for more time steps than there is memory for, or a network of another size.
    """
    spectrograms, words = recording.spectrograms, len(recording.spectrograms)
    rate = sum(float(one.sum()) for one in spectrograms) * source.max_rate  # spikes that are expected in a time step
    check_steps(source, words, rate)
    stages = [draw(source, one) for one in spectrograms]
    return Drawing(
        torch.cat([one.images for one in stages]).cpu(),
        pack(torch.cat([one.input_spikes for one in stages], 1)),
        pack(torch.cat([one.output_spikes for one in stages], 1)),
    )


def check_steps(source: Source, words: int, rate: float) -> None:
    """Raise InputError unless the time steps fit the memory.

    Args:
        source: of the drawing.
        words: of the recording.
        rate: spikes that are expected in a time step, of all words together.
    """
    audiocoder = source.model.audiocoder
    neurons = audiocoder.inputs + audiocoder.neurons + source.model.autoencoder.neurons
    most = min(LONGEST // words, MOST // (neurons * words), int(DASHES / max(1.0, rate)))
    if source.num_steps > most:
        raise InputError(
            f"Expected at most {most} time steps of this sound and a model of this size, got {source.num_steps}"
        )


def draw(source: Source, spectrogram: Tensor) -> Synthesis:
    """Every stage from a word's spectrogram to its image."""
    generator = torch.Generator().manual_seed(source.seed)
    shown = spectrogram[None].to(next(source.model.parameters()).device)
    stages: Synthesis = source.model(shown, source.num_steps, generator, max_rate=source.max_rate, code=source.code)
    return stages


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
