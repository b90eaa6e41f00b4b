"""What all figures share: colours, sizes, labels; checked arrays; a file."""

import textwrap
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from snn_synth.errors import InputError
from snn_synth.files import atomic_write

Array: TypeAlias = torch.Tensor | npt.NDArray[Any]

BLUE, ORANGE, INK = "#0072B2", "#D55E00", "#404040"
CURVES = ((ORANGE, "-"), (BLUE, "--"), ("#009E73", "-."), ("#CC79A7", ":"))
FRAME = "#B0B0B0"  # of an image, that a white one can be seen
FAINT = 0.1  # brightness below which an image is shown as dark as it is


def as_array(values: Array, shape: tuple[int | None, ...], what: str) -> npt.NDArray[np.float32]:
    """The values as a float array, if they have the shape; None stands for any length but 0."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().float().numpy()
    array = np.asarray(values, dtype=np.float32)
    fits = len(array.shape) == len(shape) and all(
        n > 0 if m is None else n == m for n, m in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = "[" + ", ".join("*" if m is None else str(m) for m in shape) + "]"
        raise InputError(f"Expected {what} of shape {wanted}, got {list(array.shape)}")
    return array


def as_images(images: Array, what: str = "images") -> npt.NDArray[np.float32]:
    """Grey [N, 1, H, W] or [N, H, W] as [N, H, W], and colour [N, 3, H, W] as [N, H, W, 3]."""
    if images.ndim == 4 and images.shape[1] == 3:
        return np.moveaxis(as_array(images, (None, 3, None, None), what), 1, 3)
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    return as_array(images, (None, None, None), what)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches, which needs no screen."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def label_axes(ax: Axes, xlabel: str, ylabel: str) -> None:
    """Labels and ticks in one style; no lines above and to the right."""
    ax.set_xlabel(xlabel, fontsize=9, color=INK)
    ax.set_ylabel(ylabel, fontsize=9, color=INK)
    ax.tick_params(labelsize=8, colors=INK, length=3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(INK)


def in_lines(name: str) -> str:
    """A long name in several lines: beside a picture it takes the space of what it names."""
    return textwrap.fill(name, 40)


def title_axes(ax: Axes, title: str) -> None:
    """A title in the same style, as it stands: names of words and classes may have a `$` in them."""
    ax.set_title(title, fontsize=9, color=INK, parse_math=False)


def save_figure(figure: Figure, path: str | Path, dpi: int = 120) -> None:
    """Write a figure as a PNG; whole or not at all.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> from snn_synth.plot import image_grid
        >>> path = Path(tempfile.mkdtemp()) / "grid.png"
        >>> save_figure(image_grid(torch.rand(3, 28, 28)), path)
        >>> with Image.open(path) as saved:
        ...     saved.format
        'PNG'
    """
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=dpi)
