"""Groups of parameters that learn at a rate of their own."""

from collections.abc import Iterable
from typing import Any

from torch import nn

from snn_synth.errors import InputError


def with_share(
    network: nn.Module, chosen: Iterable[nn.Parameter], share: float, **settings: Any
) -> list[dict[str, Any]]:
    """Two groups: the other parameters, and the chosen ones with their ``share`` of the learning rate.

    Args:
        network: whose parameters they are.
        chosen: some of them.
        share: of the optimizer's learning rate.
        settings: of the optimizer, for the chosen ones alone.

    Example:
        >>> network = nn.Linear(3, 2)
        >>> [len(group["params"]) for group in with_share(network, [network.bias], 10.0, weight_decay=0.0)]
        [1, 1]
    """
    chosen = [*chosen]
    places = {id(parameter) for parameter in chosen}
    others = [parameter for parameter in network.parameters() if id(parameter) not in places]
    return [{"params": others}, {"params": chosen, "share": share, **settings}]


def check_share(name: str, share: float) -> None:
    """Raise InputError unless it is above 0 and finite."""
    if not 0 < share < float("inf"):
        raise InputError(f"Expected `{name}` above 0, got {share}")
