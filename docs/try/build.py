"""Build the page that draws spoken digits in the browser: `make try-page`, or `python docs/try/build.py FOLDER`.

Beside the page's own files it needs the shipped network as ONNX, which is exported here; onnxruntime-web, which npm
fetches; and voices, which espeak-ng speaks. None of the three is committed. Without npm or espeak-ng the page is
built without them, and says so.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import torch

from snn_synth.interop.onnx import prepare
from snn_synth.models import AudioToImage
from snn_synth.web.samples import spoken

HERE = Path(__file__).parent
PAGE = ("index.html", "page.css", "page.js", "plot.js", "front-end.js")
RUNTIME = "onnxruntime-web@1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
WANTED = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def main(folder: Path) -> None:
    """Write everything that a server has to serve."""
    (folder / "ort").mkdir(parents=True, exist_ok=True)
    for name in PAGE:
        shutil.copyfile(HERE / name, folder / name)
    network = AudioToImage.from_pretrained("fsdd")
    prepare(network)(folder / "fsdd.onnx")
    samples = [file.stem for file in spoken(folder / "samples")]
    (folder / "model.json").write_text(json.dumps(describe(network) | {"samples": samples}))
    try:
        fetch_runtime(folder / "ort")
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"The page is built without onnxruntime-web and cannot draw: npm failed ({error})", file=sys.stderr)


def describe(network: AudioToImage) -> dict[str, object]:
    """What the page has to know of the network: its front end, its labels, the key of its input spikes.

    Each word is drawn with the random generator's seed 0, as `snn-synth synthesize` does.
    """
    key = int(torch.randint(1 << 62, (1,), generator=torch.Generator().manual_seed(0)))
    layers = len(network.audiocoder.layers)
    return {
        "front_end": network.front_end["init_args"],
        "labels": network.labels,
        "key": [key & 0xFFFFFFFF, key >> 32],
        "hidden": f"spikes_{layers}",
        "output": f"spikes_{layers + 1}",
    }


def fetch_runtime(folder: Path) -> None:
    """Fetch onnxruntime-web of one version by npm, check it, and keep what the page needs."""
    stamp = folder / "version"
    if stamp.is_file() and stamp.read_text() == RUNTIME:
        return
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["npm", "pack", RUNTIME, "--silent"], cwd=scratch, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(scratch).glob("*.tgz")
        found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != SHA512:
            raise OSError(f"{RUNTIME} has the checksum {found}, not {SHA512}")
        with tarfile.open(archive) as files:
            for name in WANTED:
                member = files.extractfile(f"package/dist/{name}")
                assert member is not None
                with member, (folder / name).open("wb") as target:
                    shutil.copyfileobj(member, target)
    stamp.write_text(RUNTIME)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1] / "build/docs/try")
