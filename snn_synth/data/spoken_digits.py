"""What every corpus of spoken digits has in common."""

from __future__ import annotations

from snn_synth.data.spoken_words import SpokenWords

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")


class SpokenDigits(SpokenWords):
    """Utterances of the ten digits, whose names are `0` to `9`."""

    names = DIGITS
