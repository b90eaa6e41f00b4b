import pytest
import torch
from torch.testing import assert_close

from snn_synth.kernels.cpu import sparse
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


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
def test_the_list_is_the_matrix():
    x = matrix(13, 300, 0.3)
    first, columns, values = sparse.sparse(x)
    coordinates = x.to_sparse_csr()
    assert torch.equal(first, coordinates.crow_indices())
    assert torch.equal(columns.long(), coordinates.col_indices())
    assert torch.equal(values, coordinates.values())
    turned = x.T.contiguous().to_sparse_csr()
    first, columns, values = sparse.transpose(sparse.sparse(x), 300)
    assert torch.equal(first, turned.crow_indices())
    assert torch.equal(columns.long(), turned.col_indices())
    assert torch.equal(values, turned.values())
