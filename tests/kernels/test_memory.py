import gc
import threading

import pytest
import torch

from snn_synth.kernels.cpu import memory


@pytest.fixture(autouse=True)
def _nothing_kept():
    memory._free.clear()


def kept():
    return sum(size * len(blocks) for size, blocks in memory._free.items())


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


@pytest.mark.parametrize("shape", [(0, 3), (1,), (7, 5, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int32])
def test_shape_dtype_and_alignment(shape, dtype):
    tensor = memory.empty(*shape, dtype=dtype)
    assert (tuple(tensor.shape), tensor.dtype, tensor.is_contiguous()) == (shape, dtype, True)
    assert tensor.data_ptr() % 64 == 0 or tensor.numel() == 0


def test_lists_of_about_one_length_share_memory():
    place = memory.empty(100_000).data_ptr()
    assert memory.empty(99_900).data_ptr() == place


def test_little_is_kept(monkeypatch):
    monkeypatch.setattr(memory, "KEEP", 10_000)
    for size in range(100, 2000, 50):
        memory.empty(size)
        assert kept() <= 10_000
    gc.collect()
    assert kept() > 0


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
