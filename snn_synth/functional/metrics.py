r"""What the paper and its readers measure: standardized errors, firing rates, synaptic operations."""

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_values


def standardize(maps: Tensor) -> Tensor:
    r"""Give each map zero mean and unit population variance over its own pixels.

    .. math:: z = \frac{x - \bar x}{\sqrt{\overline{(x-\bar x)^2}}}

    Args:
        maps: images, or spike maps summed over time.

    Shape:
        ``[B, ...]``, the result alike.

    Returns:
        The standardized maps; a constant map gives zeros.

    Source:
        Roy, Panda & Roy 2019, section 4.1 (definition of the MSE).

    Example:
        >>> standardize(torch.tensor([[0.0, 2.0], [3.0, 3.0]]))
        tensor([[-1.,  1.],
                [ 0.,  0.]])
    """
    maps = as_values(maps, name="maps")
    flat = maps.flatten(1)
    centred = flat - flat.mean(1, keepdim=True)
    # Compared exactly: the mean of equal numbers may be off by a rounding error, which dividing would blow up.
    constant = flat.amax(1, keepdim=True) == flat.amin(1, keepdim=True)
    variance = torch.where(constant, 1.0, centred.square().mean(1, keepdim=True))
    return torch.where(constant, 0.0, centred / variance.sqrt()).reshape(maps.shape)


def standardized_mse(outputs: Tensor, images: Tensor) -> Tensor:
    r"""Mean square error of each standardized output map against its standardized image.

    .. math:: \mathrm{MSE} = \overline{(z_{out} - z_{img})^2} = 2\,(1 - \operatorname{corr}(out, img))

    Args:
        outputs: output spikes summed over time, or any map.
        images: what they should look like.

    Shape:
        both ``[B, ...]``; the result ``[B]``.

    Returns:
        The error of each sample: 0 for a perfect one, 1 for a silent output, 4 at worst.

    Raises:
        InputError: if the shapes differ.

    Source:
        Roy, Panda & Roy 2019, section 4.1.

    Example:
        >>> image = torch.tensor([[0.0, 1.0, 2.0]])
        >>> standardized_mse(4 * image, image).round(decimals=3), standardized_mse(torch.zeros(1, 3), image)
        (tensor([0.]), tensor([1.0000]))
    """
    outputs, images = _pair(outputs, images)
    return (standardize(outputs) - standardize(images)).square().flatten(1).mean(1)


def pixel_mse(outputs: Tensor, images: Tensor) -> Tensor:
    r"""Mean square error of each output image's pixels, as they are.

    .. math:: \mathrm{MSE} = \overline{(\hat x - x)^2}

    Args:
        outputs: drawn images, with pixels in [0, 1].
        images: what they should look like.

    Shape:
        both ``[B, ...]``; the result ``[B]``.

    Raises:
        InputError: if the shapes differ.

    Example:
        >>> pixel_mse(torch.zeros(1, 1, 2, 2), torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]))
        tensor([0.5000])
    """
    outputs, images = _pair(outputs, images)
    return (outputs - images).square().flatten(1).mean(1)


def _pair(outputs: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    """Both as tensors of one shape."""
    outputs, images = as_values(outputs, name="outputs"), as_values(images, name="images")
    if outputs.shape != images.shape:
        raise InputError(
            f"Expected outputs and images of one shape, got {list(outputs.shape)} and {list(images.shape)}"
        )
    return outputs, images


def gallery_mse(outputs: Tensor, gallery: Tensor) -> Tensor:
    """:func:`standardized_mse` of each output map against each image of a gallery.

    Args:
        outputs: output spikes summed over time, or any map.
        gallery: images that could have been meant.

    Shape:
        ``outputs``: ``[B, ...]``; ``gallery``: ``[M, ...]``; the result ``[B, M]``.

    Raises:
        InputError: if a map and an image differ in shape.

    Source:
        Roy, Panda & Roy 2019, section 4.2.3 (test error of dataset B).

    Example:
        >>> images = torch.eye(3)
        >>> gallery_mse(images[:1], images).argmin(1)
        tensor([0])
    """
    outputs, gallery = as_values(outputs, name="outputs"), as_values(gallery, name="gallery")
    if outputs.shape[1:] != gallery.shape[1:]:
        raise InputError(
            f"Expected maps and images of one shape, got {list(outputs.shape[1:])} and {list(gallery.shape[1:])}"
        )
    z_out, z_img = standardize(outputs).flatten(1), standardize(gallery).flatten(1)
    squares = z_out.square().mean(1)[:, None] + z_img.square().mean(1)
    with torch.autocast(z_out.device.type, enabled=False):  # a measurement, whatever the precision of the training
        return squares - 2 * z_out @ z_img.T / z_out.shape[1]


def best_of_class(errors: Tensor, labels: Tensor, gallery_labels: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest error of each sample among the gallery's images of its own label.

    Args:
        errors: of each sample against each image, from :func:`gallery_mse`.
        labels: of the samples.
        gallery_labels: of the images.

    Shape:
        ``errors``: ``[B, M]``; ``labels``: ``[B]``; ``gallery_labels``: ``[M]``; both results ``[B]``.

    Returns:
        ``(error, place of that image in the gallery)``.

    Source:
        Roy, Panda & Roy 2019, section 4.2.3: with one image per class the test error of dataset A, with many that of
        dataset B.

    Example:
        >>> best_of_class(torch.tensor([[0.3, 0.1, 0.2]]), torch.tensor([7]), torch.tensor([7, 5, 7]))
        (tensor([0.2000]), tensor([2]))
    """
    own = errors.masked_fill(labels[:, None] != gallery_labels, float("inf"))
    error, place = own.min(1)
    return error, place


def spike_mse(output_spikes: Tensor, input_spikes: Tensor) -> Tensor:
    r"""The paper's Spike-MSE: :func:`standardized_mse` of the two spike maps summed over time.

    Args:
        output_spikes: spikes of the output layer.
        input_spikes: spikes that it should regenerate.

    Shape:
        both ``[T, B, ...]``; the result ``[B]``.

    Returns:
        The error of each sample.

    Raises:
        InputError: if the shapes differ.

    Source:
        Roy, Panda & Roy 2019, section 4.1.

    Example:
        >>> spikes = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]]])
        >>> spike_mse(spikes, spikes)
        tensor([0.])
    """
    return standardized_mse(_spikes(output_spikes).sum(0), _spikes(input_spikes).sum(0))


def firing_rate(spikes: Tensor) -> Tensor:
    """Mean number of spikes per time step of each neuron.

    Args:
        spikes: zeros and ones.

    Shape:
        ``[T, B, ...]``; the result ``[...]``, one rate per neuron, in spikes per step.

    Example:
        >>> firing_rate(torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]]]))
        tensor([1.0000, 0.5000])
    """
    return _spikes(spikes).mean((0, 1))


def synaptic_operations(spikes: Tensor, fan_out: int | Tensor) -> Tensor:
    r"""Additions that the spikes of a layer cause in the next, per sample.

    .. math:: \mathrm{SynOps} = \frac{1}{B} \sum_{t,b,i} f_i\, A[t,b,i]

    A dense ANN layer of N inputs needs :math:`N f_{out}` multiply-accumulates instead.

    Args:
        spikes: presynaptic spikes.
        fan_out: f, the number of synapses of each presynaptic neuron: one for all, or one for each, ``[...]``.

    Shape:
        ``[T, B, ...]``; the result is a scalar.

    Example:
        >>> synaptic_operations(torch.ones(2, 5, 3), fan_out=10)
        tensor(60.)
    """
    spikes = _spikes(spikes)
    return (spikes.sum((0, 1)) * fan_out).sum() / spikes.shape[1]


def _spikes(x: Tensor) -> Tensor:
    spikes = as_values(x, name="spikes")
    if spikes.dim() < 2 or len(spikes) == 0:
        raise InputError(f"Expected spikes of shape [T, B, ...], got {list(spikes.shape)} (T >= 1)")
    return spikes
