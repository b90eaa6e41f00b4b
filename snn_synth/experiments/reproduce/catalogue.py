"""What the paper measured of autoencoders, by the name of its table's row or its figure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from snn_synth.errors import InputError
from snn_synth.experiments.reproduce.recipes import BEST_ANN, BEST_SNN, PAPER_ADAM, PAPER_SGD, PAPER_SNN, Recipe
from snn_synth.experiments.reproduce.trials import Trial


@dataclass(frozen=True)
class Experiment:
    """A row of the table or a figure: the trials that stand side by side in it.

    Args:
        shows: what the paper shows there, in a sentence.
        arms: the trials, by the name that they have in the picture.
        minutes: that it takes on two cores, for one seed, quick and full.
        paper: the paper's standardized test MSE of an arm, where it prints the number.
    """

    shows: str
    arms: Mapping[str, Trial]
    minutes: tuple[float, float]
    paper: Mapping[str, float] = field(default_factory=dict)


def _row(images: str, hidden: int, num_steps: int) -> dict[str, Trial]:
    snn = Trial(PAPER_SNN, images=images, hidden=hidden, num_steps=num_steps)
    ann = replace(snn, kind="ann")
    return {
        "SNN paper": snn,
        "SNN best": replace(snn, recipe=BEST_SNN[images]),
        "ANN paper, SGD": replace(ann, recipe=PAPER_SGD[images], output="sigmoid"),
        "ANN paper, Adam": replace(ann, recipe=PAPER_ADAM[images], output="sigmoid"),
        "ANN best": replace(ann, recipe=BEST_ANN[images]),
    }


_PAPER = ("SNN paper", "ANN paper, SGD", "ANN paper, Adam")
_ROWS = {
    "table1-mnist": (_row("mnist", 196, 15), (0.357, 0.226, 0.122)),
    "table1-fashion-512": (_row("fashion_mnist", 512, 60), (0.178, 0.416, 0.300)),
    "table1-fashion-1024": (_row("fashion_mnist", 1024, 60), (0.140, 0.418, 0.387)),
}
_MNIST, _FASHION = (_ROWS[row][0] for row in ("table1-mnist", "table1-fashion-1024"))
_DIGITS, _CLOTHES = _MNIST["SNN paper"], _FASHION["SNN paper"]


def _as_in_paper(row: str) -> dict[str, Trial]:
    return {name.replace(" paper", f"-{row.rsplit('-', 1)[1]}"): _ROWS[row][0][name] for name in _PAPER}


EXPERIMENTS = {
    **{
        row: Experiment(
            "The table's row: the spiking autoencoder beside conventional ones of its size, test MSE after one epoch.",
            arms,
            minutes=(1, 4) if row == "table1-mnist" else (3, 20),
            paper=dict(zip(_PAPER, published, strict=True)),
        )
        for row, (arms, published) in _ROWS.items()
    },
    "fig3": Experiment(
        "A small leak helps, a large one harms; 0.1 regenerates the input spikes best.",
        {f"leak {alpha:g}": replace(_DIGITS, alpha=alpha) for alpha in (0.0, 0.01, 0.1, 0.3, 0.5)},
        minutes=(1, 5),
    ),
    "fig4a": Experiment(
        "Without the mask the training does not converge; with it 85 % of the error vector are zero.",
        {"mask": _DIGITS, "no mask": replace(_DIGITS, mask=False)},
        minutes=(0.5, 2),
    ),
    "fig4b": Experiment(
        "A longer input spike train lowers the error.",
        {f"T = {T}": replace(_DIGITS, num_steps=T) for T in (5, 10, 15, 20, 30, 60)},
        minutes=(1, 8),
    ),
    "fig5": Experiment(
        "On MNIST the spiking autoencoder lies between conventional ones trained by SGD and by Adam.",
        {name.replace(" paper", ""): _MNIST[name] for name in _PAPER},
        minutes=(0.5, 2),
        paper=dict(zip(("SNN", "ANN, SGD", "ANN, Adam"), _ROWS["table1-mnist"][1], strict=True)),
    ),
    "fig6": Experiment(
        "On Fashion-MNIST the spiking autoencoders, with 512 and 1024 hidden neurons, beat the conventional ones.",
        _as_in_paper("table1-fashion-512") | _as_in_paper("table1-fashion-1024"),
        minutes=(4, 30),
    ),
    "fig7a": Experiment(
        "More hidden neurons lower the error, from 64 to 196 more than from 196 to 400.",
        {f"{hidden} hidden": replace(_DIGITS, hidden=hidden) for hidden in (64, 196, 400)},
        minutes=(0.5, 3),
    ),
    "fig7b": Experiment(
        "At no learning rate of Adam does the conventional autoencoder reach the spiking one on Fashion-MNIST.",
        {"SNN, T = 60": _CLOTHES}
        | {
            f"ANN, lr {lr:g}": replace(_FASHION["ANN paper, Adam"], recipe=Recipe(lr=lr))
            for lr in (1e-4, 1e-3, 5e-3, 1e-2, 1e-1)
        },
        minutes=(3, 20),
    ),
    "fig7c": Experiment(
        "On Fashion-MNIST the number of time steps matters more: at 5 and 10 the conventional autoencoder is better.",
        {f"SNN, T = {T}": replace(_CLOTHES, num_steps=T) for T in (5, 10, 15, 30, 60)}
        | {"ANN, Adam": _FASHION["ANN paper, Adam"]},
        minutes=(4, 30),
    ),
}


def find(name: str) -> dict[str, Experiment]:
    """The experiments of a name: one of them, or ``table1`` for all of its rows.

    Raises:
        InputError: if there is none.

    Example:
        >>> list(find("table1"))
        ['table1-mnist', 'table1-fashion-512', 'table1-fashion-1024']
    """
    found = {key: one for key, one in EXPERIMENTS.items() if name in (key, key.split("-")[0])}
    if not found:
        raise InputError(f"Expected an experiment of {['table1', *EXPERIMENTS]}, got {name!r}")
    return found
