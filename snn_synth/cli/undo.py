"""A run that fails before it has learned anything leaves no folder behind."""

import shutil
import sys
from pathlib import Path
from types import TracebackType


class Undo:
    """Removes, if its block raises, the watched folder and its parents that were not there before.

    Example:
        >>> import tempfile
        >>> run = Path(tempfile.mkdtemp()) / "runs" / "first"
        >>> with Undo() as undo:
        ...     undo.watch(run)
        ...     run.mkdir(parents=True)
        ...     raise ValueError("no data")
        Traceback (most recent call last):
        ValueError: no data
        >>> run.parent.exists()
        False
    """

    def __init__(self) -> None:
        """Watch nothing."""
        self.folder: Path | None = None

    def watch(self, folder: Path) -> None:
        """Note the outermost folder that is still to be made."""
        new = [path for path in (folder, *folder.parents) if not path.exists()]
        self.folder = new[-1] if new else None

    def keep(self) -> None:
        """Leave everything: there is something to lose."""
        self.folder = None

    def __enter__(self) -> "Undo":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or self.folder is None:
            return
        if "wandb" in sys.modules:  # it still writes into the folder
            import wandb

            wandb.finish(exit_code=1)
        shutil.rmtree(self.folder, ignore_errors=True)
