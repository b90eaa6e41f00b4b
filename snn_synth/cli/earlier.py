"""What an earlier run left in a folder is kept, and never mixed with the next run's."""

from pathlib import Path

RECORDS = ("config.yaml", "metrics.json", "validate.json", "test.json", "predictions.safetensors", "predictions.png")
PICTURES = ("images", "samples", "spikes")


def set_aside(folder: Path) -> Path | None:
    """Move an earlier run's files into a folder of their own, ``earlier/1``, ``earlier/2`` and so on.

    Loggers give each run a folder anyway, and an audiocoder's checkpoint holds its autoencoder; these stay.

    Args:
        folder: of the runs.

    Returns:
        Where the files are now; None if there was no run.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "config.yaml").write_text("model: ..."), (folder / "best.ckpt").write_text("weights")
        >>> sorted(path.name for path in set_aside(folder).iterdir()), [path.name for path in folder.iterdir()]
        (['best.ckpt', 'config.yaml'], ['earlier'])
    """
    if not (folder / "config.yaml").is_file():
        return None
    number = 1
    while (place := folder / "earlier" / str(number)).exists():
        number += 1
    place.mkdir(parents=True)
    found = [path for name in (*RECORDS, *PICTURES, "*.ckpt") for path in folder.glob(name)]
    for path in sorted(found, key=lambda path: path.name == "config.yaml"):  # last: a kill between two is no loss
        path.rename(place / path.name)
    return place
