"""Every experiment by its name: the paper's rows and figures, what it leaves open, unheard speakers, generators."""

from snn_synth.errors import InputError
from snn_synth.experiments.reproduce.ablation import ABLATIONS
from snn_synth.experiments.reproduce.choices import CHOICES
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.figures import FIGURES
from snn_synth.experiments.reproduce.generators import GENERATORS
from snn_synth.experiments.reproduce.outlook import OUTLOOK
from snn_synth.experiments.reproduce.readings import READ
from snn_synth.experiments.reproduce.rows import ROWS
from snn_synth.experiments.reproduce.searches import SEARCHES
from snn_synth.experiments.reproduce.speakers import UNSEEN
from snn_synth.experiments.reproduce.spoken import SPOKEN

EXPERIMENTS: dict[str, Experiment] = {
    **ROWS,
    **ABLATIONS,
    **FIGURES,
    **CHOICES,
    **READ,
    **OUTLOOK,
    **UNSEEN,
    **GENERATORS,
    **SPOKEN,
}
GROUPS = "table1", "readings"
"""Names of several experiments at once, one for each row of the table: ``table1-mnist``, ..."""


def find(name: str) -> dict[str, Experiment]:
    """The experiments of a name: one of them, ``table1`` or ``readings`` for all of its rows, or ``all``.

    Raises:
        InputError: if there is none.

    Example:
        >>> list(find("table1"))
        ['table1-mnist', 'table1-fashion-512', 'table1-fashion-1024', 'table1-a2i-a', 'table1-a2i-b']
    """
    if name == "all":
        return dict(EXPERIMENTS)
    every = EXPERIMENTS | SEARCHES
    found = {key: one for key, one in every.items() if name == key or (name in GROUPS and key.startswith(f"{name}-"))}
    if not found:
        raise InputError(f"Expected an experiment of {['all', *GROUPS, *every]}, got {name!r}")
    return found
