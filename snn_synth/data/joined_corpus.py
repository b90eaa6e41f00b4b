"""Several corpora of the same words as one."""

from __future__ import annotations

import bisect
import hashlib
import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from snn_synth.data.audio import resample
from snn_synth.data.spoken_words import SpokenWords
from snn_synth.errors import InputError


class JoinedCorpus(SpokenWords):
    """The utterances of several corpora, one corpus after the other.

    Its own split trains on all of a corpus that has no split. A speaker's name that corpora of different kinds have in
    common is another person in each, and gets the corpus's name in front (`TI46:f1`).

    Args:
        corpora: at least one, all with the same words, in any order.
        sample_rate: of all waveforms, in Hz; None takes the lowest, so that no corpus is known by its high frequencies.

    Raises:
        InputError: there is no corpus, or one has other words.

    Example:
        >>> import tempfile
        >>> from snn_synth.data import EspeakDigits
        >>> folder = tempfile.mkdtemp()
        >>> women, men = (EspeakDigits([voice], 1, cache=folder, progress=False) for voice in ("en+f2", "en+m2"))
        >>> corpus = JoinedCorpus([women, men], sample_rate=8000)
        >>> len(corpus), corpus.sample_rate, corpus.speakers[9:11]
        (20, 8000, ['en+f2', 'en+m2'])
    """

    def __init__(self, corpora: Sequence[SpokenWords], sample_rate: int | None = None) -> None:
        if not corpora:
            raise InputError("Expected at least one corpus to join, got none")
        self.corpora = list(corpora)
        self.names = self.corpora[0].names
        for corpus in self.corpora:
            if sorted(corpus.names) != sorted(self.names):
                raise InputError(
                    f"Expected corpora of the same words to join, got {', '.join(self.names)} of "
                    f"{type(self.corpora[0]).__name__} and {', '.join(corpus.names)} of {type(corpus).__name__}"
                )
        self.sample_rate = sample_rate or min(corpus.sample_rate for corpus in self.corpora)
        self._ends = list(itertools.accumulate(map(len, self.corpora)))
        self.labels = torch.cat([self._places(corpus)[corpus.labels] for corpus in self.corpora])
        self.speakers = [speaker for corpus in self.corpora for speaker in self._speakers(corpus)]
        self.takes = [take for corpus in self.corpora for take in corpus.takes]

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        index = range(len(self))[index]
        part = bisect.bisect_right(self._ends, index)
        corpus = self.corpora[part]
        waveform, _ = corpus[index - self._ends[part] + len(corpus)]
        return resample(waveform, corpus.sample_rate, self.sample_rate), int(self.labels[index])

    def official_split(self) -> tuple[Tensor, Tensor] | None:
        """The corpora's own splits together; None if none of them has one."""
        splits = [corpus.official_split() for corpus in self.corpora]
        if not any(splits):
            return None
        train, test = [], []
        for end, corpus, split in zip(self._ends, self.corpora, splits, strict=True):
            everything = torch.arange(len(corpus))
            of_train, of_test = split or (everything, everything[:0])
            train.append(of_train + end - len(corpus))
            test.append(of_test + end - len(corpus))
        return torch.cat(train), torch.cat(test)

    def fingerprint(self) -> str:
        """SHA-256 over the corpora's fingerprints and sample rates."""
        parts = [f"{corpus.fingerprint()} {corpus.sample_rate}" for corpus in self.corpora]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def _places(self, corpus: SpokenWords) -> Tensor:
        """The place in our names of each of a corpus's names."""
        return torch.tensor([self.names.index(name) for name in corpus.names])

    def _speakers(self, corpus: SpokenWords) -> list[str]:
        kind = type(corpus)
        others = {name for other in self.corpora if type(other) is not kind for name in other.speakers if name}
        return [f"{kind.__name__}:{name}" if name in others else name for name in corpus.speakers]
