"""A run's folder: no other run in it meanwhile, and none left of a run that fails before it has learned anything."""

import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from snn_synth.errors import InputError
from snn_synth.files import sole_writer


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
        self.held = ExitStack()

    def watch(self, folder: Path) -> None:
        """Note the outermost folder that is still to be made."""
        new = [path for path in (folder, *folder.parents) if not path.exists()]
        self.folder = new[-1] if new else None

    def keep(self) -> None:
        """Leave everything: there is something to lose."""
        self.folder = None

    def lock(self, folder: Path) -> None:
        """Keep other runs out of a folder until the end of the block.

        Raises:
            InputError: if another is at work there, whose folder it is then.
        """
        try:
            self.held.enter_context(sole_writer(folder))
        except InputError:
            self.keep()
            raise

    def passing_folder(self) -> str:
        """A folder that is gone at the end of the block."""
        return self.held.enter_context(tempfile.TemporaryDirectory(prefix="snn_synth."))

    def __enter__(self) -> "Undo":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.held:
            if kind is not None and self.folder is not None:
                if "wandb" in sys.modules:  # it still writes into the folder
                    import wandb

                    wandb.finish(exit_code=1)
                shutil.rmtree(self.folder, ignore_errors=True)
