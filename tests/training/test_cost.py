import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.evaluation import inference_layers, inference_spikes, layer_costs, total_cost
from snn_synth.models import ConvAESNN, TemporalCodingAE
from snn_synth.training import InferenceCost, LitAutoencoder, LitTemporalCodingAE
from tests.training.tiny import TinyImages, firing_autoencoder, quiet_trainer


@pytest.mark.parametrize(
    ("network", "batch_size"),  # 25 images: the last batch is ragged
    [
        (firing_autoencoder(12, 10), 3),
        (firing_autoencoder(12, 10), 10),
        (ConvAESNN(size=(3, 4), widths=[2, 3], threshold=0.1), 10),
    ],
)
def test_what_is_logged_is_what_all_samples_at_once_cost(tmp_path, network, batch_size):
    data = TinyImages(batch_size)
    module = LitAutoencoder(network, num_steps=9)
    (logged,) = quiet_trainer(tmp_path, callbacks=[InferenceCost()]).validate(module, data, verbose=False)
    batch = data.batch(data.test_index)
    spikes = inference_spikes(network, module.encode(batch.images, batch.index, epoch=-1))
    costs = layer_costs(spikes, [operator.fan_out for operator, _ in inference_layers(network)])
    assert all(cost["spikes"] > 0 for name, cost in costs.items() if name != "output")
    for name, cost in costs.items():
        for key in ("spikes", "operations", "updates", "macs"):
            assert logged[f"inference/{name}/{key}"] == pytest.approx(cost[key], rel=1e-6)
    total = total_cost(costs)
    for key in ("spikes", "operations", "updates", "macs", "energy", "conventional_energy"):
        assert logged[f"inference/{key}"] == pytest.approx(total[key], rel=1e-6)


def test_each_validation_is_counted_anew(tmp_path):
    network, data = firing_autoencoder(12, 10), TinyImages()
    trainer = quiet_trainer(tmp_path, callbacks=[InferenceCost()])
    module = LitAutoencoder(network, num_steps=9)
    first, second = (trainer.validate(module, data, verbose=False)[0] for _ in range(2))
    assert first == second
    with torch.no_grad():
        next(network.parameters()).fill_(-1.0)
    (silent,) = trainer.validate(module, data, verbose=False)
    assert silent["inference/hidden/operations"] == 0


def test_a_module_without_spikes_is_refused(tmp_path):
    module = LitTemporalCodingAE(TemporalCodingAE(12, 3))
    with pytest.raises(InputError, match=r"Expected a module that gives `spikes` .*: leave InferenceCost out"):
        quiet_trainer(tmp_path, callbacks=[InferenceCost()]).validate(module, TinyImages(), verbose=False)
