"""Models on the Hugging Face Hub: what is downloaded is data, and a saved folder is uploaded with a card."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from snn_synth.errors import InputError, brief

FILES = ("config.json", "model.safetensors")
CARD = "README.md"
LIBRARY = "snn_synth"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def is_hub_name(name: str | Path) -> bool:
    """Whether a name may be one of a model on the Hub, ``user/name``: a path of a checkpoint is none.

    Example:
        >>> [is_hub_name(name) for name in ("user/name", "mnist", "./runs/ae", "runs/ae/best.ckpt", "runs/best.ckpt")]
        [True, False, False, False, False]
    """
    return isinstance(name, str) and bool(_NAME.fullmatch(name)) and not name.endswith(".ckpt")


def download(
    name: str,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
) -> Path:
    """The folder of a model's two files, from the Hub or from the cache; nothing else of the repository is fetched.

    Args:
        name: ``user/name``.
        revision: branch, tag or commit; ``main`` if not given.
        token: of the user; the one that ``hf auth login`` has stored if not given, and none if False.
        cache_dir: instead of huggingface_hub's own.
        local_files_only: use the cache alone, without the network.

    Raises:
        InputError: if huggingface_hub is not installed, or there is no such repository or revision, no access to it, or
            no network; or if the repository holds no saved model.
    """
    with _sentences(name, revision, "download"):
        folder: str = _api(token).snapshot_download(
            name,
            revision=revision,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            allow_patterns=list(FILES),
        )
    for file in FILES:
        if not (Path(folder) / file).is_file():
            raise InputError(f"Expected a saved model, with {' and '.join(FILES)}, in {name} of the Hub, got no {file}")
    return Path(folder)


def upload(
    folder: Path,
    name: str,
    card: str,
    token: str | bool | None = None,
    private: bool | None = None,
    revision: str | None = None,
    message: str = "Upload a model of snn_synth",
) -> str:
    """Put a saved model into a repository, which is made if it is not there, in one commit; its address.

    Args:
        folder: that ``save_pretrained`` wrote.
        name: ``user/name``.
        card: of the model; a ``README.md`` that the repository has already stays.
        token: as in :func:`download`.
        private: whether a new repository is.
        revision: a branch, made if it is not there; ``main`` if not given.
        message: of the commit.

    Raises:
        InputError: as :func:`download`, or without the right to write.
    """
    if not is_hub_name(name):
        raise InputError(f"Expected a repository `user/name` on the Hub, got {name!r}")
    with _sentences(name, None, "upload"):
        api = _api(token)
        api.create_repo(name, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(name, branch=revision, exist_ok=True)
        if not api.file_exists(name, CARD, revision=revision):
            (folder / CARD).write_text(card)
        committed = api.upload_folder(
            repo_id=name, folder_path=folder, revision=revision, commit_message=message, allow_patterns=[*FILES, CARD]
        )
    return str(committed.commit_url)


def model_card(
    name: str,
    kind: type,
    license: str | None = None,
    tags: Sequence[str] = (),
    datasets: Sequence[str] = (),
    metrics: Mapping[str, float] | None = None,
) -> str:
    """A card in Markdown, with the metadata that the Hub reads in front.

    Args:
        name: ``user/name``.
        kind: class of the model.
        license: its identifier, such as ``mit`` or ``cc-by-4.0``.
        tags: beside ``spiking-neural-network``, ``snntorch`` and the class.
        datasets: identifiers of those that it was trained on, such as ``ylecun/mnist``.
        metrics: measured values by name.

    Example:
        >>> from snn_synth.models import AESNN
        >>> print(model_card("me/digits", AESNN, license="mit", metrics={"standardized_mse": 0.025}))
        ---
        library_name: snn_synth
        license: mit
        tags:
        - spiking-neural-network
        - snntorch
        - AESNN
        metrics:
        - standardized_mse
        ---
        <BLANKLINE>
        # digits
        <BLANKLINE>
        An `AESNN` of the Python package snn_synth, spiking networks that make images.
        ...
    """
    metadata: dict[str, Any] = {
        "library_name": LIBRARY,
        "license": license,
        "tags": ["spiking-neural-network", "snntorch", kind.__name__, *tags],
        "datasets": [*datasets],
        "metrics": [*(metrics or {})],
    }
    written = yaml.safe_dump({key: value for key, value in metadata.items() if value}, sort_keys=False)
    module = "snn_synth.models" if kind.__module__.startswith("snn_synth.") else kind.__module__
    parts = [
        f"---\n{written}---\n",
        f"# {name.partition('/')[2]}\n",
        f"An `{kind.__name__}` of the Python package snn_synth, spiking networks that make images.\n",
        f"```python\nfrom {module} import {kind.__name__}\n\n"
        f'model = {kind.__name__}.from_pretrained("{name}")  # pip install "snn_synth[hub]"\n```\n',
    ]
    if metrics:
        rows = "".join(f"| {key} | {value:.4g} |\n" for key, value in metrics.items())
        parts.append(f"| measured | |\n|---|---|\n{rows}")
    return "\n".join(parts)


def _api(token: str | bool | None) -> Any:
    from huggingface_hub import HfApi

    from snn_synth import __version__

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token, library_name=LIBRARY, library_version=__version__)


@contextmanager
def _sentences(name: str, revision: str | None, what: str) -> Iterator[None]:
    """Turn what huggingface_hub raises into one sentence."""
    try:
        from huggingface_hub import errors
    except ImportError as error:
        raise InputError(
            f"Expected the package huggingface_hub (extra `hub`) to {what} {name}, which is no folder here, got none: "
            f"pip install 'snn_synth[hub]' ({error})"
        ) from None
    try:
        yield
    except errors.GatedRepoError:
        said = "access to it has to be granted first: ask on its page, and log in by `hf auth login` or give `token`"
    except errors.RepositoryNotFoundError:
        said = "there is none of that name, or it is private: log in by `hf auth login` or give `token`"
    except errors.RevisionNotFoundError:
        said = f"it has no revision {revision or 'main'!r}"
    except errors.LocalEntryNotFoundError:
        said = "it is not in the cache, and the Hub was not or could not be reached"
    except errors.HfHubHTTPError as error:
        said = _status(error)
    except errors.HFValidationError as error:
        said = brief(error)
    except OSError as error:  # the cache's disk, a token that is not there, or no network
        said = brief(error)
    except Exception as error:
        if not type(error).__module__.startswith(("httpx", "httpcore", "requests", "hf_xet")):
            raise
        said = f"the Hub could not be reached ({brief(error)})"
    else:
        return
    raise InputError(f"Expected to {what} the model {name} of the Hub, which is no folder here either, but {said}")


def _status(error: Any) -> str:
    status = getattr(error.response, "status_code", None)
    if status in (401, 403):
        return f"the Hub refuses it to this user ({status}): log in by `hf auth login` or give a `token` that may"
    return f"the Hub answered {brief(error)}"
