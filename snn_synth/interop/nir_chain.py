"""A network as a chain of layers in the order of NIR: one after the other, feature maps before rows and columns."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.models import AudioToImage
from snn_synth.models.stack import folded
from snn_synth.neurons import SigmoidLeaky
from snn_synth.synapses import SpikeConv2d, SpikeConvTranspose2d

Shape = tuple[int, ...]


class Link(NamedTuple):
    """A layer of a chain, and how its flat input or its neurons are counted where they are feature maps."""

    module: nn.Module
    maps: tuple[int, int, int] | None = None
    """Rows, columns and feature maps: our flat layers count the maps of a place first, NIR the places of a map."""

    def to_nir(self, values: Tensor) -> Tensor:
        """Numbers along the last axis, with the axes maps, rows and columns in its place.

        Example:
            >>> import torch
            >>> Link(nn.Flatten(), (1, 2, 3)).to_nir(torch.arange(6)).tolist()
            [[[0, 3]], [[1, 4]], [[2, 5]]]
        """
        if self.maps is None or values.numel() == 1:
            return values
        return values.reshape(*values.shape[:-1], *self.maps).movedim(-1, -3)

    def from_nir(self, values: Tensor) -> Tensor:
        """Of numbers with the axes maps, rows and columns, those that :meth:`to_nir` was given."""
        return values if self.maps is None or values.numel() == 1 else values.movedim(-3, -1).flatten(-3)


def plain_network(network: Any) -> Any:
    """A network with its batch norm folded into weights and bias currents, or itself if it has none."""
    if isinstance(network, AudioToImage):
        plain = plain_network(network.audiocoder)
        if plain is network.audiocoder:
            return network
        return AudioToImage(plain, network.autoencoder, network.image_shape).eval()
    has_norm = isinstance(config := getattr(network, "config", None), dict) and config.get("norm")
    return folded(network) if has_norm else network


def chain_of(network: Any, input_shape: Iterable[int] | None = None) -> tuple[list[Link], Shape]:
    """The layers of a network, and the shape of a sample of its input.

    Args:
        network: a model with ``.layers``; an AudioToImage, whose audiocoder and decoder become one chain; or an
            ``nn.Sequential``.
        input_shape: for an ``nn.Sequential`` that does not begin with a linear layer.

    Raises:
        InputError: for another network, or without the shape that is needed.

    Example:
        >>> from snn_synth.models import AESNN
        >>> links, shape = chain_of(AESNN(4, 2))
        >>> [type(link.module).__name__ for link in links], shape
        (['SpikeLinear', 'SigmoidLeaky', 'SpikeLinear', 'SigmoidLeaky'], (4,))
    """
    if isinstance(network, AudioToImage):
        links, shape = chain_of(network.audiocoder)
        return [*links, *_linked(list(network.autoencoder.layers)[network.autoencoder.depth :])], shape
    if isinstance(network, nn.Sequential):
        links = [Link(module) for module in _unnested(network)]
        first = links[0].module if links else network
        if input_shape is None and not isinstance(first, nn.Linear):
            raise InputError(
                "Expected `input_shape` for an nn.Sequential that does not begin with a linear layer, got none, and "
                f"a {type(first).__name__}"
            )
        return links, tuple(input_shape or (first.in_features,))  # type: ignore[arg-type]
    pairs = getattr(network, "layers", None)
    if not isinstance(pairs, nn.ModuleList) or not all(isinstance(pair, nn.ModuleList) for pair in pairs):
        raise InputError(
            "Expected a network with `.layers` of operators and their neurons, an AudioToImage or an nn.Sequential, "
            f"got a {type(network).__name__}"
        )
    operator: Any = pairs[0][0]  # type: ignore[index]
    shape = (operator.in_channels, *operator.size) if isinstance(operator, SpikeConv2d) else (operator.in_features,)
    return list(_linked(pairs)), shape


def _unnested(network: nn.Sequential) -> Iterator[nn.Module]:
    for module in network:
        if isinstance(module, nn.Sequential):
            yield from _unnested(module)
        else:
            yield module


def _linked(pairs: Iterable[Any]) -> Iterator[Link]:
    """Of pairs of an operator and its neurons, with a layer that flattens feature maps where those end."""
    maps: tuple[int, int, int] | None = None
    for operator, neuron in pairs:
        if isinstance(operator, SpikeConv2d):
            maps = (*operator.out_size, operator.out_channels)
            yield Link(operator)
            yield Link(neuron, maps)
        else:
            if maps is not None:
                yield Link(nn.Flatten())
            yield Link(operator, maps)
            yield Link(neuron)
            maps = None


def output_shape(module: nn.Module, shape: Shape) -> Shape:
    """The shape of a layer's output for one sample.

    Raises:
        InputError: if the layer does not take such a sample.

    Example:
        >>> output_shape(nn.Conv2d(1, 4, (5, 7), (2, 4), (2, 3)), (1, 39, 100))
        (4, 20, 25)
    """
    found: Shape | None = None
    if isinstance(module, SigmoidLeaky):
        found = shape
    elif isinstance(module, nn.Linear | SpikeConvTranspose2d):
        found = (module.out_features,) if shape == (module.in_features,) else None
    elif isinstance(module, nn.Flatten):
        found = (math.prod(shape),)
    elif isinstance(module, nn.Conv2d | nn.AvgPool2d) and len(shape) == 3:
        channels = module.out_channels if isinstance(module, nn.Conv2d) else shape[0]
        dilation = pair(getattr(module, "dilation", 1))
        sizes = (pair(module.kernel_size), pair(module.stride), pair(module.padding), dilation)
        places = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(shape[1:], *sizes, strict=True)]
        right = not isinstance(module, nn.Conv2d) or module.in_channels == shape[0]
        found = (channels, *places) if right else None
    if found is None or min(found) < 1:
        raise InputError(f"Expected layers that fit each other, got a {type(module).__name__} for {list(shape)}")
    return found


def matrix(operator: SpikeConvTranspose2d) -> tuple[Tensor, Tensor | None]:
    """An operator as a matrix ``[out_features, in_features]``, and the bias of each neuron if there is one.

    Example:
        >>> up = SpikeConvTranspose2d((2, 2), 3, 1, kernel_size=(5, 5), stride=(2, 2), out_size=(4, 4))
        >>> weight, bias = matrix(up)
        >>> weight.shape, bias
        (torch.Size([16, 12]), None)
    """
    size, maps = operator.size, operator.in_channels
    # One kernel at a time lands in each place: no sums, and so no rounding.
    places = torch.eye(operator.in_features).reshape(-1, *size, maps).permute(0, 3, 1, 2)
    stride, padding, rest = operator.stride, pair(operator.padding), operator.output_padding
    columns = nn.functional.conv_transpose2d(places, operator.weight.cpu(), None, stride, padding, rest)
    weight = columns.permute(2, 3, 1, 0).reshape(operator.out_features, operator.in_features)
    return weight, None if operator.bias is None else operator.bias.cpu().repeat(math.prod(operator.out_size))


def pair(value: Any) -> tuple[int, int]:
    """Rows and columns of an option that may be one number for both."""
    try:
        first, second = value
    except TypeError:
        first = second = value
    return int(first), int(second)
