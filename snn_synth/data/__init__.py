"""Data: images, spoken digits, audio front ends, pairing, splits: torch Datasets and pure functions only."""

from snn_synth.data.audio import find_words, resample, trim_silence
from snn_synth.data.blobs import drifting_blobs, pair_index
from snn_synth.data.cache import spectrograms
from snn_synth.data.download import fetch
from snn_synth.data.espeak import EspeakDigits
from snn_synth.data.frontends import FrontEnd, LyonCochleagram, MelSpectrogram, build_front_end
from snn_synth.data.fsdd import FSDD
from snn_synth.data.mnist import MNIST, FashionMNIST, ImageDataset, MNISTSubset
from snn_synth.data.mnist_dvs import MNISTDVS, event_spikes, read_events
from snn_synth.data.pairing import class_mean_images, one_image_per_class, one_image_per_utterance
from snn_synth.data.root import cache_dir, data_root
from snn_synth.data.sound_files import read_audio
from snn_synth.data.splits import random_split, split_by_speaker
from snn_synth.data.spoken_digits import DIGIT_WORDS, SpokenDigits
from snn_synth.data.ti46 import TI46

__all__ = [
    "DIGIT_WORDS",
    "FSDD",
    "MNIST",
    "MNISTDVS",
    "TI46",
    "EspeakDigits",
    "FashionMNIST",
    "FrontEnd",
    "ImageDataset",
    "LyonCochleagram",
    "MNISTSubset",
    "MelSpectrogram",
    "SpokenDigits",
    "build_front_end",
    "cache_dir",
    "class_mean_images",
    "data_root",
    "drifting_blobs",
    "event_spikes",
    "fetch",
    "find_words",
    "one_image_per_class",
    "one_image_per_utterance",
    "pair_index",
    "random_split",
    "read_audio",
    "read_events",
    "resample",
    "spectrograms",
    "split_by_speaker",
    "trim_silence",
]
