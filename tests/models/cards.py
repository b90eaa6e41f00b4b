"""What the cards of the shipped networks say, and what they do."""

import re

import torch

from snn_synth.data import FSDD, MNIST, FashionMNIST, build_front_end, spectrograms
from snn_synth.encoding import sample_keys
from snn_synth.experiments import imagination
from snn_synth.functional import standardized_mse
from snn_synth.models import AESNN, ImageClassifier
from snn_synth.models.pretrained import Pretrained, shipped_models

# How well a card says that its network regenerates images: by which measure.
REGENERATE = dict.fromkeys(["mnist", "mnist-portable", "fashion-mnist", "fashion-mnist-portable"], "standardized_mse")
REGENERATE |= dict.fromkeys(["mnist-temporal", "mnist-hybrid", "mnist-esvae"], "pixel_mse")
DRAW = ["mnist-gan", "mnist-esvae", "mnist-vqd", "fashion-mnist-vqd"]


def said(name, measure):
    """A number of a model's card."""
    text = (shipped_models()[name] / "README.md").read_text()
    return float(re.search(rf"^\| {re.escape(measure)} \| ([\d.]+) \|$", text, re.M)[1])


def regenerated(name, count):
    """The mean error of the first test images, by other spikes than those of the card."""
    test, model = (FashionMNIST if name.startswith("fashion") else MNIST)(train=False), Pretrained.from_pretrained(name)
    errors = []
    generator = torch.Generator().manual_seed(1)
    for places in torch.arange(min(count, len(test))).split(500):
        images = test.images[places].unsqueeze(1).float() / 255
        if isinstance(model, AESNN):
            drawn = model.reconstruct(images, int(said(name, "num_steps")), keys=sample_keys(7, places))
            errors.append(standardized_mse(drawn, images))
        else:
            given = {} if name == "mnist-temporal" else {"generator": generator}
            errors.append((model.reconstruct(images, **given) - images).square().flatten(1).mean(1))
    return torch.cat(errors).mean().item()


def sampled(name, count):
    """Which shares of new images a classifier is sure of, and right about their class; by the measures' names."""
    generator = torch.Generator().manual_seed(1)
    if name == "fsdd-condition":
        labels, drawn = _spoken(count, generator)
    else:
        network, labels = Pretrained.from_pretrained(name), torch.arange(count) % 10
        drawn = network.sample(count, generator, *([labels] if name.endswith("vqd") else []))
    classifier = "fashion-mnist-classifier" if name.startswith("fashion") else "mnist-classifier"
    probability = ImageClassifier.from_pretrained(classifier).probabilities(drawn)
    found = {"sure": probability.max(1).values > 0.9, "right": probability.argmax(1) == labels}
    kept = {"fsdd-condition": ["right"], "mnist-gan": ["sure"], "mnist-esvae": ["sure"]}.get(name, found)
    return {measure: found[measure].float().mean().item() for measure in kept}


def _spoken(count, generator):
    """Digits of test recordings, four images of each, and their labels."""
    spoken, source = imagination.load("fsdd")
    speech = FSDD()
    _, test = speech.official_split()
    chosen = test[:: max(1, len(test) * 4 // count)]
    values = spectrograms(speech, build_front_end(source.model.front_end))[chosen].float()
    return speech.labels[chosen].repeat_interleave(4), spoken(values, 4, generator).flatten(0, 1)
