"""Spiking image synthesis for snnTorch.

Neurons, a surrogate, a loss and a learning rule from Roy, Panda & Roy (2019), and the models built from
them, as ordinary PyTorch modules. Each module is imported by name (`from snn_synth.models import AESNN`), so
that this import stays fast and pulls in neither Lightning nor wandb.
"""

from importlib.metadata import version

__version__ = version("snn_synth")
