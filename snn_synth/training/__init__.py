"""Training with Lightning: modules, data, callbacks, checkpoints, loggers."""

from snn_synth.training.ann import LitAudiocoderANN, LitAutoencoderANN
from snn_synth.training.audiocoder import LitAudiocoder
from snn_synth.training.autoencoder import LitAutoencoder
from snn_synth.training.callbacks import FirstSpikes, ImageGrid, SampleGrid
from snn_synth.training.checkpoints import AtomicCheckpointIO, ResumeCheckpoint, load_checkpoint
from snn_synth.training.classifier import LitImageClassifier
from snn_synth.training.cost import InferenceCost
from snn_synth.training.esvae import LitESVAE
from snn_synth.training.events import MNISTDVSData, NMNISTData
from snn_synth.training.firing import LayerWarning, SpikeStatistics
from snn_synth.training.first_spike import LitFirstSpikeClassifier
from snn_synth.training.gan import LitSpikingGAN
from snn_synth.training.hybrid import LitHybridVAE
from snn_synth.training.images import FashionMNISTData, ImageData, MNISTData, MNISTSubsetData
from snn_synth.training.loaders import ImageBatch, SpeechBatch
from snn_synth.training.loggers import WandbLogger
from snn_synth.training.predictor import LitHybridPredictor
from snn_synth.training.sequences import DriftingBlobsData
from snn_synth.training.shd import SHDData
from snn_synth.training.speech import SpokenDigitsData, SpokenWordsData
from snn_synth.training.spoken_diffusion import LitSpokenDiffusion
from snn_synth.training.ssc import SSCData
from snn_synth.training.temporal import LitTemporalCodingAE
from snn_synth.training.vq_diffusion import LitVQDiffusion

__all__ = [
    "AtomicCheckpointIO",
    "DriftingBlobsData",
    "FashionMNISTData",
    "FirstSpikes",
    "ImageBatch",
    "ImageData",
    "ImageGrid",
    "InferenceCost",
    "LayerWarning",
    "LitAudiocoder",
    "LitAudiocoderANN",
    "LitAutoencoder",
    "LitAutoencoderANN",
    "LitESVAE",
    "LitFirstSpikeClassifier",
    "LitHybridPredictor",
    "LitHybridVAE",
    "LitImageClassifier",
    "LitSpikingGAN",
    "LitSpokenDiffusion",
    "LitTemporalCodingAE",
    "LitVQDiffusion",
    "MNISTDVSData",
    "MNISTData",
    "MNISTSubsetData",
    "NMNISTData",
    "ResumeCheckpoint",
    "SHDData",
    "SSCData",
    "SampleGrid",
    "SpeechBatch",
    "SpikeStatistics",
    "SpokenDigitsData",
    "SpokenWordsData",
    "WandbLogger",
    "load_checkpoint",
]
