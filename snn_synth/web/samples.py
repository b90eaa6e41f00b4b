"""Spoken digits to try: espeak-ng says them where the extra ``demo`` is installed. None comes with the package."""

from pathlib import Path

import soundfile

from snn_synth.data.espeak import speak
from snn_synth.data.spoken_digits import DIGIT_WORDS
from snn_synth.errors import InputError

VOICES = ("en-us+m1", "en-us+f1", "en+m2", "en+f2")  # in turn


def spoken(folder: Path) -> list[Path]:
    """Write a WAV file of each digit from zero to nine.

    Args:
        folder: to write into.

    Returns:
        The files in order; none without espeak-ng.
    """
    jobs = [{"voice": voice, "takes": [[word, 150, 50, 50] for word in DIGIT_WORDS]} for voice in VOICES]
    try:
        said = [speak(job) for job in jobs]
    except InputError:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{word}.wav" for word in DIGIT_WORDS]
    for digit, file in enumerate(files):
        rate, takes = said[digit % len(said)]
        soundfile.write(file, takes[digit], rate, "PCM_16")
    return files
