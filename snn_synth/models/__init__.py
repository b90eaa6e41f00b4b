"""The models: plain ``nn.Module`` classes."""

from snn_synth.models.audiocoder import ACANN, ACSNN, Audiocoder, ConvACANN, ConvACSNN
from snn_synth.models.autoencoder import AEANN, AESNN, SpikingAutoencoder
from snn_synth.models.classifier import DeepImageClassifier, ImageClassifier
from snn_synth.models.conv_autoencoder import ConvAEANN, ConvAESNN
from snn_synth.models.esvae import ESVAE, ESVAEOutput
from snn_synth.models.first_spike import FirstSpikeClassifier, FirstSpikeOutput
from snn_synth.models.gan import SpikingGAN
from snn_synth.models.hybrid import HybridOutput, HybridVAE
from snn_synth.models.predictor import HybridPredictor, PredictorOutput
from snn_synth.models.readout import StochasticReadout
from snn_synth.models.spoken_diffusion import CodeCondition, SpokenDiffusion
from snn_synth.models.stack import SpikingStack, StackOutput
from snn_synth.models.synthesis import AudioToImage, Synthesis
from snn_synth.models.temporal import TemporalCodingAE, TTFSOutput
from snn_synth.models.time_decoder import TimeDecoder
from snn_synth.models.token_denoiser import SpikingTokenDenoiser
from snn_synth.models.vq_autoencoder import SpikingVQAE, VQOutput
from snn_synth.models.vq_diffusion import SpikingVQDiffusion

__all__ = [
    "ACANN",
    "ACSNN",
    "AEANN",
    "AESNN",
    "ESVAE",
    "AudioToImage",
    "Audiocoder",
    "CodeCondition",
    "ConvACANN",
    "ConvACSNN",
    "ConvAEANN",
    "ConvAESNN",
    "DeepImageClassifier",
    "ESVAEOutput",
    "FirstSpikeClassifier",
    "FirstSpikeOutput",
    "HybridOutput",
    "HybridPredictor",
    "HybridVAE",
    "ImageClassifier",
    "PredictorOutput",
    "SpikingAutoencoder",
    "SpikingGAN",
    "SpikingStack",
    "SpikingTokenDenoiser",
    "SpikingVQAE",
    "SpikingVQDiffusion",
    "SpokenDiffusion",
    "StackOutput",
    "StochasticReadout",
    "Synthesis",
    "TTFSOutput",
    "TemporalCodingAE",
    "TimeDecoder",
    "VQOutput",
]
