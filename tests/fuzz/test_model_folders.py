"""Damaged model folders: the description, the weights, or both."""

import pytest

from snn_synth.models import ACSNN, AESNN, AudioToImage, HybridVAE, SpikingStack, TemporalCodingAE
from snn_synth.models.pretrained import Pretrained
from tests.fuzz.harness import fuzz

WORDS = [
    *(
        f'"{name}"'.encode()
        for name in ("model", "arguments", "AESNN", "ACSNN", "AudioToImage", "inputs", "hidden", "sizes")
    ),
    *(
        b"null",
        b"true",
        b"NaN",
        b"Infinity",
        b"1e999",
        b"[[[[",
        b'{"model": "SpikingStack", "arguments": {"sizes": [9, 9]}}',
    ),
    *(b"F32", b"F64", b'"shape":[', b'"data_offsets":[', b"100000000"),
]
NAMES = ("config.json", "model.safetensors")
MODELS = [
    lambda: AESNN(6, 4),
    lambda: SpikingStack([5, 4, 3]),
    lambda: HybridVAE(4, 3, 7, num_steps=4, decoding="conv", outputs=4),
    lambda: TemporalCodingAE(4, 3),
    lambda: AudioToImage(ACSNN(6, 5, 4), AESNN(4, 4), image_shape=(1, 2, 2), front_end={"class_path": "x"}),
]


@pytest.mark.parametrize("part", ["config.json", "model.safetensors", "both"])
def test_folders(part, tmp_path):
    """In one file, so that both can be damaged: the folder's two files with a line between."""
    line = b"\n--8<--\n"
    seeds = []
    for number, make in enumerate(MODELS):
        make().save_pretrained(tmp_path / str(number))
        config, weights = ((tmp_path / str(number) / name).read_bytes() for name in NAMES)
        seeds.append({"config.json": config, "model.safetensors": weights, "both": config + line + weights}[part])
    keep = {name: (tmp_path / "0" / name).read_bytes() for name in NAMES}
    folder = tmp_path / "damaged"
    folder.mkdir()

    def read(path):
        content = path.read_bytes()
        config, _, weights = content.partition(line) if part == "both" else (content, b"", content)
        (folder / "config.json").write_bytes(keep["config.json"] if part == "model.safetensors" else config)
        (folder / "model.safetensors").write_bytes(keep["model.safetensors"] if part == "config.json" else weights)
        Pretrained.from_pretrained(folder)

    print(fuzz(read, seeds, tmp_path / "file", words=WORDS))
