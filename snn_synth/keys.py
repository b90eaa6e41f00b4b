"""Keys of measures: ``<stage>/<measure>``; those that were renamed work by their former names until 0.3."""

from collections.abc import Iterable

FORMER = {"standardized_mse": "mse", "pixel_mse": "mse"}
"""Measures that modules log, and what they were called."""


def former(key: str) -> str | None:
    """The former name of a key; None if it has had but one.

    Example:
        >>> former("val/pixel_mse"), former("val/spike_mse")
        ('val/mse', None)
    """
    stage, slash, measure = key.rpartition("/")
    return f"{stage}{slash}{FORMER[measure]}" if measure in FORMER else None


def same(key: str, keys: Iterable[str]) -> list[str]:
    """Those of some keys of one module, or of one file, that stand for the same measure, by either name.

    Example:
        >>> same("val/mse", ["val/pixel_mse", "val/mse", "test/mse"])
        ['val/pixel_mse', 'val/mse']
    """
    return [one for one in keys if key in (one, former(one)) or former(key) == one]


def present(keys: Iterable[str]) -> list[str]:
    """Some keys in order, without former names of others.

    Example:
        >>> present(["val/mse", "val/pixel_mse", "train/loss"])
        ['train/loss', 'val/pixel_mse']
    """
    found = set(keys)
    return sorted(found - {former(key) for key in found})
