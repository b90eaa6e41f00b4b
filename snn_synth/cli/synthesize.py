"""``snn-synth synthesize``: sound files to images."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from snn_synth import plot
from snn_synth.cli.arguments import Parser
from snn_synth.data import build_front_end, read_audio
from snn_synth.errors import InputError
from snn_synth.models import AudioToImage, Synthesis
from snn_synth.models.pretrained import Pretrained, shipped_models
from snn_synth.training import LitAudiocoder, load_checkpoint

SHIPPED = "fsdd"  # of the models that come with the package
# A checkpoint says how many time steps there are: together the bounds keep a drawing below a gigabyte.
LONGEST = 5_000  # time steps, each a frame of the GIF
MOST = 2**25  # places for a spike, of which a layer's currents, membranes and spikes are in memory at once
DASHES = 2**20  # input spikes in the picture of them, each a dash of nearly a kilobyte
ENDINGS = {"image": ".png", "spectrogram": "-spectrogram.png", "spikes": "-spikes.png", "forming": "-forming.gif"}


def run(words: list[str]) -> None:
    """Draw an image from each sound file; nothing is written before all of the input has been checked."""
    parser = Parser(prog="snn-synth synthesize", add_help=False)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--checkpoint", default=SHIPPED)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--num-steps", type=int)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args(words[1:])

    targets = output_files(arguments.files, arguments.out)
    source = load(arguments.checkpoint)
    given = {name: getattr(arguments, name) for name in ("num_steps", "seed") if getattr(arguments, name) is not None}
    source = source._replace(**given)
    spectrograms = read_spectrograms(source.model, arguments.files)

    # A wrong number of steps, or a network of another size, fails at the first file: before anything is written.
    for spectrogram, paths in zip(tqdm(spectrograms, "Drawing", unit="file", disable=None), targets, strict=True):
        write(draw(source, spectrogram), spectrogram, paths)
    for paths in targets:
        print("Wrote " + ", ".join(str(path) for path in paths.values()))


class Source(NamedTuple):
    """A synthesis model, and how it is run."""

    model: AudioToImage
    num_steps: int = 30
    max_rate: float = 1.0
    seed: int = 0


def load(name: str) -> Source:
    """The model of a checkpoint or of a folder that ``save_pretrained`` wrote, or one that comes with the package.

    Raises:
        InputError: if it is none of them, or of another model.
    """
    if Path(name).is_dir() or (name in shipped_models() and not Path(name).exists()):
        model = Pretrained.from_pretrained(name)
        if not isinstance(model, AudioToImage):
            raise InputError(
                f"Expected a saved AudioToImage, which draws from sound, got {name} with a {type(model).__name__}: "
                "save AudioToImage(audiocoder, autoencoder, front_end=...)"
            )
        return Source(model)
    module = load_checkpoint(LitAudiocoder, name).eval()
    return Source(module.audio_to_image(), module.num_steps, module.max_rate, module.seed)


def output_files(files: list[Path], folder: Path) -> list[dict[str, Path]]:
    """Where the pictures of each file go.

    Raises:
        InputError: if `folder` is no folder, or two pictures would have the same path.

    Example:
        >>> output_files([Path("words/seven.wav")], Path("out"))[0]["spikes"].as_posix()
        'out/seven-spikes.png'
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"Expected a folder for the pictures, got the file {folder}")
    owner: dict[Path, Path] = {}
    targets = []
    for file in files:
        paths = {kind: folder / (file.stem + ending) for kind, ending in ENDINGS.items()}
        for path in paths.values():
            if path in owner:
                raise InputError(f"Expected files of different names, got {owner[path]} and {file}, both for {path}")
            owner[path] = file
        targets.append(paths)
    return targets


def read_spectrograms(model: AudioToImage, files: list[Path]) -> list[Tensor]:
    """The spectrogram of each sound, by the front end of the training.

    Raises:
        InputError: for a file that is no sound, is empty, silent or too long, or a checkpoint without a front end.
    """
    if model.front_end is None:
        raise InputError("Expected a checkpoint that holds its front end, got one from before its first `fit`")
    front_end = build_front_end(model.front_end)
    return [front_end(*read_audio(file)) for file in files]


def draw(source: Source, spectrogram: Tensor) -> Synthesis:
    """Every stage from a spectrogram to its image, the same whatever other files are drawn."""
    neurons = source.model.audiocoder.inputs + source.model.audiocoder.neurons + sum(source.model.autoencoder.sizes[1:])
    rate = float(spectrogram.sum()) * source.max_rate  # spikes that are expected in a time step
    most = min(LONGEST, MOST // neurons, int(DASHES / max(1.0, rate)))
    if source.num_steps > most:
        raise InputError(
            f"Expected at most {most} time steps of this sound and a model of this size, got {source.num_steps}"
        )
    generator = torch.Generator().manual_seed(source.seed)
    stages: Synthesis = source.model(spectrogram[None], source.num_steps, generator, max_rate=source.max_rate)
    return stages


def write(stages: Synthesis, spectrogram: Tensor, paths: dict[str, Path]) -> None:
    """Write the four pictures of a file."""
    plot.save_figure(plot.image_grid(stages.images), paths["image"], dpi=300)
    plot.save_figure(plot.spectrogram(spectrogram), paths["spectrogram"])
    plot.save_figure(plot.spike_raster(stages.input_spikes[:, 0]), paths["spikes"])
    plot.save_animation(plot.image_forming(stages.output_spikes[:, 0]), paths["forming"])
