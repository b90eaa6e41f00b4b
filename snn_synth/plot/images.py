"""Grids of images."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snn_synth.errors import InputError
from snn_synth.plot.figure import FAINT, FRAME, INK, Array, as_array, as_images, in_lines, new_figure, title_axes


def draw_image(ax: Axes, image: npt.NDArray[np.float32], title: str = "") -> None:
    """One image in a frame, without axes: [H, W], or [H, W, 3] in colour."""
    # Standardized, as the paper compares images: the brightest value is full, unless the image is all but silent.
    if image.ndim == 3:
        ax.imshow((image / max(image.max(), FAINT)).clip(0, 1), interpolation="nearest")
    else:
        ax.imshow(image, cmap="gray", vmin=0, vmax=max(image.max(), FAINT), interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(color=FRAME, linewidth=0.5)
    title_axes(ax, title)


def image_grid(images: Array, columns: int = 10, titles: Sequence[str] | None = None) -> Figure:
    """Images in rows; 0 is black, and white is the brightest pixel of each image, for the paper compares them so.

    Args:
        images: the images, in [0, 1].
        columns: how many stand in a row.
        titles: one for each image.

    Shape:
        images: [N, 1, H, W] or [N, H, W], or [N, 3, H, W] in colour.

    Returns:
        A figure with N axes.

    Raises:
        InputError: for another shape, or another number of titles.

    Example:
        >>> import torch
        >>> len(image_grid(torch.rand(12, 1, 28, 28), columns=5).axes)
        12
    """
    return _grid(as_images(images), columns, titles)


def _grid(grid: npt.NDArray[np.float32], columns: int, titles: Sequence[str] | None = None) -> Figure:
    """A figure of images as :func:`as_images` gives them."""
    if columns < 1:
        raise InputError(f"Expected `columns` to be at least 1, got {columns}")
    if titles is not None and len(titles) != len(grid):
        raise InputError(f"Expected {len(grid)} titles, one for each image, got {len(titles)}")
    columns = min(columns, len(grid))
    rows = -(-len(grid) // columns)
    height = 0.9 * min(max(grid.shape[1] / grid.shape[2], 0.25), 4)  # of an image that is 0.9 inches wide
    figure = new_figure(0.9 * columns, (height if titles is None else height + 0.2) * rows)
    for i, image in enumerate(grid):
        draw_image(figure.add_subplot(rows, columns, i + 1), image, "" if titles is None else titles[i])
    return figure


def reconstructions(
    originals: Array, outputs: Array, labels: Sequence[str] | None = None, columns: int | None = None
) -> Figure:
    """Two rows: the images that went in, and below each what came out; several such pairs of rows, if they are wide.

    Args:
        originals: what went in.
        outputs: what came out.
        labels: titles of the images.
        columns: how many stand in a row; all if not given.

    Shape:
        originals, outputs: [N, 1, H, W] or [N, H, W], or [N, 3, H, W] in colour; `labels`: N titles.

    Returns:
        A figure with 2 N axes, row by row, the originals first.

    Raises:
        InputError: for another shape, another number of labels, or no column.

    Example:
        >>> import torch
        >>> len(reconstructions(torch.rand(4, 28, 28), torch.rand(4, 28, 28)).axes)
        8
    """
    above, below = as_images(originals, "originals"), as_images(outputs, "outputs")
    if above.shape != below.shape:
        raise InputError(f"Expected outputs of the originals' shape {list(above.shape)}, got {list(below.shape)}")
    if labels is not None and len(labels) != len(above):
        raise InputError(f"Expected {len(above)} labels, one for each image, got {len(labels)}")
    count, size = len(above), above.shape[1:]
    columns = count if columns is None else min(columns, count)
    if columns < 1:
        raise InputError(f"Expected `columns` to be at least 1, got {columns}")
    blank = np.zeros((-count % columns, *size), above.dtype)
    pairs = [np.concatenate([images, blank]).reshape(-1, columns, *size) for images in (above, below)]
    figure = _grid(np.stack(pairs, axis=1).reshape(-1, *size), columns)
    axes = np.array(figure.axes, dtype=object).reshape(-1, 2, columns)
    for ax, label in zip(axes[:, 0].flat, labels or [], strict=False):
        title_axes(ax, label)
    for row, name in ((0, "input"), (1, "output")):
        for ax in axes[:, row, 0]:
            ax.set_ylabel(name, fontsize=9, color=INK)
        for ax in axes[:, row].reshape(-1)[count:]:
            ax.remove()
    return figure


def digit_grid(images: Array) -> Figure:
    """Images drawn from spoken digits: a column for each digit, a row for each utterance (paper, figure 9B).

    Shape:
        images: [10, K, H, W], K utterances for each digit.

    Returns:
        A figure with 10 K axes, row by row.

    Raises:
        InputError: for another shape.

    Example:
        >>> import torch
        >>> figure = digit_grid(torch.rand(10, 5, 28, 28))
        >>> len(figure.axes), figure.axes[3].get_title()
        (50, '3')
    """
    grid = as_array(images, (10, None, None, None), "images").swapaxes(0, 1)
    figure = image_grid(grid.reshape(-1, *grid.shape[2:]), columns=10)
    for digit in range(10):
        title_axes(figure.axes[digit], str(digit))
    return figure


def image_rows(rows: Mapping[str, Array]) -> Figure:
    """A row of images for each name, or several rows; the name stands to the left of the first.

    Shape:
        each [N, H, W] or [N, 1, H, W], or [R, N, H, W] for R rows of several images, all of one size.

    Returns:
        A figure with N axes for each row.

    Raises:
        InputError: for another shape, or rows of different lengths or sizes.

    Example:
        >>> import torch
        >>> figure = image_rows({"input": torch.rand(4, 28, 28), "SNN": torch.rand(4, 28, 28)})
        >>> len(figure.axes), figure.axes[4].get_ylabel()
        (8, 'SNN')
    """
    rows = {name: one[:, 0] if one.ndim == 4 and one.shape[1] == 1 else one for name, one in rows.items()}
    shapes = {name: tuple(images.shape) for name, images in rows.items()}
    sizes = {shape[-3:] if len(shape) in (3, 4) else None for shape in shapes.values()}
    size = next(iter(sizes), None)
    if size is None or len(sizes) > 1:
        raise InputError(f"Expected rows of one length and one size, [N, H, W] or [R, N, H, W], got {shapes}")
    grids = {name: as_images(images.reshape(-1, *images.shape[-2:]), name) for name, images in rows.items()}
    figure = image_grid(np.concatenate(list(grids.values())), columns=size[0])
    place = 0
    for name, grid in grids.items():
        figure.axes[place].set_ylabel(in_lines(name), fontsize=9, color=INK, rotation=0, ha="right", va="center")
        place += len(grid)
    return figure
