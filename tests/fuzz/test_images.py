import io

import numpy as np
import pytest
from PIL import Image

from snn_synth.data import read_image
from tests.fuzz.harness import fuzz

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)


def image(kind, mode="RGB", pixels=PIXELS, **options):
    buffer = io.BytesIO()
    (Image.fromarray(pixels) if mode is None else Image.fromarray(pixels).convert(mode)).save(buffer, kind, **options)
    return buffer.getvalue()


TURNED = Image.Exif()
TURNED[0x0112] = 6
DEEP = PIXELS[..., 0].astype(np.uint16) * 257
SEEDS = {
    "png": [
        *(image("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
        image("PNG", None, DEEP),
        image("PNG", exif=TURNED),
    ],
    "jpeg": [image("JPEG"), image("JPEG", "L"), image("JPEG", "CMYK"), image("JPEG", progressive=True, exif=TURNED)],
    "tiff": [
        *(image("TIFF", mode) for mode in ("1", "L", "RGB", "RGBA", "CMYK", "LAB")),
        image("TIFF", None, DEEP),
        image("TIFF", None, PIXELS[..., 0].astype(np.float32) / 255),
        *(image("TIFF", compression=kind) for kind in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")),
    ],
    "others": [image("BMP"), image("BMP", "P"), image("GIF", "P"), image("WEBP"), image("WEBP", "RGBA", lossless=True)],
}
WORDS = {
    "png": [b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"eXIf", b"zTXt", b"acTL"],
    "jpeg": [b"\xff\xd8", b"\xff\xc2", b"\xff\xda", b"\xff\xe1\0\x20Exif\0\0", b"\xff\xff", b"MPF\0"],
    "tiff": [b"II*\0", b"MM\0*", b"\x01\x01\x04\0", b"\x02\x01\x03\0", b"\x03\x01\x03\0"],
    "others": [b"BM", b"GIF89a", b"!\xf9\x04", b"RIFF", b"WEBPVP8L", b"VP8X", b"ALPH"],
}


@pytest.mark.parametrize("kind", SEEDS)
def test_images(kind, tmp_path):
    fuzz(lambda path: read_image(path, 8, color=True), SEEDS[kind], tmp_path / "a.png", words=WORDS[kind])
