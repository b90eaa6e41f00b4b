"""``snn-synth synthesize``: sound files to images."""

from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from snn_synth import plot
from snn_synth.cli.arguments import Parser
from snn_synth.data import build_front_end, read_audio
from snn_synth.errors import InputError
from snn_synth.models import Synthesis
from snn_synth.training import LitAudiocoder, load_checkpoint

ENDINGS = {"image": ".png", "spectrogram": "-spectrogram.png", "spikes": "-spikes.png", "forming": "-forming.gif"}


def run(words: list[str]) -> None:
    """Draw an image from each sound file; nothing is written before all of the input has been checked."""
    parser = Parser(prog="snn-synth synthesize", add_help=False)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--num-steps", type=int)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args(words[1:])

    targets = output_files(arguments.files, arguments.out)
    module = load_checkpoint(LitAudiocoder, arguments.checkpoint)
    spectrograms = read_spectrograms(module, arguments.files)
    num_steps = module.num_steps if arguments.num_steps is None else arguments.num_steps
    seed = module.seed if arguments.seed is None else arguments.seed

    # A wrong number of steps, or a network of another size, fails at the first file: before anything is written.
    for spectrogram, paths in zip(tqdm(spectrograms, "Drawing", unit="file", disable=None), targets, strict=True):
        write(draw(module, spectrogram, num_steps, seed), spectrogram, paths)
    for paths in targets:
        print("Wrote " + ", ".join(str(path) for path in paths.values()))


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


def read_spectrograms(module: LitAudiocoder, files: list[Path]) -> list[Tensor]:
    """The spectrogram of each sound, by the front end of the training.

    Raises:
        InputError: for a file that is no sound, is empty, silent or too long, or a checkpoint without a front end.
    """
    if module.front_end is None:
        raise InputError("Expected a checkpoint that holds its front end, got one from before its first `fit`")
    front_end = build_front_end(module.front_end)
    return [front_end(*read_audio(file)) for file in files]


def draw(module: LitAudiocoder, spectrogram: Tensor, num_steps: int, seed: int) -> Synthesis:
    """Every stage from a spectrogram to its image, the same whatever other files are drawn."""
    generator = torch.Generator().manual_seed(seed)
    stages: Synthesis = module.audio_to_image()(spectrogram[None], num_steps, generator, max_rate=module.max_rate)
    return stages


def write(stages: Synthesis, spectrogram: Tensor, paths: dict[str, Path]) -> None:
    """Write the four pictures of a file."""
    plot.save_figure(plot.image_grid(stages.images), paths["image"], dpi=300)
    plot.save_figure(plot.spectrogram(spectrogram), paths["spectrogram"])
    plot.save_figure(plot.spike_raster(stages.input_spikes[:, 0]), paths["spikes"])
    plot.save_animation(plot.image_forming(stages.output_spikes[:, 0]), paths["forming"])
