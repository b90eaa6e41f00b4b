"""What every corpus of spoken digits has in common."""

from __future__ import annotations

from snn_synth.data.spoken_words import SpokenWords

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")


class SpokenDigits(SpokenWords):
    """Utterances of the ten digits, whose names are `0` to `9`.

    Example:
        >>> import torch
        >>> class Beeps(SpokenDigits):
        ...     def __init__(self) -> None:
        ...         self.labels, self.sample_rate = torch.arange(10), 8000
        ...         self.speakers, self.takes = [""] * 10, [0] * 10
        ...
        ...     def __getitem__(self, index):
        ...         return torch.sin(torch.arange(4000) * (1 + index) / 20), index
        ...
        ...     def fingerprint(self):
        ...         return "beeps 1"
        >>> corpus = Beeps()
        >>> len(corpus), corpus.names[7], corpus[7][0].shape
        (10, '7', torch.Size([4000]))
    """

    names = DIGITS
