"""What is silenced on the terminal, and for how long."""

import logging
import warnings

import pytest

from snn_synth.training.console import quiet_lightning


def test_lightnings_announcements_are_silenced_and_come_back_after_an_error():
    logger = logging.getLogger("lightning.pytorch")
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        with pytest.raises(ZeroDivisionError), quiet_lightning():
            assert not logger.isEnabledFor(logging.WARNING)
            assert logger.isEnabledFor(logging.ERROR)
            raise ZeroDivisionError
        assert logger.level == logging.INFO
    finally:
        logger.setLevel(before)


def test_lightnings_warnings_are_silenced_and_those_of_others_are_not():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with quiet_lightning():
            for module in ("lightning.pytorch.trainer", "lightnings", "torch.nn"):
                warnings.warn_explicit(f"of {module}", UserWarning, "file.py", 1, module)
    assert [str(one.message) for one in caught] == ["of lightnings", "of torch.nn"]
