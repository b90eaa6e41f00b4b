"""Spoken words to new images: the condition of a code, and what is drawn under it."""

import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.models import (
    ACSNN,
    AESNN,
    AudioToImage,
    CodeCondition,
    SpikingTokenDenoiser,
    SpikingVQAE,
    SpikingVQDiffusion,
    SpokenDiffusion,
)


def diffusion(classes=3):
    torch.manual_seed(0)
    denoiser = SpikingTokenDenoiser(5, 4, classes, hidden=8)
    torch.nn.init.normal_(denoiser.bias, std=2.0)
    torch.nn.init.normal_(denoiser.condition.weight, std=3.0)
    return SpikingVQDiffusion(SpikingVQAE(8, (4, 4), 3, 5), denoiser).eval()


@pytest.fixture
def spoken():
    network = diffusion()
    audio = AudioToImage(ACSNN(60, 8, 4), AESNN(64, 4), (1, 8, 8))
    with torch.no_grad():
        for weight in audio.audiocoder.parameters():
            weight.abs_()
    return SpokenDiffusion(audio, network, CodeCondition(4, 3)).eval()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_condition_is_a_softmax_of_a_linear_map():
    condition, rates = CodeCondition(4, 3), torch.rand(5, 4, generator=generator())
    assert torch.equal(condition(rates), torch.full((5, 3), 1 / 3)), "untrained: between all classes"
    torch.nn.init.normal_(condition.linear.weight)
    torch.nn.init.normal_(condition.linear.bias)
    weight, bias = (parameter.detach().double().numpy() for parameter in condition.parameters())
    scores = rates.double().numpy() @ weight.T + bias
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(condition(rates).detach().numpy(), shares, rtol=1e-5)


def test_a_clear_code_draws_as_its_class_does(spoken):
    with torch.no_grad():
        spoken.condition.linear.weight[:] = 1000 * torch.eye(3, 4)  # neuron k stands for class k
    drawn = spoken.imagine(torch.eye(4)[[2, 0]], 3, generator())
    assert drawn.shape == (2, 3, 1, 8, 8)
    expected = spoken.diffusion.sample(6, generator(), labels=[2, 2, 2, 0, 0, 0])
    assert torch.equal(drawn.flatten(0, 1), expected)


def test_a_word_goes_through_its_code(spoken):
    torch.nn.init.normal_(spoken.condition.linear.weight)
    spectrograms = torch.rand(2, 6, 10, generator=generator())
    drawn = spoken(spectrograms, 2, generator(7), num_steps=9, max_rate=0.5)
    source = generator(7)
    code = spoken.audio(spectrograms, 9, source, max_rate=0.5).hidden
    assert 0 < code.mean() < 1, "the test needs a network that fires"
    assert torch.equal(drawn, spoken.imagine(code.mean(0), 2, source))


def test_it_is_saved_whole(spoken, tmp_path):
    torch.nn.init.normal_(spoken.condition.linear.weight)
    spoken.save_pretrained(tmp_path / "spoken")
    again, rates = SpokenDiffusion.from_pretrained(tmp_path / "spoken"), torch.rand(2, 4)
    assert torch.equal(again.imagine(rates, 2, generator()), spoken.imagine(rates, 2, generator()))


def test_what_does_not_fit_is_refused(spoken):
    with pytest.raises(InputError, match="length 3 from a code of 4 neurons, got one of length 2 from 4"):
        SpokenDiffusion(spoken.audio, spoken.diffusion, CodeCondition(4, 2))
    with pytest.raises(InputError, match="length 3 from a code of 4 neurons, got one of length 3 from 5"):
        SpokenDiffusion(spoken.audio, spoken.diffusion, CodeCondition(5, 3))
    with pytest.raises(InputError, match="at least 1, got 0 and 3"):
        CodeCondition(0, 3)
    with pytest.raises(InputError, match=r"firing rates of shape \[B, 4\], got \[2, 5\]"):
        spoken.imagine(torch.rand(2, 5))
    with pytest.raises(InputError, match="count of at least 1, got 0"):
        spoken.imagine(torch.rand(2, 4), 0)
