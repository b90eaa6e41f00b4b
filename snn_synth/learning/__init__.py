r"""The two learning rules, for any network that has ``.layers``: (linear operator without bias, SigmoidLeaky) pairs."""

from snn_synth.learning.bptt import bptt_loss, bptt_step
from snn_synth.learning.graph import captured
from snn_synth.learning.online import online_step

__all__ = ["bptt_loss", "bptt_step", "captured", "online_step"]
