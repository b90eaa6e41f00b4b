import pytest

from snn_synth.experiments.bench import floor
from snn_synth.experiments.bench.workloads import Workload, find


def test_flops_by_hand():
    # 2-3-5, T=7, B=11: 77 rows. Forward 2*77*(6+15), weights the same, error to the hidden layer 2*77*15.
    shape = ((2, 3, 5), 7, 11, ())
    assert floor.flops(Workload("inference", *shape)) == 2 * 77 * 21
    assert floor.flops(Workload("bptt", *shape)) == 2 * 77 * (21 + 21 + 15)
    assert floor.flops(Workload("online", *shape)) == 2 * 77 * (21 + 21 + 15)


def test_adam_by_hand():
    # 21 weights of four bytes; each update reads w, g, m, v and writes w, m, v.
    shape = ((2, 3, 5), 7, 11, ())
    assert floor.adam_bytes(Workload("inference", *shape)) == 0
    assert floor.adam_bytes(Workload("bptt", *shape)) == 21 * 4 * 7
    assert floor.adam_bytes(Workload("online", *shape)) == 7 * 21 * 4 * 7


def test_the_floor_of_the_papers_audiocoder_by_hand():
    # 1,500 rows: 4 * 1500 * 58500 * 2048 + 6 * 1500 * 2048 * 196 flops at 100 GF/s, 120.2 M weights at 20 GB/s.
    weights = 2048 * (58500 + 196)
    expected = (4 * 1500 * 58500 * 2048 + 6 * 1500 * 2048 * 196) / 100e9 + 28 * weights / 20e9
    assert floor.seconds(find("bptt-58500-2048-196"), 100e9, 20e9) == pytest.approx(expected)
    assert 7 < expected < 8


def test_what_is_measured_is_of_a_computers_size():
    workload = Workload("bptt", (64, 32, 64), 3, 5, ())
    assert 1e8 < floor.measure_peak(workload) < 1e16
    assert 1e8 < floor.measure_bandwidth(workload) < 1e14
