"""Trials of the other generators, on the 5,000 images that need no download."""

import copy
import dataclasses
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from snn_synth.data import MNISTSubset
from snn_synth.evaluation import FAD, FADNetwork
from snn_synth.experiments.reproduce.classifiers import ImageClassifierTrial
from snn_synth.experiments.reproduce.diffusion import VQDTrial, sample_cost
from snn_synth.experiments.reproduce.esvae import ESVAETrial, esvae_cost
from snn_synth.experiments.reproduce.first_spike import FirstSpikeTrial
from snn_synth.experiments.reproduce.gan import GANTrial, gan_cost
from snn_synth.experiments.reproduce.generators import GENERATORS
from snn_synth.experiments.reproduce.hybrid import HybridTrial
from snn_synth.experiments.reproduce.predictor import PredictorTrial
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.experiments.reproduce.run import run
from snn_synth.experiments.reproduce.samples import SampleTrial
from snn_synth.experiments.reproduce.sampling import HeldOutVQDTrial, SamplingTrial
from snn_synth.experiments.reproduce.trials import DRAWN
from snn_synth.experiments.reproduce.trivial import SAMPLERS, TrivialTrial
from snn_synth.models import ESVAE, SpikingGAN, SpikingTokenDenoiser, SpikingVQAE, SpikingVQDiffusion
from snn_synth.models.gan import CANDIDATES
from snn_synth.neurons import SigmoidLeaky

RECIPE = Recipe(lr=3e-3, weight_decay=0.0, one_cycle=True, epochs=1, batch_size=50)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Without W&B, and without the files of the Frechet autoencoder distance."""
    monkeypatch.setenv("WANDB_MODE", "disabled")
    torch.manual_seed(0)
    fad = FAD(FADNetwork(), torch.zeros(64), torch.eye(64))
    monkeypatch.setattr("snn_synth.experiments.reproduce.samples.load_fad", lambda images, root: fad)


def of_subset(trial):
    few = {"samples": 150} if isinstance(trial, SampleTrial) else {}
    return dataclasses.replace(trial, images="mnist_subset", recipe=RECIPE, **few)


def drawn(trial, trials):
    return torch.from_numpy(np.load(trials / trial.key(0) / DRAWN))


@pytest.mark.slow
def test_a_hybrid_trial_says_what_the_classifier_recognizes(tmp_path):
    trial = of_subset(HybridTrial(RECIPE, hidden=40, latent=16, num_steps=8))
    trial = dataclasses.replace(trial, recipe=dataclasses.replace(RECIPE, epochs=3))
    test = trial.run(0, tmp_path)["test"]
    assert test["pixel_mse"] < test["mean_image"]
    assert 0.2 < test["recognized"] < 1, "untrained or with the mean image it is 0.1"
    assert 40 > test["operations"] / test["spikes"] > 1, "each spike reaches 40 neurons, or 16, or none"
    assert drawn(trial, tmp_path).shape == (2, 10, 28, 28)


@pytest.mark.slow
def test_an_esvae_trial_measures_reconstructions_and_samples(tmp_path):
    trial = of_subset(ESVAETrial(RECIPE, latent=16, num_steps=2))
    test = trial.run(0, tmp_path)["test"]
    assert test["pixel_mse"] < test["mean_image"], "after 90 batches"
    assert test["sure_of_shuffled"] < 0.05
    assert test["classifier_frechet"] > 0
    assert 0 <= test["sure"] <= 1
    assert drawn(trial, tmp_path).shape == (7, 10, 28, 28)


def test_an_esvae_trial_of_another_side_enlarges_the_images():
    data = of_subset(ESVAETrial(RECIPE, side=32)).data(None, 0)
    small = MNISTSubset(train=False).images
    data.setup("test")
    assert data.image_shape == (1, 32, 32)
    expected = F.interpolate(small[:20, None].double(), (32, 32), mode="bilinear")[:, 0]
    assert (data.test_set.images[:20] - expected).abs().max() <= 0.51, "to the nearest of 256 greys"


@pytest.mark.slow
def test_a_gan_trial_measures_samples(tmp_path):
    trial = of_subset(GANTrial(RECIPE))
    test = trial.run(0, tmp_path)["test"]
    assert test["sure_of_shuffled"] < 0.05
    assert test["sure"] > 0.01, "after 90 batches"
    assert drawn(trial, tmp_path).shape == (6, 10, 28, 28)


@pytest.mark.slow
def test_a_diffusion_trial_measures_samples_without_and_with_guidance(tmp_path):
    trial = of_subset(VQDTrial(RECIPE, channels=(4, 8), codebook=16, hidden=64))
    recipe = dataclasses.replace(RECIPE, epochs=3)
    found = dataclasses.replace(trial, recipe=recipe, autoencoder_epochs=2, sampling_steps=5).run(0, tmp_path)
    assert found["test"]["pixel_mse"] < found["test"]["mean_image"], "after 180 batches"
    assert {"fad", "sure", "right", "completed"} <= set(found["test"])
    assert found["guided"].keys() <= found["test"].keys()
    assert found["guided"]["fad"] != found["test"]["fad"]
    assert found["reconstructed"]["fad"] > 0
    assert "right" not in found["unlabelled"], "nobody asked for a class"
    assert found["unlabelled"]["fad"] != found["test"]["fad"]
    assert VQDTrial(RECIPE).quick().recipe.epochs == 2, "an epoch of each stage"


HELD_OUT = HeldOutVQDTrial(dataclasses.replace(RECIPE, epochs=2), "mnist_subset", channels=(3, 4), hidden=8)


def test_sampling_settings_are_measured_on_training_images_that_the_network_does_not_see(tmp_path, monkeypatch):
    """Held-out images in the place of the samples are perfect ones; the test set is not read."""
    trial = SamplingTrial(RECIPE, diffusion=dataclasses.replace(HELD_OUT, autoencoder_epochs=1), samples=400)
    data = trial.data(None, 0)
    data.prepare_data()
    data.setup("fit")
    assert not set(data.validation_index.tolist()) & set(data.train_index.tolist())
    labels = data.train_set.labels[data.validation_index]
    classes = [data.validation_index[labels == label] for label in range(10)]
    samples = torch.stack([data.train_set.images[places[torch.arange(40) % len(places)]] for places in classes], 1)
    samples = samples.flatten(0, 1)[:, None].float() / 255
    monkeypatch.delattr(data, "test_set")

    def measured(drawn):
        monkeypatch.setattr(VQDTrial, "sample", lambda self, module, count: drawn)
        return trial.measure(None, data)["val"]

    held_out, noise = measured(samples), measured(torch.rand(400, 1, 28, 28))
    assert held_out["right"] > 0.95
    assert held_out["pixel_variance"] == pytest.approx(1, abs=0.1)
    assert held_out["nearest_ratio"] == pytest.approx(1, abs=0.1), "no image that the network is trained on"
    assert held_out["fad"] < 0.05 * noise["fad"]
    assert held_out["sure_of_held_out"] == noise["sure_of_held_out"] == pytest.approx(held_out["sure"], abs=0.05)


@pytest.mark.slow
def test_sampling_settings_share_one_network(tmp_path):
    diffusion = dataclasses.replace(HELD_OUT, train_images=500, autoencoder_epochs=1)
    trials = [
        SamplingTrial(RECIPE, diffusion=diffusion, sampling_steps=steps, temperature=temperature, samples=100)
        for steps, temperature in ((2, 1.0), (2, 0.5), (3, 1.0))
    ]
    found = [trial.run(0, tmp_path)["val"] for trial in trials]
    assert len({one["fad"] for one in found}) == 3, "each has images of its own"
    guided = dataclasses.replace(trials[0], guidance=0.7)
    assert guided.module(0, guided.data(None, 0), tmp_path).network.guidance == 0.7
    assert len(list(tmp_path.glob("*/network"))) == 1
    assert drawn(trials[0], tmp_path).shape == (5, 10, 28, 28)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_samples_without_a_network_are_measured_like_those_of_one(sampler, tmp_path):
    trial = of_subset(TrivialTrial(RECIPE, sampler=sampler))
    found = trial.run(0, tmp_path)
    assert {"fad", "fad_evaluation", "sure", "sure_second", "recall", "copies"} <= set(found["test"])
    assert found["test"]["copies"] == pytest.approx(float("images" in sampler and sampler != "test images"), abs=0.05)
    assert found["trial"]["sampler"] == sampler
    assert (found["curve"], found["cost"]) == ({"batch": []}, {})
    assert drawn(trial, tmp_path).shape == (5, 10, 28, 28)
    assert trial.run(0, tmp_path) == found, "it is measured once"


@pytest.mark.slow
def test_a_first_spike_trial_says_when_it_decides(tmp_path):
    trial = of_subset(FirstSpikeTrial(RECIPE, hidden=50))
    test = trial.run(0, tmp_path)["test"]
    assert test["accuracy"] > 0.4
    assert 0 < test["decision"] < 1
    assert test["spikes"] > 1


@pytest.mark.slow
def test_a_classifier_is_right_on_most(tmp_path):
    test = of_subset(ImageClassifierTrial(RECIPE)).run(0, tmp_path)["test"]
    assert test["accuracy"] > 0.8


@pytest.mark.slow
def test_a_predictor_trial_is_measured_beside_the_most_common_answer(tmp_path):
    trial = PredictorTrial(dataclasses.replace(RECIPE, lr=1e-2), delay=-1, sequences=2_000, steps=40)
    test = trial.run(0, tmp_path)["test"]
    assert test["accuracy"] > 1.2 * test["most_common"] > 0
    assert 0 < test["rate"] < 1


def test_the_cost_of_an_esvae_is_that_of_its_layers_one_by_one():
    """Every spike of every layer through weights of 1, which count what it reaches."""
    torch.manual_seed(0)
    vae = ESVAE(side=8, channels=(3, 4), latent=5, num_steps=4).eval()
    images = torch.rand(6, 1, 8, 8)
    found = esvae_cost(vae, images)

    trains = []
    spikes = vae.encoder[0].constant(2 * images - 1, 4)
    for layer in vae.encoder[1:]:
        trains.append((layer.operator, spikes))
        spikes = layer(spikes)
    trains.append((vae.to_code.operator, spikes.flatten(2)))
    code = vae(images, torch.Generator().manual_seed(0)).code
    trains.append((vae.from_code.operator, code))
    spikes = vae.from_code(code).unflatten(2, vae.small)
    for layer in vae.decoder:
        trains.append((layer.operator, spikes))
        spikes = layer(spikes)
    trains.append((vae.draw, spikes))
    total = sum(train.sum().item() for _, train in trains)
    operations = 0.0
    for operator, train in trains:
        ones = copy.deepcopy(operator)
        for name, weight in ones.named_parameters():
            torch.nn.init.constant_(weight, 0.0 if name == "bias" else 1.0)
        operations += ones(train.flatten(0, 1)).sum().item()
    assert found["spikes"] == pytest.approx(total / 6)
    assert found["operations"] == pytest.approx(operations / 6, rel=1e-5)


def test_the_cost_of_a_chosen_image_counts_both_networks_for_each_candidate():
    torch.manual_seed(0)
    gan = SpikingGAN(side=3, latent=4, hidden=6, classes=2, num_steps=8)
    noise = gan.noise(torch.tensor([0, 1, 1]), torch.Generator().manual_seed(0))
    drawn = gan.generate(noise)
    found = gan_cost(gan, drawn, gan.discriminate(drawn.times))
    times, spikes, operations = noise, 0.0, 0.0
    for layers in (gan.generator, gan.discriminator):
        if layers is gan.discriminator:
            times = torch.cat([times, 8 - times], 1)  # the pixels' own spikes are among them
        for layer in layers:
            neurons, inputs = layer.weight.shape
            pulses = len(times) * (inputs - times.shape[1])
            spikes += (times < 8).sum().item() + pulses
            operations += neurons * ((times < 8).sum().item() + pulses)
            times = layer(times)
    spikes += (times < 8).sum().item()
    assert found["operations"] == pytest.approx(CANDIDATES * operations / 3)
    assert found["spikes"] == pytest.approx(CANDIDATES * spikes / 3)


def test_quick_trials_are_at_most_a_tenth_as_long():
    for experiment in GENERATORS.values():
        for variant in experiment.variants.values():
            quick = variant.quick()
            if isinstance(variant, TrivialTrial):
                assert quick == variant, "nothing is trained"
            elif isinstance(variant, PredictorTrial):
                assert quick.sequences <= 0.1 * variant.sequences
            else:
                batches = quick.limit * quick.recipe.epochs
                assert batches <= 0.1 * (60_000 // variant.recipe.batch_size) * variant.recipe.epochs


@pytest.mark.slow
@pytest.mark.parametrize("name", GENERATORS)
def test_an_experiment_writes_its_numbers_and_pictures(name, tmp_path):
    """Two of its variants, two batches each: all that it shows is measured."""
    experiment = GENERATORS[name]
    tiny = {"recipe": dataclasses.replace(RECIPE, batch_size=50)}
    variants = {}
    for variant in (next(iter(experiment.variants)), list(experiment.variants)[-1]):
        trial = experiment.variants[variant]
        few = (
            {"sequences": 100} if isinstance(trial, PredictorTrial) else {"images": "mnist_subset", "train_images": 100}
        )
        if isinstance(trial, SampleTrial):
            few["samples"] = 100
        if isinstance(trial, VQDTrial):
            few |= {"recipe": dataclasses.replace(RECIPE, epochs=2), "autoencoder_epochs": 1, "sampling_steps": 2}
            few |= {"channels": (4, 8), "codebook": 16, "hidden": 64}
        if isinstance(trial, ESVAETrial):
            few |= {"latent": 16, "num_steps": 2}
        variants[variant] = dataclasses.replace(trial, **(tiny | few))
    metrics = run(name, dataclasses.replace(experiment, variants=variants), tmp_path, preset="full")
    shown = {measure for one in metrics["variants"].values() for measure in one}
    assert {*experiment.measures, *experiment.also} <= shown
    assert all(set(experiment.measures) <= set(one) for one in metrics["variants"].values())
    assert (tmp_path / name / "errors.png").is_file()


def test_the_cost_of_a_drawn_image_counts_every_spike_and_what_it_reaches(monkeypatch):
    vqd = SpikingVQDiffusion(SpikingVQAE(8, (3, 4), 2, 5), SpikingTokenDenoiser(5, 4, 10, hidden=6), 3).eval()
    torch.nn.init.normal_(vqd.denoiser.input.weight)
    fired, scan = [], SigmoidLeaky.scan

    def keep(neuron, currents, *args, **kwargs):
        out = scan(neuron, currents, *args, **kwargs)
        fired.append((neuron, out[0]))
        return out

    monkeypatch.setattr(SigmoidLeaky, "scan", keep)
    found = sample_cost(vqd, torch.arange(2))

    def reach(operator, shape):
        """How many outputs each single input has an influence on, one after the other."""
        ones = copy.deepcopy(operator)
        for weight in ones.parameters():
            torch.nn.init.ones_(weight)
        if ones.bias is not None:
            torch.nn.init.zeros_(ones.bias)
        inputs = torch.eye(shape.numel()).view(-1, *shape)
        return (ones(inputs) > 0).flatten(1).sum(1).double()

    decoder = vqd.autoencoder.decoder
    readers = {layer.neuron: after.operator for layer, after in itertools.pairwise(decoder)}
    readers[decoder[-1].neuron] = vqd.autoencoder.draw
    spikes = operations = 0
    for neuron, out in fired:
        each = out.double().sum(0).flatten(1)  # [2, neurons]
        if neuron is vqd.denoiser.hidden_neurons:
            reached = torch.full((6,), float(vqd.denoiser.output.out_features)).double()
        elif neuron is vqd.denoiser.output_neurons:
            reached = torch.full((each.shape[1],), 5.0).double()  # the tokens of its place
        else:
            reached = reach(readers[neuron], out.shape[2:])
        spikes += float(each.sum()) / 2
        operations += float((each * reached).sum()) / 2
    assert spikes > 0
    assert found["spikes"] == pytest.approx(spikes)
    assert found["operations"] == pytest.approx(operations)
    rows = vqd.denoiser.input.weight.numel()
    assert found["products"] == 3 * rows + 4 * 2 * 2, "three steps, then a 1 x 1 convolution of 2 x 2 vectors"
