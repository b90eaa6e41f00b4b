"""Training the hybrid variational autoencoder."""

import functools
import itertools

import pytest
import torch
import torch.nn.functional as F

from snn_synth.encoding import latency_encode, poisson_encode, sample_keys
from snn_synth.errors import InputError
from snn_synth.functional import refractory_spikes, synaptic_traces
from snn_synth.models import HybridVAE
from snn_synth.training import LitHybridVAE
from snn_synth.training.loaders import ImageBatch
from tests.models.test_hybrid import forced
from tests.training.tiny import TinyImages, quiet_trainer


def test_the_mean_gradient_is_that_of_the_expected_loss():
    """One neuron over three steps has 8 codes; with input by times nothing else is random."""
    torch.manual_seed(0)
    vae = HybridVAE(4, 5, 1, num_steps=3, decoding="linear", outputs=4, n_basis=2, memory=2).double()
    with torch.no_grad():
        vae.hidden.weight.mul_(3)
        vae.readout.weight.mul_(3)
        vae.readout.feedback.fill_(1.5)
    image = torch.tensor([[[[1.0, 0.2], [0.7, 0.0]]]], dtype=torch.float64)
    spikes = latency_encode(image.flatten(1), 3)
    hidden = refractory_spikes(vae.hidden(synaptic_traces(spikes))).detach()
    learned = [*vae.readout.parameters(), *vae.decoder.parameters()]  # the hidden layer has a stand-in derivative

    codes = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)), dtype=torch.float64).T[:, :, None]
    log_p = forced(vae.readout, hidden.expand(3, 8, 5), codes)
    pixels = vae.decoder(codes)
    wrong = F.binary_cross_entropy_with_logits(pixels, image.flatten(1).expand(8, 4), reduction="none").mean(1)
    log_r = torch.where(codes > 0, 0.3, 0.7).log().sum((0, 2))
    expected = (log_p.exp() * (wrong + 0.5 * (log_p - log_r) / 3)).sum()
    exact = torch.cat([g.flatten() for g in torch.autograd.grad(expected, learned)])

    module = LitHybridVAE(vae, "time", beta=0.5, draws=3)
    module.log = lambda *_, **__: None
    batch = ImageBatch(image.expand(40, 1, 2, 2), torch.zeros(40), torch.arange(40))
    estimates = []
    for seed in range(800):
        module.seed = seed
        loss = module.training_step(batch, 0)
        estimates.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, learned)]))
    found = torch.stack(estimates)
    error = found.std(0) / len(found) ** 0.5
    assert ((found.mean(0) - exact).abs() < 3.5 * error + 1e-12).all()
    assert exact.norm() > 10 * error.norm(), "the noise does not hide a wrong estimator"


def test_pixels_are_encoded_as_random_spikes_of_seed_epoch_and_sample_or_as_one_spike_each():
    batch = TinyImages().batch(torch.arange(4, 9))
    pixels = batch.images.flatten(1)
    module = LitHybridVAE(HybridVAE(12, 5, 4, num_steps=6, outputs=12), seed=3)
    for epoch in (0, 2):
        spikes = poisson_encode(pixels, 6, keys=sample_keys(3, epoch, batch.index))
        assert torch.equal(module.encode(batch, epoch), spikes)
    module = LitHybridVAE(module.network, "time")
    assert torch.equal(module.encode(batch, 0), latency_encode(pixels, 6))
    one = batch._replace(images=batch.images[:1], index=batch.index[:1])
    assert torch.equal(module.encode(one, 0), latency_encode(pixels[:1], 6))


def test_what_is_measured_is_the_mean_over_all_images(tmp_path):
    torch.manual_seed(0)
    vae, data, trainer = HybridVAE(12, 5, 4, num_steps=6, outputs=12), TinyImages(), quiet_trainer(tmp_path)
    module = LitHybridVAE(vae, seed=3)
    losses, errors, rates, drawn = [], [], [], []
    for batch in data.test_dataloader():
        spikes = poisson_encode(batch.images.flatten(1), 6, keys=sample_keys(3, -1, batch.index))
        generator = torch.Generator().manual_seed(int(sample_keys(3, -1, batch.index[:1])))
        with torch.no_grad():
            out = vae(spikes, generator)
        images, share = batch.images.flatten(1), torch.sigmoid(out.pixels)
        losses += -(images * share.log() + (1 - images) * (1 - share).log()).mean(1)
        errors += (share - images).square().mean(1)
        rates += out.code.mean((0, 2))
        drawn.append(share.view(-1, 1, 3, 4))
    assert len(losses) == 25
    wanted = {"loss": losses, "pixel_mse": errors, "rate": rates}
    for run, stage in ((trainer.validate, "val"), (trainer.test, "test")):
        [found] = run(module, data, verbose=False)
        assert found == {
            f"{stage}/{name}": pytest.approx(torch.stack(values).mean().item(), rel=1e-5)
            for name, values in wanted.items()
        }
    torch.testing.assert_close(torch.cat(trainer.predict(module, data)), torch.cat(drawn))


def test_the_encoder_learns_by_a_share_of_the_rate(tmp_path):
    one_cycle = functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, pct_start=0.5, cycle_momentum=False)
    vae = HybridVAE(12, 5, 4, num_steps=3, outputs=12)
    adam = functools.partial(torch.optim.Adam, lr=0.1)
    module = LitHybridVAE(vae, "time", encoder_share=0.2, optimizer=adam, lr_scheduler=one_cycle)
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_val_batches=0)
    trainer.fit(module, TinyImages())
    decoder, encoder = trainer.optimizers[0].param_groups
    assert {id(p) for p in encoder["params"]} == {id(p) for p in (*vae.hidden.parameters(), *vae.readout.parameters())}
    assert {id(p) for p in decoder["params"]} == {id(p) for p in vae.decoder.parameters()}
    assert (decoder["max_lr"], encoder["max_lr"]) == pytest.approx((0.1, 0.02))
    assert encoder["lr"] == pytest.approx(0.2 * decoder["lr"])

    plain = LitHybridVAE(vae, "time", encoder_share=0.2, optimizer=adam)
    assert [group["lr"] for group in plain.configure_optimizers().param_groups] == pytest.approx([0.1, 0.02])


def test_bad_input():
    with pytest.raises(InputError, match="Expected `encoder_share` above 0, got 0"):
        LitHybridVAE(HybridVAE(), encoder_share=0)
    with pytest.raises(InputError, match=r"Expected `encoding` of \['rate', 'time', 'events'\], got 'phase'"):
        LitHybridVAE(HybridVAE(), encoding="phase")
    with pytest.raises(InputError, match="Expected `draws` to be at least 2, got 1"):
        LitHybridVAE(HybridVAE(), draws=1)
    with pytest.raises(InputError, match=r"Expected `beta` to be at least 0, got -0\.5"):
        LitHybridVAE(HybridVAE(), beta=-0.5)
    for rate in (0, 1):
        with pytest.raises(InputError, match=rf"Expected `reference_rate` in \(0, 1\), got {rate}"):
            LitHybridVAE(HybridVAE(), reference_rate=rate)
    assert LitHybridVAE(HybridVAE(), beta=0, draws=2).draws == 2
