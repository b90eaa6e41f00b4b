"""What the pages show, without a browser and without Gradio."""

import numpy as np
import pytest
import soundfile
import torch

from snn_synth.errors import InputError
from snn_synth.experiments.hearing import Heard
from snn_synth.experiments.synthesis import draw, load, read_recording
from snn_synth.functional import gallery_mse
from snn_synth.models import AESNN, ImageClassifier, SpikingVQDiffusion
from snn_synth.neurons import SigmoidLeaky
from snn_synth.web import pictures, show


@pytest.fixture(scope="module")
def source():
    return load("fsdd")


def test_a_word_is_shown_as_synthesize_draws_it(source, words):
    shown = show.listen(source, words[7], 30, 0.1)
    (word,) = shown.words
    recording = read_recording(source.model, words[7])
    assert torch.equal(word.spectrogram, recording.spectrograms[0])
    assert torch.equal(word.stages.images, draw(source, recording.spectrograms[0]).images)
    assert pictures.said(shown.heard).startswith("It drew the digit 7 (probability 0.9")


def test_the_leak_is_that_of_all_neurons_and_of_a_copy(source, words):
    leaky, trained = show.listen(source, words[7], 30, 0.3), show.listen(source, words[7], 30, 0.1)
    assert not torch.equal(leaky.words[0].stages.hidden, trained.words[0].stages.hidden)
    assert {round(float(n.beta), 6) for n in source.model.modules() if isinstance(n, SigmoidLeaky)} == {0.9}
    network = AESNN.from_pretrained("mnist-portable")
    other, spikes = AESNN(784, 196, alpha=0.3), (torch.rand(15, 2, 784) < 0.3).float()
    for mine, theirs in zip(other.parameters(), network.parameters(), strict=True):
        mine.data = theirs.data
    assert torch.equal(show.with_leak(network, 0.3)(spikes).spikes, other(spikes).spikes)


def test_thirty_seconds_with_several_words(source, words, tmp_path):
    sound = np.zeros(30 * 22050, np.float32)
    for place, digit in enumerate((2, 0, 2, 6)):
        samples, rate = soundfile.read(words[digit], dtype="float32")
        sound[place * 6 * rate :][: len(samples)] = samples
    soundfile.write(tmp_path / "year.wav", sound, rate)
    assert show.listen(source, tmp_path / "year.wav", 30, 0.1).heard.labels == ["2", "0", "2", "6"]


@pytest.mark.parametrize("kind", ["silent", "long", "text"])
def test_a_bad_file_is_named_without_its_folder(source, tmp_path, kind):
    path = tmp_path / f"{kind}.wav"
    if kind == "text":
        path.write_text("no sound")
    else:
        soundfile.write(path, np.full(31 * 8000 if kind == "long" else 8000, float(kind == "long")), 8000)
    with pytest.raises(InputError, match=rf"Expected .*{kind}\.wav") as caught:
        show.listen(source, path, 30, 0.1)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("steps", [4, 61, 10**9])
def test_time_steps_have_bounds(source, words, steps):
    with pytest.raises(InputError, match="Expected 5 to 60 time steps"):
        show.listen(source, words[0], steps, 0.1)


def test_a_drawing_passes_through_the_autoencoder_as_everywhere_else(source):
    network, image = AESNN.from_pretrained("mnist-portable"), source.model.gallery[[3]]
    redrawn = show.redraw(network, image, 15, 0.1)
    other = network.reconstruct(image, 15, generator=torch.Generator().manual_seed(0))
    assert torch.equal(redrawn.output_spikes.mean(0), other.flatten())
    *_, last = show.steps(redrawn.output_spikes)
    torch.testing.assert_close(last, other.flatten() / other.max())


def test_a_drawing_in_a_corner_is_centred_like_mnist(source):
    digit = source.model.gallery[4, 0]
    paper = torch.zeros(56, 56)
    paper[:28, 28:] = digit
    (centred,) = show.centred(paper)
    again = gallery_mse(centred[None], source.model.gallery)
    assert again.argmin() == 4
    assert again.min() < 0.5  # it was scaled to 20 pixels, and is where it was within one


def test_an_empty_canvas_is_refused():
    with pytest.raises(InputError, match="an empty canvas"):
        show.centred(torch.zeros(56, 56))


def test_other_papers_networks_redraw_the_digit(source):
    for name, image in show.by_other_papers(source.model.gallery[[0]]).items():
        assert gallery_mse(image[None, None], source.model.gallery).argmin() == 0, name


@pytest.mark.parametrize("kind", [name for name in show.GENERATORS if name.endswith("of a digit")])
def test_new_digits_are_of_the_class_and_follow_the_seed(kind):
    drawn = show.new_digits(kind, 7, seed=1)
    assert torch.equal(drawn, show.new_digits(kind, 7, seed=1))
    assert not torch.equal(drawn, show.new_digits(kind, 7, seed=2))
    classifier = ImageClassifier.from_pretrained("mnist-classifier")
    large = torch.nn.functional.interpolate(drawn, classifier.config.get("side", 14))
    assert (classifier(large).argmax(1) == 7).sum() >= 7


@pytest.mark.parametrize("kind", show.GENERATORS)
def test_every_generator_draws_ten(kind):
    drawn = show.new_digits(kind, 0, seed=0)
    assert drawn.shape in ((10, 1, 28, 28), (10, 1, 14, 14))
    assert len(drawn.unique(dim=0)) == 10


def test_diffusion_draws_with_the_guidance_of_its_page():
    network = SpikingVQDiffusion.from_pretrained("mnist-vqd")
    network.guidance = 0.5
    drawn = network.sample(10, torch.Generator().manual_seed(4), labels=[3] * 10)
    assert torch.equal(show.new_digits("VQ-diffusion: ten of a digit", 3, seed=4), drawn)


def test_another_generator_is_refused():
    with pytest.raises(InputError, match="Expected a generator"):
        show.new_digits("another", 0, 0)


def test_what_makes_a_word_doubtful_is_said_in_sentences():
    words = [{"label": "1", "probability": 0.98}, {"label": "8", "probability": 0.53}]
    heard = Heard(words, ["unsure of word 2: 8 or 3", "long: a word of 1.3 s"])
    drawn = "It drew the digits 1 8 (probabilities 0.98 0.53)."
    assert pictures.said(heard) == f"{drawn} Unsure of word 2: 8 or 3. Long: a word of 1.3 s."
    assert pictures.said(Heard([{"label": "yes", "probability": 0.98}], [])) == "It drew yes (probability 0.98)."


def test_what_may_be_said_is_named_of_digits_and_of_other_words():
    digits = [str(digit) for digit in range(10)]
    assert pictures.invitation(digits) == "Say an English digit from 0 to 9; the network draws it."
    assert pictures.invitation(["yes", "no"]) == "Say one of yes, no; the network draws it."
    assert pictures.only(digits).startswith("It always draws one of the ten digits, even for other words or noise")


def test_what_is_shown_is_escaped():
    assert "&lt;b&gt;" in pictures.sentence("<b>", wrong=True)
    assert "<b>" not in pictures.figure("data:,", "<b>")
