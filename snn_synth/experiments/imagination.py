"""From the words of a recording to new images of them: what ``synthesize --imagine`` does."""

import hashlib

import torch
from torch import Tensor

from snn_synth.experiments.synthesis import Drawing, Recording, Source, configured, saved, trained
from snn_synth.models import AudioToImage, CodeCondition, SpikingVQDiffusion, SpokenDiffusion
from snn_synth.models.pretrained import is_saved
from snn_synth.models.vq_diffusion import GUIDANCE

SHIPPED = "fsdd"  # the speech model of which the package has a condition too


def load(name: str, num_steps: int | None = None, seed: int | None = None) -> tuple[SpokenDiffusion, Source]:
    """A SpokenDiffusion, and its speech model as :func:`~snn_synth.experiments.synthesis.draw_words` takes it.

    Args:
        name: ``fsdd`` for those that come with the package; else a checkpoint of a LitSpokenDiffusion, or the folder or
            the Hub's name of a saved SpokenDiffusion.
        num_steps: time steps; those of the training if not given.
        seed: of the drawing; that of the training if not given.

    Raises:
        InputError: if it is none of them.
    """
    spoken, source = _loaded(name)
    return spoken.eval(), configured(source, num_steps, seed)


def _loaded(name: str) -> tuple[SpokenDiffusion, Source]:
    if name == SHIPPED:
        diffusion = SpikingVQDiffusion.from_pretrained("mnist-vqd")
        diffusion.guidance = GUIDANCE
        condition = CodeCondition.from_pretrained("fsdd-condition")
        spoken = SpokenDiffusion(AudioToImage.from_pretrained(SHIPPED), diffusion, condition)
        return spoken, Source(spoken.audio)
    if is_saved(name):
        does, cure = "draws new images of a word", "`snn-synth fit --config imagine_fsdd` trains one"
        spoken = saved(name, SpokenDiffusion, does, cure)
        return spoken, Source(spoken.audio)
    from snn_synth.training import LitSpokenDiffusion, load_checkpoint  # a checkpoint costs Lightning

    module = load_checkpoint(LitSpokenDiffusion, name)
    spoken = module.spoken_diffusion()
    return spoken, trained(spoken.audio, module)


def imagine(spoken: SpokenDiffusion, recording: Recording, drawing: Drawing, count: int, seed: int) -> Tensor:
    """New images of each word, ``[words, count, 1, side, side]``: the same of a recording, others of another."""
    rows = []
    for waveform, rates in zip(recording.waveforms, drawing.rates.split(1), strict=True):  # type: ignore[no-untyped-call]
        digest = hashlib.sha256(seed.to_bytes(8, signed=True) + waveform.numpy().tobytes()).digest()
        generator = torch.Generator(rates.device).manual_seed(int.from_bytes(digest[:7]))
        rows.append(spoken.imagine(rates, count, generator).cpu())
    return torch.cat(rows)
