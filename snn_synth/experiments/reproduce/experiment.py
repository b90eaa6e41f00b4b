"""What an experiment is: trials side by side, and what the paper says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from snn_synth.experiments.reproduce.trials import Trial


@dataclass(frozen=True)
class Experiment:
    """A row of the table or a figure: the trials that stand side by side in it.

    Args:
        shows: what stands side by side there, and what the paper says of it.
        variants: the trials, by the name that they have in the picture.
        minutes: that it takes on two cores, for one seed, quick and full.
        paper: the paper's standardized test MSE of a variant, where it prints the number.
        measures: what the picture shows, of ``<part>/<measure>``, all on one scale; the first one's measure also
            while training.
        also: what docs/results.md shows besides.
        groups: variants, each by a name within its group, whose mean is a result of its own; the picture then shows the
            measures by group, as bars.
        shown_from: of the rows that a trial drew, the first one in the picture; -4 are the samples of a generator.
    """

    shows: str
    variants: Mapping[str, Trial]
    minutes: tuple[float, float]
    paper: Mapping[str, float] = field(default_factory=dict)
    measures: tuple[str, ...] = ("test/standardized_mse",)
    also: tuple[str, ...] = ()
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    shown_from: int = 1
