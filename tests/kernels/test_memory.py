import gc
import threading
import types
from collections import defaultdict

import numpy as np
import pytest
import torch

from snn_synth.kernels.cpu import memory


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch):
    gc.collect()  # what tests before this one have left goes before, not within it
    monkeypatch.setattr(memory, "_blocks", defaultdict(list))
    monkeypatch.setattr(memory, "_kept", 0)


def kept():
    return sum(size * len(blocks) for size, blocks in memory._blocks.items())


def test_memory_comes_back_when_its_last_view_is_gone():
    first = memory.empty(100, 30)
    view, place = first[3:], first.data_ptr()
    del first
    assert memory.empty(100, 30).data_ptr() != place  # the view still holds it
    del view
    assert memory.empty(100, 30).data_ptr() == place


def test_what_is_in_use_is_not_shared():
    tensors = [memory.empty(50).fill_(i) for i in range(20)]
    assert all((tensor == i).all() for i, tensor in enumerate(tensors))


def test_nor_is_what_is_being_made(monkeypatch):
    """Garbage that is collected meanwhile may ask for memory, too."""
    first, others, make = memory.empty(100).data_ptr(), [], np.ndarray

    def ndarray(*given):
        monkeypatch.setattr(memory.np, "ndarray", make)
        others.append(memory.empty(100))
        return make(*given)

    monkeypatch.setattr(memory.np, "ndarray", ndarray)
    assert memory.empty(100).data_ptr() == first
    assert others[0].data_ptr() != first


@pytest.mark.parametrize("shape", [(0, 3), (1,), (7, 5, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int32])
def test_shape_dtype_and_alignment(shape, dtype):
    tensor = memory.empty(*shape, dtype=dtype)
    assert (tuple(tensor.shape), tensor.dtype, tensor.is_contiguous()) == (shape, dtype, True)
    assert tensor.data_ptr() % 64 == 0 or tensor.numel() == 0


def test_all_memory_begins_at_a_cache_line():
    tensors = [memory.empty(size) for size in (*range(1, 200, 7), 50_000, 1_000_000)]  # at the same time
    assert all(tensor.data_ptr() % 64 == 0 for tensor in tensors)


def test_lists_of_about_one_length_share_memory():
    place = memory.empty(100_000).data_ptr()
    assert memory.empty(99_900).data_ptr() == place


def test_little_is_kept(monkeypatch):
    monkeypatch.setattr(memory, "KEEP", 10_000)
    for size in range(100, 2000, 50):
        memory.empty(size)
        assert 0 < kept() == memory._kept <= 10_000


def test_what_is_larger_than_all_that_is_kept_is_not(monkeypatch):
    monkeypatch.setattr(memory, "KEEP", 10_000)
    memory.empty(1000)
    assert memory.empty(3000).shape == (3000,)
    assert kept() == memory._kept == 4096


def test_memory_that_is_used_again_and_again_displaces_no_other(monkeypatch):
    monkeypatch.setattr(memory, "KEEP", 10_000)
    memory.empty(1000)
    for _ in range(50):
        memory.empty(500)
    assert sorted(memory._blocks) == [2048, 4096]
    assert kept() == memory._kept == 2048 + 4096


def test_tensors_that_somebody_keeps_are_forgotten():
    """Else each new one would be looked for among them, and their memory never be given back."""
    tensors = [memory.empty(100).fill_(i) for i in range(40)]
    assert len(memory._blocks[416]) == 16
    assert kept() == memory._kept == 16 * 416
    assert all((tensor == i).all() for i, tensor in enumerate(tensors))
    tensors.clear()
    memory.empty(100)
    assert len(memory._blocks[416]) == 16


@pytest.mark.parametrize(
    ("size", "rounded"),
    [
        (0, 0),
        (1, 1),
        (5, 5),
        (15, 15),
        (16, 16),
        (17, 18),
        (31, 32),
        (33, 36),
        (1000, 1024),
        (1025, 1152),
        (4000, 4096),
    ],
)
def test_a_size_is_rounded_up_to_four_bits_and_zeros(size, rounded):
    assert memory._rounded(size) == rounded


GIGABYTE = 2**30


@pytest.mark.parametrize(
    ("container", "machine", "limit"),
    [
        (f"{GIGABYTE}\n", 100 * GIGABYTE, GIGABYTE // 10),
        (f"{10 * GIGABYTE}\n", 1, GIGABYTE),
        (f"{50 * GIGABYTE}\n", 1, 2 * GIGABYTE),
        ("max\n", 4 * GIGABYTE, 4 * GIGABYTE // 10),
        (None, 100 * GIGABYTE, 2 * GIGABYTE),
        (None, None, GIGABYTE // 4),
    ],
)
def test_a_tenth_of_the_container_or_the_machine_is_kept_and_two_gigabytes_at_most(
    container, machine, limit, monkeypatch
):
    def read():
        if container is None:
            raise FileNotFoundError
        return container

    def sysconf(name):
        if machine is None:
            raise ValueError(name)
        return {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": machine // 4096}[name]

    monkeypatch.setattr(memory, "Path", lambda path: types.SimpleNamespace(read_text=read))
    monkeypatch.setattr(memory.os, "sysconf", sysconf)
    assert memory._limit() == limit


def test_threads_get_memory_of_their_own():
    wrong = []

    def work(number):
        for _ in range(300):
            tensor = memory.empty(64).fill_(number)
            if not (tensor == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
