import io

import numpy as np
import pytest
import soundfile

from snn_synth.data import read_audio
from tests.fuzz.harness import fuzz

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(1200) / 8000)


def sound(container, subtype, channels=1, rate=8000):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([TONE] * channels, axis=1), rate, format=container, subtype=subtype)
    return buffer.getvalue()


SEEDS = {
    "wav": [
        *(sound("WAV", kind) for kind in ("PCM_16", "PCM_U8", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM")),
        sound("WAVEX", "PCM_16", channels=3),
        sound("RF64", "PCM_16", channels=2, rate=44100),
    ],
    "flac": [sound("FLAC", "PCM_16"), sound("FLAC", "PCM_24", channels=2, rate=96000)],
    "ogg": [sound("OGG", "VORBIS"), sound("OGG", "OPUS")],
    "sphere": [sound("NIST", "PCM_16"), sound("NIST", "ULAW"), sound("NIST", "PCM_16", channels=2, rate=12500)],
    "other": [sound("AIFF", "PCM_16"), sound("AU", "PCM_16"), sound("CAF", "PCM_16"), sound("W64", "PCM_16")],
}
WORDS = {
    "wav": [b"RIFF", b"WAVE", b"fmt ", b"data",
            b"data\0\0\0\0", b"LIST", b"fact", b"\xff\xff\xff\xff", b"ds64", b"PEAK"],
    "flac": [b"fLaC", b"\xff\xf8", b"\x84\0\0\x28"],
    "ogg": [b"OggS", b"\x01vorbis", b"OpusHead", b"OpusTags"],
    "sphere": [b"NIST_1A\n   1024\n", b"sample_count -i ", b"channel_count -i 2", b"sample_rate -i 8000", b"end_head\n",
               b"sample_byte_format -s2 01", b"sample_n_bytes -i 2", b"sample_coding -s3 pcm"],
    "other": [b"FORM", b"AIFF", b"COMM", b"SSND", b".snd", b"caff", b"desc", b"riff"],
}  # fmt: skip


@pytest.mark.parametrize("kind", SEEDS)
def test_sounds(kind, tmp_path):
    fuzz(read_audio, SEEDS[kind], tmp_path / "word.wav", words=WORDS[kind])
