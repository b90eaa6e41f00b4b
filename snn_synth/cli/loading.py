"""The network that a name on the command line means."""

from pathlib import Path
from typing import Any

from snn_synth.errors import InputError
from snn_synth.models.pretrained import Pretrained, shipped_models


def load_network(name: str) -> Any:
    """A shipped model, a folder that ``save_pretrained`` wrote, or the network of a checkpoint, in evaluation mode.

    Args:
        name: of the model, the folder or the file. The checkpoint of a LitAudiocoder gives the whole AudioToImage.

    Raises:
        InputError: if it is none of them, or damaged.

    Example:
        >>> type(load_network("mnist-portable")).__name__
        'AESNN'
    """
    path = Path(name)
    if path.is_dir() or (name in shipped_models() and not path.exists()):
        return Pretrained.from_pretrained(name)
    if not path.exists():
        raise InputError(
            f"Expected a checkpoint, a folder of a saved model or one of {list(shipped_models())}, got {name}, which "
            "is not there"
        )
    from snn_synth.training import LitAudiocoder, load_checkpoint  # a checkpoint costs Lightning, a folder does not
    from snn_synth.training.base import LitModule

    module: Any = load_checkpoint(LitModule, path)
    whole = isinstance(module, LitAudiocoder) and module.autoencoder is not None
    return (module.audio_to_image() if whole else module.network).eval()
