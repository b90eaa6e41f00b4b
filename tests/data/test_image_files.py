import io
import os
import struct

import numpy as np
import pytest
import torch
from PIL import Image, JpegImagePlugin

from snn_synth.data import image_files, read_image
from snn_synth.errors import InputError

RAMP = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
COLOUR = np.stack([RAMP, RAMP[::-1], 255 - RAMP], axis=2)


def saved(path, image, **options):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "tif", "tiff", "bmp", "PNG"])
def test_lossless_files_come_back_as_they_are(tmp_path, suffix):
    assert np.array_equal(read_image(saved(tmp_path / f"a.{suffix}", RAMP)), RAMP)
    colour = read_image(saved(tmp_path / f"b.{suffix}", COLOUR), color=True)
    assert np.array_equal(colour, COLOUR.transpose(2, 0, 1))
    assert colour.dtype == torch.uint8
    assert colour.is_contiguous()


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "webp", "gif"])
def test_lossy_files_come_back_nearly(tmp_path, suffix):
    smooth = np.linspace(40, 200, 32 * 24).reshape(32, 24).astype(np.uint8)
    found = read_image(saved(tmp_path / f"a.{suffix}", smooth, quality=95))
    assert np.abs(found.numpy().astype(int) - smooth).max() <= 6


def test_the_first_frame_of_several(tmp_path):
    path = tmp_path / "two.gif"
    first, second = Image.fromarray(RAMP), Image.fromarray(255 - RAMP)
    first.save(path, save_all=True, append_images=[second])
    assert np.abs(read_image(path).numpy().astype(int) - RAMP).max() <= 1


def test_colour_becomes_grey_by_luma_and_grey_becomes_three_channels(tmp_path):
    red, green, blue = np.moveaxis(COLOUR.astype(float), 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue  # ITU-R 601-2
    found = read_image(saved(tmp_path / "colour.png", COLOUR))
    assert np.abs(found.numpy() - luma).max() <= 1
    assert np.array_equal(read_image(saved(tmp_path / "grey.png", RAMP), color=True), np.stack([RAMP] * 3))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_become_8(tmp_path, suffix):
    deep = RAMP.astype(np.uint16) * 257
    assert np.array_equal(read_image(saved(tmp_path / f"a.{suffix}", deep)), RAMP)


def test_floating_point_in_0_1(tmp_path):
    assert np.array_equal(read_image(saved(tmp_path / "a.tif", RAMP.astype(np.float32) / 255)), RAMP)
    for number, wrong in enumerate((RAMP.astype(np.float32), np.full((2, 2), np.nan, np.float32))):
        path = saved(tmp_path / f"{number}.tif", wrong)
        with pytest.raises(InputError, match="pixels from 0 to 1, got") as caught:
            read_image(path)
        assert str(path) in str(caught.value)
    with pytest.raises(InputError, match="from 0 to 65535"):
        read_image(saved(tmp_path / "b.tif", np.full((2, 2), 70000, np.int32)))


def test_a_bit_a_pixel_palettes_and_cmyk(tmp_path):
    stripes = Image.fromarray(RAMP > 100)
    assert np.array_equal(read_image(saved(tmp_path / "bits.png", stripes)), 255 * (RAMP > 100))
    palette = Image.fromarray(RAMP % 2 + RAMP // 120, "L").convert("P")
    palette.putpalette([255, 0, 0, 0, 255, 0])
    found = read_image(saved(tmp_path / "palette.png", palette), color=True)
    assert np.array_equal(found[0], 255 * (RAMP < 120))
    assert np.array_equal(found[1], 255 * (RAMP >= 120))
    ink = Image.new("CMYK", (3, 2), (0, 255, 255, 0))
    assert (torch.tensor([255, 0, 0]) == read_image(saved(tmp_path / "ink.tif", ink), color=True).flatten(1).T).all()


def test_what_is_transparent_is_black(tmp_path):
    alpha = np.where(RAMP < 120, 0, 255).astype(np.uint8)
    seen = np.where(RAMP < 120, 0, RAMP)
    assert np.array_equal(read_image(saved(tmp_path / "la.png", np.stack([RAMP, alpha], 2))), seen)
    rgba = np.concatenate([COLOUR, alpha[:, :, None]], 2)
    found = read_image(saved(tmp_path / "rgba.png", rgba), color=True)
    assert np.array_equal(found, np.where(RAMP < 120, 0, COLOUR.transpose(2, 0, 1)))
    palette = Image.fromarray(RAMP)
    path = saved(tmp_path / "key.png", palette, transparency=50)  # one grey value means transparent
    assert np.array_equal(read_image(path), np.where(RAMP == 50, 0, RAMP))


def test_a_photograph_is_turned_as_its_camera_was(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # its top is to the right: turn it by 90 degrees clockwise
    path = saved(tmp_path / "turned.png", RAMP, exif=exif)
    assert np.array_equal(read_image(path), np.rot90(RAMP, -1))


def test_size_cuts_at_the_centre_or_pads(tmp_path):
    wide = np.zeros((20, 60), np.uint8)
    wide[:, 20:40] = 200
    wide[:, :20] = 90
    path = saved(tmp_path / "wide.png", wide)
    assert read_image(path, size=10).shape == (10, 10)
    assert read_image(path, size=(6, 8)).shape == (6, 8)
    assert (read_image(path, size=20) == 200).all(), "the middle third"
    padded = read_image(path, size=60, pad=True)
    assert np.array_equal(padded, np.pad(wide, ((20, 20), (0, 0))))


def test_making_smaller_averages(tmp_path):
    stripes = np.tile(np.array([0, 200], np.uint8), (40, 20))
    found = read_image(saved(tmp_path / "stripes.png", stripes), size=10)
    assert np.abs(found[2:-2, 2:-2].numpy().astype(int) - 100).max() <= 5


@pytest.mark.parametrize("size", [0, -3, True, 2.5, "big", (3,), (3, 4, 5), (0, 4), 10**9, [3, "4"]])
def test_what_is_no_size_is_refused(size, tmp_path):
    with pytest.raises(InputError, match="`size`"):
        read_image(saved(tmp_path / "a.png", RAMP), size=size)


def test_files_that_are_no_images_are_named(tmp_path):
    png = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50), dtype=np.uint8)).save(png, "PNG")
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    for name, content in {
        "empty.png": b"",
        "words.png": b"no image at all",
        "cut.png": png.getvalue()[:1000],
        "print.png": postscript,
    }.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"Expected an image file \(PNG, JPEG") as caught:
            read_image(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "dangling"])
def test_what_is_no_file_is_refused(kind, tmp_path):
    path = tmp_path / "a.png"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "dangling":
        path.symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(InputError, match="got none at"):
        read_image(path)


def test_a_file_that_would_fill_the_memory_is_refused_by_its_header(tmp_path, monkeypatch):
    path = saved(tmp_path / "bomb.png", Image.new("1", (30_000, 30_000)))
    assert path.stat().st_size < 200_000
    with pytest.raises(InputError, match=r"67,108,864 pixels"):
        read_image(path, size=10)
    monkeypatch.setattr(image_files, "MAX_PIXELS", 23)
    with pytest.raises(InputError, match="at most 23 pixels, got 6 x 4"):
        read_image(saved(tmp_path / "a.png", RAMP))


@pytest.mark.parametrize(("values", "dtype"), [([0, 1], np.float32), ([0, 65535], np.uint16), ([0, 255], np.uint8)])
def test_black_and_white_are_within_the_range(values, dtype, tmp_path):
    path = saved(tmp_path / "a.tif", np.array([values], dtype))
    assert read_image(path).tolist() == [[0, 255]]


def test_pixels_below_zero_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"pixels from 0 to 1, got -0\.5 to 0\.5"):
        read_image(saved(tmp_path / "a.tif", np.array([[-0.5, 0.5]], np.float32)))


def test_12_bits_become_8(tmp_path):
    """A TIFF file by hand: two pixels of 12 bits, 0xABC and 0xFFF, in three bytes."""
    tags = {256: 2, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 3}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    pixels = bytes([0xAB, 0xCF, 0xFF, 0])
    path = tmp_path / "a.tif"
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 12) + pixels + struct.pack("<H", len(tags)) + entries + bytes(4))
    assert read_image(path).tolist() == [[round(0xABC * 255 / 0xFFF), 255]]


@pytest.mark.parametrize(("width", "decoded"), [(560, 140), (640, 80)])
@pytest.mark.parametrize(("color", "mode"), [(False, "L"), (True, "RGB")])
def test_a_photograph_is_decoded_no_larger_than_needed(width, decoded, color, mode, tmp_path, monkeypatch):
    """By 1/2, 1/4 or 1/8, as far as four times the size is left."""
    image = Image.linear_gradient("L").resize((width, width))
    path = saved(tmp_path / "a.jpg", Image.merge("RGB", [image, image.rotate(90), image.rotate(180)]), quality=95)
    seen = set()
    load = JpegImagePlugin.JpegImageFile.load
    monkeypatch.setattr(
        JpegImagePlugin.JpegImageFile, "load", lambda self: (seen.add((self.mode, *self.size)), load(self))[1]
    )
    small = read_image(path, size=(10, 20), color=color)
    assert seen == {(mode, decoded, decoded)}
    seen.clear()
    whole = Image.fromarray(np.moveaxis(read_image(path, color=True).numpy(), 0, 2))
    assert seen == {("RGB", width, width)}
    expected = image_files.image_pixels(whole, (10, 20), color)
    assert (small.int() - expected.int()).abs().max() <= 4


def test_of_an_image_nothing_is_asked_but_its_pixels():
    image = Image.fromarray(np.array([[0, 90, 180, 0]], np.uint8)).convert("RGB")
    assert image_files.image_pixels(image).tolist() == [[0, 90, 180, 0]]
    assert image_files.image_pixels(image, (1, 2)).tolist() == [[90, 180]], "cut, without borders"


@pytest.mark.parametrize(("size", "found"), [(1, (1, 1)), (4096, (4096, 4096)), ([4096, 1], (4096, 1)), (None, None)])
def test_sizes_from_1_to_4096(size, found):
    assert image_files.check_size(size) == found


@pytest.mark.parametrize("size", [0, 4097, [1, 0], [4097, 1]])
def test_other_sizes_are_refused(size):
    with pytest.raises(InputError, match="from 1 to 4096 pixels, got"):
        image_files.check_size(size)


@pytest.mark.parametrize(("own_size", "advice"), [(True, "set `size`"), (False, "make `size` smaller")])
def test_images_take_up_to_a_gigabyte(own_size, advice):
    first = torch.zeros(1, dtype=torch.uint8).expand(1 << 20)
    image_files.check_memory(1 << 10, first, own_size)
    with pytest.raises(InputError, match=f"at most 1,073,741,824 bytes, got 1025 of 1,048,576: {advice}$"):
        image_files.check_memory(1025, first, own_size)


def test_an_image_may_have_as_many_pixels_as_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "MAX_PIXELS", 24)
    assert read_image(saved(tmp_path / "a.png", RAMP)).shape == (4, 6)


def test_of_an_image_a_little_too_large_pillow_does_not_warn(tmp_path):
    path = saved(tmp_path / "large.png", Image.new("1", (10_000, 10_000)))
    with pytest.raises(InputError, match=r"at most 67,108,864 pixels, got 10000 x 10000: .*large\.png"):
        read_image(path)


def test_why_a_file_is_no_image(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"no image at all")
    with pytest.raises(InputError, match=r"a\.png \(none of these: convert it\)"):
        read_image(path)
    path.write_bytes(saved(tmp_path / "whole.png", COLOUR.repeat(20, 0)).read_bytes()[:60])
    with pytest.raises(InputError, match=r"a\.png \((?!none of these|it has more than)"):
        read_image(path)
