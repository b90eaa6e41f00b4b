"""Audio front ends: waveform to channels x frames in [0, 1]."""

from snn_synth.data.frontends.base import FrontEnd, build_front_end
from snn_synth.data.frontends.lyon import LyonCochleagram
from snn_synth.data.frontends.mel import MelSpectrogram

__all__ = ["FrontEnd", "LyonCochleagram", "MelSpectrogram", "build_front_end"]
