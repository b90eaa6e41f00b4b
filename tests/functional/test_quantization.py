import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import nearest_codeword, quantize
from snn_synth.functional.quantization import CodebookMeans, follow_codes


def test_nearest_codeword_is_that_of_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    codes, codebook = torch.randn(3, 5, 4, generator=generator), torch.randn(7, 4, generator=generator)
    found = nearest_codeword(codes, codebook)
    for place in np.ndindex(3, 5):
        distances = [float(((codes[place] - vector) ** 2).sum()) for vector in codebook]
        assert int(found[place]) == int(np.argmin(distances))


def test_gradient_passes_straight_through_and_none_reaches_the_codebook() -> None:
    codes = torch.randn(6, 2, requires_grad=True)
    codebook = torch.randn(4, 2, requires_grad=True)
    chosen, tokens = quantize(codes, codebook)
    assert torch.allclose(chosen, codebook[tokens])
    weights = torch.randn(6, 2)
    (chosen * weights).sum().backward()
    assert torch.equal(codes.grad, weights)  # type: ignore[arg-type]
    assert codebook.grad is None


def test_averages_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    counts, sums = rng.random(3), rng.random((3, 2))
    codes, tokens = rng.random((8, 2)), np.array([0, 0, 2, 2, 2, 0, 2, 2])
    means = follow_codes(
        CodebookMeans(torch.tensor(counts), torch.tensor(sums)), torch.tensor(codes), torch.tensor(tokens), 0.9
    )
    for k in range(3):
        taken = codes[tokens == k]
        assert means.counts[k].item() == pytest.approx(0.9 * counts[k] + 0.1 * len(taken))
        np.testing.assert_allclose(means.sums[k].numpy(), 0.9 * sums[k] + 0.1 * taken.sum(0))


def test_averages_keep_their_precision_where_codes_are_rounded() -> None:
    means = CodebookMeans(torch.ones(2), torch.full((2, 1), 2.0))
    counts, sums = follow_codes(means, torch.ones(300, 1, dtype=torch.bfloat16), torch.zeros(300).long(), 0.75)
    assert counts.tolist() == [0.75 + 0.25 * 300, 0.75]
    assert sums.tolist() == [[1.5 + 0.25 * 300], [1.5]]
    assert counts.dtype == sums.dtype == torch.float32


def test_refuses_vectors_of_other_lengths() -> None:
    with pytest.raises(InputError, match=r"codes \[\.\.\., D\] and a codebook \[K, D\], got \[2, 3\] and \[5, 4\]"):
        nearest_codeword(torch.zeros(2, 3), torch.zeros(5, 4))
    with pytest.raises(InputError, match=r"codes \[\.\.\., D\] and a codebook \[K, D\], got \[\] and \[5\]"):
        nearest_codeword(torch.tensor(0.0), torch.zeros(5))
