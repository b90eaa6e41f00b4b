import pytest
import torch
from torch.testing import assert_close

from snn_synth.kernels.cpu import sparse
from snn_synth.kernels.cpu.together import together
from tests.kernels.guarded import walls


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"], autouse=True)
def _threads(request, monkeypatch):
    with walls(request.param, monkeypatch, sparse):
        yield


def draw(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def matrix(rows, columns, share, seed=0):
    chosen = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < share
    return torch.where(chosen, draw(rows, columns, seed=seed), 0)


# More columns, or rows, than a tile has rows; a last block of columns that overlaps; one row; nothing at all.
SHAPES = [(30, 40, 64, 0.2), (7, 5000, 100, 0.05), (1, 3, 193, 0.5), (50, 20, 70, 0.0), (9, 2048, 65, 1.0)]
SHAPES += [(4200, 9, 70, 0.1)]


@pytest.mark.parametrize(("rows", "depth", "width", "share"), SHAPES)
def test_products_and_their_transposes_equal_dense_ones_in_float64(rows, depth, width, share):
    x, dense, delta = matrix(rows, depth, share), draw(width, depth, seed=1), draw(rows, width, seed=2)
    x[0, 0] = 0
    listed = sparse.sparse(x)
    out = sparse.product(listed, dense.T, torch.empty(rows, width))
    assert_close(out.double(), x.double() @ dense.double().T, rtol=1e-5, atol=1e-4)
    turned = sparse.transpose(listed, depth)
    gradient = torch.empty(width, depth)
    sparse.product(turned, delta, gradient.T)
    assert_close(gradient.double(), delta.double().T @ x.double(), rtol=1e-5, atol=1e-4)


def assert_listed(found, x):
    for row, first, last in zip(x, found.first.tolist(), found.last.tolist(), strict=True):
        columns = torch.nonzero(row)[:, 0]
        assert torch.equal(found.columns[first:last].long(), columns)
        assert torch.equal(found.values[first:last], row[columns])


@pytest.mark.parametrize("counted_from", [10**9, 0], ids=["places for all", "counted"])
def test_the_list_is_the_matrix(counted_from, monkeypatch):
    monkeypatch.setattr(sparse, "_COUNTED", counted_from)
    x = matrix(13, 300, 0.3)
    listed = sparse.sparse(x)
    assert_listed(listed, x)
    assert_listed(sparse.transpose(listed, 300), x.T)


def test_numbers_are_counted_at_once_even_if_kernels_wait(monkeypatch):
    monkeypatch.setattr(sparse, "_COUNTED", 0)
    x = matrix(13, 300, 0.3)
    with together():
        listed = sparse.sparse(x)
        turned = sparse.transpose(listed, 300)
    assert_listed(listed, x)
    assert_listed(turned, x.T)
    assert len(listed.values) == x.count_nonzero()


@pytest.mark.parametrize("counted_from", [10**9, 0], ids=["places for all", "counted"])
@pytest.mark.parametrize(("steps", "samples"), [(5, 3), (1, 4), (4, 1)])
def test_with_fading_what_is_new_is_listed(steps, samples, counted_from, monkeypatch):
    monkeypatch.setattr(sparse, "_COUNTED", counted_from)
    new = matrix(steps * samples, 100, 0.2)
    errors = new.clone()
    for t in reversed(range(steps - 1)):
        here = slice(t * samples, (t + 1) * samples)
        errors[here] += 0.75 * errors[(t + 1) * samples : (t + 2) * samples]
        fired = matrix(samples, 100, 0.3, seed=t + 1) != 0  # and lost what they had
        errors[here][fired] = new[here][fired]
    kept = torch.cat([0.75 * errors[samples:], torch.zeros(samples, 100)])
    listed = sparse.sparse(errors, (samples, 0.75))
    assert_listed(listed, errors - kept)
    assert 0.1 < (errors - kept != 0).float().mean() < 0.6
    assert_listed(sparse.transpose(listed, 100), (errors - kept).T)
