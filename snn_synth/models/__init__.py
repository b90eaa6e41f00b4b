"""The models: plain ``nn.Module`` classes."""

from snn_synth.models.audiocoder import ACANN, ACSNN
from snn_synth.models.autoencoder import AEANN, AESNN
from snn_synth.models.hybrid import HybridOutput, HybridVAE
from snn_synth.models.stack import SpikingStack, StackOutput
from snn_synth.models.synthesis import AudioToImage, Synthesis
from snn_synth.models.temporal import TemporalCodingAE, TTFSOutput

__all__ = [
    "ACANN",
    "ACSNN",
    "AEANN",
    "AESNN",
    "AudioToImage",
    "HybridOutput",
    "HybridVAE",
    "SpikingStack",
    "StackOutput",
    "Synthesis",
    "TTFSOutput",
    "TemporalCodingAE",
]
