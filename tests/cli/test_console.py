"""What is said on the terminal: sentences of ours, and nothing that nobody can act on."""

import logging
import warnings

import jsonargparse
import pytest

from snn_synth.cli.console import without_noise
from snn_synth.data import class_folders


@pytest.mark.parametrize("package", [class_folders, jsonargparse])
def test_our_warnings_are_a_sentence_without_a_line_of_the_source(package):
    before = warnings.formatwarning
    with without_noise():
        said = warnings.formatwarning(UserWarning("Left out 1 file"), UserWarning, package.__file__, 3)
        assert said == "snn-synth: warning: Left out 1 file\n"
        assert warnings.formatwarning(UserWarning("old"), UserWarning, "/else/where.py", 3).startswith(
            "/else/where.py:3"
        )
    assert warnings.formatwarning is before


def test_what_nobody_can_act_on_is_hidden():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with without_noise():
            for message in (
                "The number of training batches (7) is smaller than the logging interval Trainer(log_every_n_steps=20)",
                "Couldn't infer the batch indices fetched from your dataloader: `DataLoader`",
                "You have overridden `on_before_batch_transfer` in `LightningModule` but have passed in a ...",
                "something else",
            ):
                warnings.warn(message, stacklevel=1)
    assert [str(one.message) for one in seen] == ["something else"]


def test_so_are_messages(caplog):
    connector = logging.getLogger("lightning.pytorch.trainer.connectors.checkpoint_connector")
    with caplog.at_level(logging.INFO, connector.name), without_noise():
        connector.info("`weights_only` was not set, defaulting to `False`.")
        connector.info("Restoring states")
    assert caplog.messages == ["Restoring states"]
