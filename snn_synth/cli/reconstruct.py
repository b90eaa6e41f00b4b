"""``snn-synth reconstruct``: image files, and what an autoencoder draws of them."""

from pathlib import Path

import torch

from snn_synth import plot
from snn_synth.cli.devices import find_device
from snn_synth.cli.parsers import PARSERS
from snn_synth.errors import InputError, counted
from snn_synth.experiments.reconstruction import draw, load, read
from snn_synth.functional import standardized_mse

SHOWN = 100  # images in the picture of all
ALL = "reconstructions.png"


def run(argv: list[str]) -> None:
    """Draw each image; nothing is written before all has been checked and computed."""
    arguments = PARSERS["reconstruct"]().parse_args(argv[1:])
    files, folder = arguments.files, arguments.out
    pictures = output_files(files, folder)
    device = find_device(arguments.device)
    source = load(arguments.checkpoint, arguments.num_steps, arguments.seed)
    source.module.to(device)
    images = torch.stack([read(source, file) for file in files])
    drawn = torch.stack([draw(source, image) for image in images])

    for image, picture in zip(drawn, pictures, strict=True):
        plot.save_figure(plot.image_grid(image[None]), picture, dpi=300)
    plot.save_figure(plot.reconstructions(images[:SHOWN], drawn[:SHOWN], columns=10), folder / ALL)
    errors = standardized_mse(drawn.flatten(1), images.flatten(1))
    for file, error in zip(files, errors.tolist(), strict=True):
        print(f"{file}: standardized MSE {error:.3f}")
    print(f"Wrote {ALL} and {counted(files, 'picture')} into {folder}")


def output_files(files: list[Path], folder: Path) -> list[Path]:
    """Where the picture of each file goes.

    Raises:
        InputError: if ``folder`` is no folder, a file is one, or two pictures would have the same path.

    Example:
        >>> output_files([Path("photos/tom.jpg")], Path("out"))[0].as_posix()
        'out/tom.png'
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"Expected a folder for the pictures, got the file {folder}")
    owner: dict[Path, Path | str] = {folder / ALL: "the picture of all images"}
    for file in files:
        if file.is_dir():
            raise InputError(f"Expected image files, got the folder {file}: give the files in it, {file}/*.png")
        path = folder / f"{file.stem}.png"
        if path in owner:
            raise InputError(f"Expected files of different names, got {owner[path]} and {file}, both for {path}")
        if path.resolve() == file.resolve():
            raise InputError(f"Expected another folder than that of the images, got {folder}, where {file} lies")
        owner[path] = file
    for path in owner:
        if path.is_dir():
            raise InputError(f"Expected to write the file {path}, got a folder of that name")
    return list(owner)[1:]
