"""The future work of the paper's last section: convolutions, and stacked autoencoders."""

from dataclasses import replace

from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.experiments.reproduce.rows import CLOTHES_512, DIGITS

WIDTHS = (16, 8)  # 392 neurons of code, in 7 x 7 places
CONV_SNN = Recipe(lr=1.2e-2, batch_size=20, one_cycle=True, loss="rate", neuron_share=3)
CONV_ANN = Recipe(lr=4e-3, batch_size=10, one_cycle=True)
DEEP = replace(DIGITS["SNN best"].recipe, epochs=3)
_flat, _deep = (
    replace(DIGITS["SNN best"], recipe=DEEP, hidden=64),
    replace(DIGITS["SNN best"], recipe=DEEP, hidden=64, before=(256,)),
)
OUTLOOK = {
    "conv-fashion": Experiment(
        "The paper's outlook: an autoencoder of convolutions on Fashion-MNIST, T=60, one epoch, beside the fully "
        "connected one with 512 hidden neurons.",
        {
            "SNN best": CLOTHES_512["SNN best"],
            "SNN, convolutions": replace(CLOTHES_512["SNN best"], recipe=CONV_SNN, widths=WIDTHS),
            "ANN best": CLOTHES_512["ANN best"],
            "ANN, convolutions": replace(CLOTHES_512["ANN best"], recipe=CONV_ANN, widths=WIDTHS),
        },
        minutes=(2, 20),
    ),
    "stacked": Experiment(
        "The paper's outlook: autoencoders on top of each other. MNIST, T=15, three epochs, 64 neurons of code: one "
        "layer, two that learn together, and two that learn alone for an epoch each, then together.",
        {
            "784-64-784": _flat,
            "784-256-64, together": _deep,
            "784-256-64, layer by layer": replace(_deep, greedy_epochs=1),
        },
        minutes=(1, 15),
    ),
}
