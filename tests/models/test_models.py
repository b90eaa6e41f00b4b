import copy
import gc
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from snn_synth.encoding import poisson_encode, sample_keys
from snn_synth.errors import InputError
from snn_synth.models import ACANN, ACSNN, AEANN, AESNN, AudioToImage, ConvACSNN, SpikingStack
from tests.test_neurons import numpy_neuron


def _seeded(make):
    torch.manual_seed(0)
    return make()


def test_a_stack_equals_numpy_layers():
    net = _seeded(lambda: SpikingStack([20, 15, 10, 5])).double()
    with torch.no_grad():
        for w in net.parameters():
            w.mul_(4)
    spikes = (torch.rand(30, 4, 20, generator=torch.Generator().manual_seed(1)) < 0.5).double()
    out = net(spikes)
    x = spikes.numpy()
    for layer, (operator, _) in enumerate(net.layers):
        x, membranes = numpy_neuron(x @ operator.weight.detach().numpy().T, 0.9, 1.0)
        np.testing.assert_array_equal(out.layer_spikes[layer].detach().numpy(), x)
    np.testing.assert_allclose(out.membrane.detach().numpy(), membranes, rtol=1e-12)
    assert out.spikes is out.layer_spikes[2]
    assert out.hidden is out.layer_spikes[1]
    assert x.sum() > 0


def test_encoder_and_decoder_are_the_two_halves():
    ae = _seeded(lambda: AESNN(64, 16))
    spikes = (torch.rand(10, 3, 64, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    out = ae(spikes)
    assert torch.equal(ae.encode(spikes), out.hidden)
    assert torch.equal(ae.decode(out.hidden), out.spikes)
    assert out.hidden.sum() > 0


def test_state_does_not_leak_between_batches():
    ae = _seeded(lambda: AESNN(64, 16))
    spikes = torch.ones(10, 3, 64)
    first = ae(spikes).membrane
    ae(torch.ones(4, 7, 64)).membrane.sum().backward()  # another batch size, another length
    assert torch.equal(ae(spikes).membrane, first)
    copy.deepcopy(ae)


def test_models_are_freed():
    ae = AESNN(64, 16)
    ae(torch.ones(2, 1, 64))
    gone = weakref.ref(ae)
    del ae
    gc.collect()
    assert gone() is None


def test_reconstruct_is_the_firing_rate_of_the_output():
    ae = _seeded(lambda: AESNN(784, 30))
    images = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    keys = sample_keys(0, torch.arange(5))
    expected = ae(poisson_encode(images.flatten(1), 12, keys=keys)).spikes.mean(0).reshape(5, 1, 28, 28)
    result = ae.reconstruct(images, num_steps=12, keys=keys)
    assert torch.equal(result, expected.detach())
    assert not result.requires_grad


def test_audio_to_image_is_the_audiocoder_then_the_decoder():
    ac, ae = _seeded(lambda: (ACSNN(60, 40, 16), AESNN(36, 16)))
    a2i = AudioToImage(ac, ae, image_shape=(1, 6, 6))
    spectrograms = torch.rand(3, 6, 10, generator=torch.Generator().manual_seed(0))
    keys = sample_keys(1, torch.arange(3))
    stages = a2i(spectrograms, num_steps=20, keys=keys)
    spikes = poisson_encode(spectrograms.flatten(1), 20, keys=keys)
    assert torch.equal(stages.input_spikes, spikes)
    assert torch.equal(stages.hidden, ac(spikes).spikes)
    assert torch.equal(stages.images.flatten(1), ae.decode(stages.hidden).mean(0))
    assert torch.equal(a2i.synthesize(spectrograms, num_steps=20, keys=keys), stages.images)


def test_drawing_has_batch_norm_in_evaluation_and_leaves_the_mode_as_it_was():
    """A module from a checkpoint is in training mode, where an image would depend on the words beside it."""
    ac, ae = _seeded(lambda: (ConvACSNN(6, 10, widths=[3], code=16), AESNN(36, 16)))
    a2i = AudioToImage(ac, ae, image_shape=(1, 6, 6))
    spectrograms = torch.rand(3, 6, 10, generator=torch.Generator().manual_seed(0))
    keys = sample_keys(1, torch.arange(3))
    means = [norm.running_mean.clone() for norm in ac.modules() if isinstance(norm, torch.nn.BatchNorm1d)]
    ac.train()
    together = a2i.synthesize(spectrograms, num_steps=20, keys=keys)
    assert torch.equal(a2i.synthesize(spectrograms[:1], num_steps=20, keys=keys[:1]), together[:1])
    assert ac.training
    after = [norm.running_mean for norm in ac.modules() if isinstance(norm, torch.nn.BatchNorm1d)]
    assert all(torch.equal(*pair) for pair in zip(means, after, strict=True))
    assert torch.equal(a2i.eval().synthesize(spectrograms, num_steps=20, keys=keys), together)


def test_a_lower_rate_reaches_the_input_spikes():
    ac, ae = _seeded(lambda: (ACSNN(60, 40, 16), AESNN(36, 16)))
    a2i = AudioToImage(ac, ae, image_shape=(1, 6, 6))
    keys = sample_keys(1, torch.arange(3))
    stages = a2i(torch.ones(3, 60), num_steps=20, keys=keys, max_rate=0.25)
    assert torch.equal(stages.input_spikes, poisson_encode(torch.ones(3, 60), 20, max_rate=0.25, keys=keys))
    images = a2i.synthesize(torch.ones(3, 60), num_steps=20, keys=keys, max_rate=0.25)
    assert torch.equal(images, stages.images)


def test_ann_counterparts_have_the_sizes_of_the_snns():
    snn, ann = AESNN(784, 196), AEANN(784, 196)
    weights = [m.weight.shape for m in ann.modules() if isinstance(m, nn.Linear)]
    assert weights == [w.shape for w in snn.parameters()]
    weights = [m.weight.shape for m in ACANN(3900, 64, 196).modules() if isinstance(m, nn.Linear)]
    assert weights == [w.shape for w in ACSNN(3900, 64, 196).parameters()]
    images = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ann.reconstruct(images).flatten(1), ann(images.flatten(1)).clamp(0, 1))


def test_the_conventional_audiocoder_is_its_equation():
    network = _seeded(lambda: ACANN(6, 5, 4))
    w1, b1, w2, b2 = (p.detach().double().numpy() for p in network.parameters())
    x = 10 * torch.rand(3, 6, generator=torch.Generator().manual_seed(0))  # far enough for outputs below 0 and above 1
    expected = np.maximum(x.double().numpy() @ w1.T + b1, 0) @ w2.T + b2
    assert expected.min() < 0
    assert expected.max() > 1
    np.testing.assert_allclose(network(x).detach().numpy(), expected, rtol=1e-5, atol=1e-6)


MODELS = [
    lambda: AESNN(784, 30, alpha=0.2, threshold=1.5, slope=2.0),
    lambda: ACSNN(60, 40, 16, alpha=0.3),
    lambda: SpikingStack([5, 4, 3, 2], threshold=0.5),
    lambda: AEANN(30, 7),
    lambda: ACANN(30, 20, 7),
    lambda: ACSNN(60, 40, 16, norm=True),
    lambda: ConvACSNN(6, 10, [2, 3], 16),
    lambda: ConvACSNN(6, 10, [2], 16, norm=False, bias=True),
    lambda: AudioToImage(ACSNN(60, 40, 16, alpha=0.3), AESNN(36, 16), image_shape=(1, 6, 6)),
    lambda: AudioToImage(ConvACSNN(6, 10, [2, 3], 16), AESNN(36, 16), image_shape=(1, 6, 6)),
]


@pytest.mark.parametrize("make", MODELS)
def test_a_saved_model_comes_back_whole(make, tmp_path):
    model = _seeded(make)
    model.save_pretrained(tmp_path / "saved")
    model.save_pretrained(tmp_path / "saved")  # replaces what it wrote
    again = type(model).from_pretrained(str(tmp_path / "saved"))
    assert again.describe() == model.describe()
    ours, theirs = again.state_dict(), model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["saved"]
    assert sorted(p.name for p in (tmp_path / "saved").iterdir()) == ["config.json", "model.safetensors"]
    assert all(p.stat().st_mode & 0o044 == 0o044 for p in (tmp_path / "saved").iterdir()), "others may read it"


def test_damaged_and_foreign_folders_are_named(tmp_path):
    AESNN(8, 4).save_pretrained(tmp_path / "ae")
    with pytest.raises(InputError, match="Expected a saved ACSNN, got a AESNN"):
        ACSNN.from_pretrained(tmp_path / "ae")
    with pytest.raises(InputError, match=r"got .*nothing without config.json"):
        AESNN.from_pretrained(tmp_path / "nothing")
    weights = tmp_path / "ae" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(InputError, match="damaged"):
        AESNN.from_pretrained(tmp_path / "ae")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="Expected an empty folder or a saved model"):
        AESNN(8, 4).save_pretrained(tmp_path / "full")
    assert (tmp_path / "full" / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SpikingStack([4]), r"at least two layers .*got \[4\]"),
        (lambda: AESNN(784, 0), r"at least one neuron each, got \[784, 0, 784\]"),
        (lambda: AESNN(alpha=2), r"`alpha` in \[0, 1\], got 2"),
        (lambda: AESNN(784, 4)(torch.zeros(2, 784)), r"\[T, B, 784\], got \[2, 784\]"),
        (lambda: AESNN(784, 4).decode(torch.zeros(2, 1, 5)), r"\[T, B, 4\], got \[2, 1, 5\]"),
        (
            lambda: AESNN(784, 4).reconstruct(torch.zeros(2, 1, 27, 28)),
            r"784 pixels each, got \[2, 1, 27, 28\]",
        ),
        (
            lambda: AESNN(784, 4).reconstruct(torch.full((1, 784), 255.0)),
            r"values in \[0, 1\], got 255 to 255",
        ),
        (
            lambda: AESNN(784, 4).reconstruct(torch.zeros(1, 784), num_steps=0),
            "`num_steps` to be at least 1, got 0",
        ),
        (lambda: AudioToImage(ACSNN(5, 4, 3), AESNN(784, 4)), "audiocoder with 4 outputs.*got 3"),
        (lambda: AudioToImage(ACSNN(5, 4, 3), AESNN(36, 3)), r"image shape of 36 pixels, got \[1, 28, 28\]"),
        (
            lambda: AudioToImage(ACSNN(6, 4, 3), AESNN(784, 3)).synthesize(torch.zeros(2, 5)),
            r"C \* F = 6, got \[2, 5\]",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_saving_again_keeps_what_the_user_has_put_beside_the_model(tmp_path):
    AESNN(4, 2).save_pretrained(tmp_path / "mine")
    (tmp_path / "mine" / "README.md").write_text("a card")
    AESNN(4, 3).save_pretrained(tmp_path / "mine")
    assert (tmp_path / "mine" / "README.md").read_text() == "a card"
    assert AESNN.from_pretrained(tmp_path / "mine").sizes == [4, 3, 4]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
