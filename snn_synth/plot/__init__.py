"""Every picture of the project.

Each function returns a matplotlib figure of its own (no pyplot, no global state), sized for a page about 1000
pixels wide; :func:`save_figure` and :func:`save_animation` write them. Colours are Okabe and Ito's, and the
maps are perceptually uniform, so that the pictures read the same with a colour-blind eye and in grey.
"""

import warnings
from typing import Any

from snn_synth.plot.animation import image_forming, save_animation, side_by_side, word_forming
from snn_synth.plot.charts import (
    comparison_bars,
    grouped_bars,
    growth,
    learning_curve,
    share_bars,
    sweep_scatter,
    training_and_test,
)
from snn_synth.plot.figure import save_figure
from snn_synth.plot.images import digit_grid, image_grid, image_rows, reconstructions
from snn_synth.plot.neuron import architecture, membrane_trace
from snn_synth.plot.signals import first_spikes, hidden_map, spectrogram, spike_raster, waveform, word_to_image

__all__ = [
    "architecture",
    "comparison_bars",
    "digit_grid",
    "first_spikes",
    "grouped_bars",
    "growth",
    "hidden_map",
    "image_forming",
    "image_grid",
    "image_rows",
    "learning_curve",
    "membrane_trace",
    "reconstructions",
    "save_animation",
    "save_figure",
    "share_bars",
    "side_by_side",
    "spectrogram",
    "spike_raster",
    "sweep_scatter",
    "training_and_test",
    "waveform",
    "word_forming",
    "word_to_image",
]


def __getattr__(name: str) -> Any:
    if name == "word_journey":
        message = "`snn_synth.plot.word_journey` is now `word_to_image`; the old name goes in version 0.3"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return word_to_image
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
