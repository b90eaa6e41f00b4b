"""How well a synthesis model draws what was said, in conditions that it was not trained for."""

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from snn_synth.data import (
    DIGIT_WORDS,
    FSDD,
    MNIST,
    EspeakDigits,
    FrontEnd,
    SpokenWords,
    as_pixels,
    build_front_end,
    find_words,
    one_image_per_class,
)
from snn_synth.data.espeak import UNHEARD_VOICES
from snn_synth.data.perturbations import Colour, add_noise, at_rate, change_speed, gain, surround, twice
from snn_synth.errors import InputError
from snn_synth.functional import gallery_mse
from snn_synth.functional.encoding import RateCode
from snn_synth.models import AudioToImage

TAKES = 2  # of each digit by each of espeak's voices
BATCH = 100  # words drawn at a time
MOST = 2**27  # places for a spike in memory at once: fewer words are drawn at a time, if it is many steps
LONGEST = 5_000  # time steps


class Words(NamedTuple):
    """Words of a corpus: some of its utterances."""

    corpus: SpokenWords
    places: list[int]

    def __len__(self) -> int:
        return len(self.places)


Change = Callable[[Tensor, int, int], tuple[Tensor, int]]
"""From a waveform, its rate and a seed to a waveform and its rate."""


class Condition(NamedTuple):
    """What is done to a recording."""

    name: str
    change: Change
    split: bool = False  # draw the words that are found in it one by one, not the whole


def _louder(factor: float) -> Change:
    return lambda x, rate, seed: (gain(x, factor), rate)


def _noisy(snr_db: float) -> Change:
    return lambda x, rate, seed: (add_noise(x, rate, snr_db, seed=seed), rate)


def _surrounded(level_db: float, colour: Colour = "white") -> Change:
    return lambda x, rate, seed: (surround(x, rate, level_db, colour, seed=seed), rate)


def _faster(factor: float) -> Change:
    return lambda x, rate, seed: (change_speed(x, rate, factor), rate)


def _resampled(other_rate: int) -> Change:
    return lambda x, rate, seed: at_rate(x, rate, other_rate)


CONDITIONS = (
    Condition("clean", lambda x, rate, seed: (x, rate)),
    *(Condition(f"gain x{g:g}", _louder(g)) for g in (0.1, 10)),
    *(Condition(f"noise, {n} dB", _noisy(n)) for n in (20, 10)),
    *(Condition(f"background, {n} dB", _surrounded(n)) for n in (-30, -20, -15, -10)),
    Condition("background, -20 dB, low-passed", _surrounded(-20, "low-passed")),
    *(Condition(f"speed x{s:g}", _faster(s)) for s in (0.7, 0.85, 1.2, 1.4)),
    *(Condition(f"{r / 1000:g} kHz", _resampled(r)) for r in (8000, 16_000, 22_050, 44_100, 48_000)),
    Condition("said twice, drawn as one", lambda x, rate, seed: (twice(x, rate), rate)),
    Condition("said twice, found as two", lambda x, rate, seed: (twice(x, rate), rate), split=True),
)


def measure(
    model: AudioToImage,
    gallery: Tensor,
    heard: Words | None,
    unheard: Words | None,
    num_steps: int = 30,
    max_rate: float = 1.0,
    seed: int = 0,
    progress: bool | None = True,
    code: RateCode = "poisson",
) -> dict[str, dict[str, float]]:
    """The share of words whose image is nearest to that of their own label, and the mean MSE, in each condition.

    Args:
        model: with a front end.
        gallery: the image of each label of the corpora, ``[L, C, H, W]``.
        heard: words to measure every condition with; the unheard ones if None.
        unheard: words by espeak's voices, measured clean.
        num_steps: T.
        max_rate: that of the training.
        seed: of the perturbations and of the input's spikes.
        progress: show a bar; None shows it on a terminal.
        code: that of the training.

    Returns:
        For each condition ``right`` (share), ``standardized_mse`` (mean), ``words`` (how many).
        A recording of two words is right if two are found, and each is drawn right.
    """
    assert model.front_end is not None  # `check` has refused it
    front_end = build_front_end(model.front_end)
    draw = _Drawing(model, gallery, front_end, num_steps, max_rate, seed, code)
    base = unheard if heard is None else heard
    assert base is not None
    work = [(one.name, base, one) for one in CONDITIONS]
    if heard is not None and unheard is not None:
        work.insert(1, ("espeak's unheard voices", unheard, CONDITIONS[0]))
    found = {}
    total = sum(len(words) for _, words, _ in work)
    with tqdm(total=total, desc="Robustness", unit="word", disable=None if progress is None else not progress) as bar:
        for name, words, condition in work:
            found[name] = draw.measure(words, condition, bar)
    return found


class _Drawing(NamedTuple):
    model: AudioToImage
    gallery: Tensor
    front_end: FrontEnd
    num_steps: int
    max_rate: float
    seed: int
    code: RateCode

    def measure(self, words: Words, condition: Condition, bar: Any) -> dict[str, float]:
        spectrograms: list[Tensor] = []
        owner: list[int] = []  # the word that each spectrogram is of
        missed = set()
        for place, index in enumerate(words.places):
            waveform, rate = condition.change(
                words.corpus[index][0], words.corpus.sample_rate, self.seed * 1_000_003 + index
            )
            parts = [waveform]
            if condition.split:
                ends = find_words(waveform, rate, self.front_end.trim_db)
                parts = [waveform[start:end] for start, end in ends]
                missed |= {place} if len(ends) != 2 else set()
            spectrograms += [self.front_end(part, rate) for part in parts]
            owner += [place] * len(parts)
            bar.update()
        labels = words.corpus.labels[torch.tensor(words.places)[owner]]
        errors = self.errors(torch.stack(spectrograms))
        wrong = set(torch.tensor(owner)[errors.argmin(1) != labels].tolist()) | missed
        own = errors[torch.arange(len(labels)), labels]
        return {
            "right": round(1 - len(wrong) / len(words), 4),
            "standardized_mse": round(own.mean().item(), 4),
            "words": len(words),
        }

    def errors(self, spectrograms: Tensor) -> Tensor:
        """Standardized MSE of what is drawn to each image of the gallery, ``[B, L]``."""
        generator = torch.Generator().manual_seed(self.seed)
        size = min(BATCH, MOST // (neurons(self.model) * self.num_steps))
        drawn = [
            self.model.synthesize(batch, self.num_steps, generator, max_rate=self.max_rate, code=self.code)
            for batch in spectrograms.split(size)  # type: ignore[no-untyped-call]
        ]
        return gallery_mse(torch.cat(drawn), self.gallery)


def neurons(model: AudioToImage) -> int:
    """Neurons and inputs of both networks, each with a place for a spike at every time step."""
    return model.audiocoder.inputs + model.audiocoder.neurons + model.autoencoder.neurons


def check(model: AudioToImage, num_steps: int) -> None:
    """Refuse a model that does not start from sound, and more time steps than there is memory for.

    Raises:
        InputError: as said.
    """
    if model.front_end is None:
        raise InputError("Expected a checkpoint that holds its front end, got one from before its first `fit`")
    most = min(LONGEST, MOST // neurons(model))
    if not 1 <= num_steps <= most:
        raise InputError(f"Expected 1 to {most} time steps with a model of this size, got {num_steps}")


def digits_gallery(model: AudioToImage) -> Tensor:
    """The image of each digit: the model's own, or MNIST's first of each, which those without labels are trained on.

    Raises:
        InputError: for a model of other words or of other images, or whose own images are not finite.
    """
    if model.labels is None:
        if tuple(model.image_shape) != (1, 28, 28):
            raise InputError(f"Expected a model with labels or of images [1, 28, 28], got {list(model.image_shape)}")
        images = MNIST(train=True)
        return as_pixels(images.images[one_image_per_class(images.labels)])
    for names in (tuple(map(str, range(10))), DIGIT_WORDS):
        if set(names) <= set(model.labels):
            gallery = model.gallery[[model.labels.index(name) for name in names]]
            if not gallery.isfinite().all():  # the nearest of them would be the same for every word
                raise InputError("Expected a model whose images of the digits are finite, got NaN or infinity in them")
            return gallery
    raise InputError(f"Expected a model of the ten digits, got one of {', '.join(model.labels[:10])}")


def find_test_words(count: int | None) -> tuple[Words | None, Words | None]:
    """FSDD's official test words and those of espeak's unheard voices; None for a corpus that is not there.

    Args:
        count: at most so many of each, spread over digits and speakers; all if None.

    Raises:
        InputError: neither is there.
    """
    fsdd = espeak = None
    try:
        corpus = FSDD(download=False)
        mask = corpus.official_test_mask
        assert mask is not None  # FSDD has an official split
        fsdd = Words(corpus, spread(corpus, torch.nonzero(mask).flatten().tolist(), count))
    except InputError as error:
        absent = error
    if importlib.util.find_spec("espeakng_loader"):
        voices = EspeakDigits(UNHEARD_VOICES, takes=TAKES)
        espeak = Words(voices, spread(voices, list(range(len(voices))), count))
    if fsdd is None and espeak is None:
        raise InputError(f"Expected FSDD or the package espeakng-loader (extra `demo`), got neither: {absent}")
    return fsdd, espeak


def spread(corpus: SpokenWords, index: Sequence[int], count: int | None) -> list[int]:
    """So many of some utterances, of as many digits and speakers as they can be."""
    speakers = sorted(set(corpus.speakers))
    rank: dict[tuple[int, str], int] = {}
    order = []
    for place in index:
        digit, speaker = int(corpus.labels[place]), corpus.speakers[place]
        rank[digit, speaker] = rank.get((digit, speaker), -1) + 1
        turn = (speakers.index(speaker) - digit) % len(speakers)
        order.append((rank[digit, speaker], turn, digit, place))
    return sorted(place for *_, place in sorted(order)[:count])


def table(conditions: dict[str, dict[str, float]]) -> str:
    """The measurements as lines of text.

    Example:
        >>> print(table({"clean": {"right": 0.97, "standardized_mse": 0.2, "words": 300}}))
        condition  right    MSE  words
        clean      97.0%  0.200    300
    """
    width = max(len("condition"), *map(len, conditions))
    lines = [f"{'condition':<{width}}  right    MSE  words"]
    for name, found in conditions.items():
        numbers = f"{found['right']:>5.1%}  {found['standardized_mse']:.3f}  {found['words']:>5}"
        lines.append(f"{name:<{width}}  {numbers}")
    return "\n".join(lines)
