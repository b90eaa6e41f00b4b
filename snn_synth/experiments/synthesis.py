"""From a sound file to the images of its words: what the command ``synthesize`` and the web page do."""

from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from snn_synth.codec import PackedSpikes, pack
from snn_synth.data import build_front_end, find_words, read_audio
from snn_synth.data.recording import recording_faults
from snn_synth.errors import InputError
from snn_synth.functional.encoding import RateCode
from snn_synth.models import AudioToImage, Synthesis
from snn_synth.models.pretrained import Pretrained, is_saved

# A checkpoint says how many time steps there are: together the bounds keep a drawing below a gigabyte.
LONGEST = 5_000  # time steps, each a frame of the GIF for each word
MOST = 2**25  # places for a spike, of which a layer's currents, membranes and spikes are in memory at once
DASHES = 2**20  # input spikes in the picture of them, each a dash of nearly a kilobyte
LARGEST_SEED = 2**32 - 1  # times a million, for a number of each word, it still is one of 64 bits
WORDS = 20  # of a recording, each an image in its row

Model = TypeVar("Model", bound=Pretrained)


class Source(NamedTuple):
    """A synthesis model, and how it is run."""

    model: AudioToImage
    num_steps: int = 30
    max_rate: float = 1.0
    seed: int = 0
    code: RateCode = "poisson"


class Recording(NamedTuple):
    """A sound file, its words (start and end in seconds; waveforms), and what may keep it from being understood."""

    file: Path
    seconds: float
    sample_rate: int
    words: list[tuple[float, float]]
    waveforms: list[Tensor]
    spectrograms: list[Tensor]
    faults: list[str]


class Drawing(NamedTuple):
    """What was drawn of a recording's words, its spikes packed to bits."""

    images: Tensor
    rates: Tensor
    """Firing rates of the audiocoder's output, ``[words, code]``."""
    input_spikes: PackedSpikes
    output_spikes: PackedSpikes


def load(name: str, num_steps: int | None = None, seed: int | None = None) -> Source:
    """The model of a checkpoint or of a folder that ``save_pretrained`` wrote, of the Hub, or one of the package.

    Args:
        name: of the file, the folder or the model.
        num_steps: time steps; those of the training if not given.
        seed: of the drawing; that of the training if not given.

    Raises:
        InputError: if it is none of them, or of another model; or for a seed that is too large.
    """
    return configured(_loaded(name), num_steps, seed)


def configured(source: Source, num_steps: int | None = None, seed: int | None = None) -> Source:
    """A source with other time steps or another seed, if they are given, in evaluation mode."""
    given: dict[str, Any] = {"num_steps": num_steps, "seed": seed}
    source = source._replace(
        model=source.model.eval(), **{key: value for key, value in given.items() if value is not None}
    )
    if not -LARGEST_SEED <= source.seed <= LARGEST_SEED:
        raise InputError(f"Expected a seed of at most {LARGEST_SEED:,}, got {source.seed}")
    return source


def _loaded(name: str) -> Source:
    if is_saved(name):
        cure = "save AudioToImage(audiocoder, autoencoder, front_end=...)"
        return Source(saved(name, AudioToImage, "draws from sound", cure))
    from snn_synth.training import LitAudiocoder, load_checkpoint  # a checkpoint costs Lightning, a folder does not

    module = load_checkpoint(LitAudiocoder, name)
    return trained(module.audio_to_image(), module)


def saved(name: str, kind: type[Model], does: str, cure: str) -> Model:
    """A saved model of a kind; InputError for another, which says what this kind ``does`` and what the ``cure`` is."""
    model = Pretrained.from_pretrained(name)
    if not isinstance(model, kind):
        raise InputError(
            f"Expected a saved {kind.__name__}, which {does}, got {name} with a {type(model).__name__}: {cure}"
        )
    return model


def trained(model: AudioToImage, module: Any) -> Source:
    """A model with the settings under which a module was trained."""
    return Source(model, module.num_steps, module.max_rate, module.seed, module.code)


def read_recording(model: AudioToImage, file: Path) -> Recording:
    """A sound with the spectrogram of each of its words, by the front end of the training.

    Raises:
        InputError: for a file that is no sound, is empty, silent or too long or has too many words, or a checkpoint
            without a front end.
    """
    if model.front_end is None:
        raise InputError("Expected a checkpoint that holds its front end, got one from before its first `fit`")
    front_end = build_front_end(model.front_end)
    waveform, rate = read_audio(file)
    words = find_words(waveform, rate, front_end.trim_db)
    if len(words) > WORDS:
        raise InputError(
            f"Expected at most {WORDS} words in a recording, got {len(words)} in {file}: cut it into parts"
        )
    parts = [waveform] if len(words) < 2 else [waveform[start:end] for start, end in words]
    return Recording(
        file,
        len(waveform) / rate,
        rate,
        [(start / rate, end / rate) for start, end in words or [(0, len(waveform))]],
        parts,
        [front_end(part, rate) for part in parts],  # which trims the only word itself
        recording_faults(waveform, rate, words),
    )


def draw_words(source: Source, recording: Recording) -> Drawing:
    """Draw each word of a recording, the same whatever other words and files there are.

    Raises:
        InputError: for more time steps than there is memory for, or a network of another size.
    """
    spectrograms, words = recording.spectrograms, len(recording.spectrograms)
    rate = sum(float(one.sum()) for one in spectrograms) * source.max_rate  # spikes that are expected in a time step
    check_steps(source, words, rate)
    stages = [draw(source, one) for one in spectrograms]
    return Drawing(
        torch.cat([one.images for one in stages]).cpu(),
        torch.cat([one.hidden.mean(0) for one in stages]),
        pack(torch.cat([one.input_spikes for one in stages], 1)),
        pack(torch.cat([one.output_spikes for one in stages], 1)),
    )


def check_steps(source: Source, words: int, rate: float) -> None:
    """Raise InputError unless the time steps fit the memory.

    Args:
        source: of the drawing.
        words: of the recording.
        rate: spikes that are expected in a time step, of all words together.
    """
    audiocoder = source.model.audiocoder
    neurons = audiocoder.inputs + audiocoder.neurons + source.model.autoencoder.neurons
    most = min(LONGEST // words, MOST // (neurons * words), int(DASHES / max(1.0, rate)))
    if source.num_steps > most:
        raise InputError(
            f"Expected at most {most} time steps of this sound and a model of this size, got {source.num_steps}"
        )


def draw(source: Source, spectrogram: Tensor) -> Synthesis:
    """Every stage from a word's spectrogram to its image."""
    generator = torch.Generator().manual_seed(source.seed)
    shown = spectrogram[None].to(next(source.model.parameters()).device)
    stages: Synthesis = source.model(shown, source.num_steps, generator, max_rate=source.max_rate, code=source.code)
    return stages
