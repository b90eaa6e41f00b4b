"""Data: images, spoken words, audio front ends, pairing, splits: torch Datasets and pure functions only."""

from snn_synth.data.audio import find_words, resample, trim_silence
from snn_synth.data.audio_folder import AudioFolder
from snn_synth.data.audiomnist import AudioMNIST
from snn_synth.data.augmentation import SpectrogramAugmentation
from snn_synth.data.binning import EventRecordings, bin_events
from snn_synth.data.blobs import drifting_blobs, pair_index
from snn_synth.data.cache import spectrograms
from snn_synth.data.download import fetch
from snn_synth.data.espeak import EspeakDigits
from snn_synth.data.fad import load_fad
from snn_synth.data.frontends import FrontEnd, LyonCochleagram, MelSpectrogram, build_front_end
from snn_synth.data.fsdd import FSDD
from snn_synth.data.image_files import read_image
from snn_synth.data.image_folder import ImageFolder
from snn_synth.data.image_pairs import images_from
from snn_synth.data.images import ImageDataset, as_pixels
from snn_synth.data.joined_corpus import JoinedCorpus
from snn_synth.data.manifest import read_manifest
from snn_synth.data.mnist import MNIST, FashionMNIST, MNISTSubset
from snn_synth.data.mnist_dvs import MNISTDVS, event_spikes, read_events
from snn_synth.data.nmnist import NMNIST, read_nmnist
from snn_synth.data.other_words import WordsFrom
from snn_synth.data.pairing import (
    as_words,
    class_mean_images,
    match_names,
    one_image_per_class,
    one_image_per_utterance,
)
from snn_synth.data.root import cache_dir, data_root
from snn_synth.data.shd import SHD, SSC
from snn_synth.data.sound_files import read_audio
from snn_synth.data.speech_commands import SpeechCommands
from snn_synth.data.splits import leave_one_speaker_out, random_split, split_by_speaker
from snn_synth.data.spoken_digits import DIGIT_WORDS, SpokenDigits
from snn_synth.data.spoken_words import SpokenWords
from snn_synth.data.ti46 import TI46

__all__ = [
    "DIGIT_WORDS",
    "FSDD",
    "MNIST",
    "MNISTDVS",
    "NMNIST",
    "SHD",
    "SSC",
    "TI46",
    "AudioFolder",
    "AudioMNIST",
    "EspeakDigits",
    "EventRecordings",
    "FashionMNIST",
    "FrontEnd",
    "ImageDataset",
    "ImageFolder",
    "JoinedCorpus",
    "LyonCochleagram",
    "MNISTSubset",
    "MelSpectrogram",
    "SpectrogramAugmentation",
    "SpeechCommands",
    "SpokenDigits",
    "SpokenWords",
    "WordsFrom",
    "as_pixels",
    "as_words",
    "bin_events",
    "build_front_end",
    "cache_dir",
    "class_mean_images",
    "data_root",
    "drifting_blobs",
    "event_spikes",
    "fetch",
    "find_words",
    "images_from",
    "leave_one_speaker_out",
    "load_fad",
    "match_names",
    "one_image_per_class",
    "one_image_per_utterance",
    "pair_index",
    "random_split",
    "read_audio",
    "read_events",
    "read_image",
    "read_manifest",
    "read_nmnist",
    "resample",
    "spectrograms",
    "split_by_speaker",
    "trim_silence",
]
