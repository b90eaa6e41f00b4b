import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import class_energy_distance, matching_loss
from snn_synth.functional.matching import class_sums


def test_distances_of_class_means_are_those_of_a_loop():
    noise = torch.Generator().manual_seed(0)
    values = torch.randn(9, 4, generator=noise, dtype=torch.float64)
    labels = torch.tensor([0, 2, 2, 0, 3, 0, 2, 3, 4])  # none of class 1, one of class 4
    means, known = torch.randn(5, 4, generator=noise, dtype=torch.float64), torch.tensor([5.0, 5.0, 1.0, 0.0, 0.5])
    expected = 0.0
    for c in (0, 2, 4):  # class 3 is not known
        mean = np.mean([v for v, label in zip(values.numpy(), labels, strict=True) if label == c], 0)
        expected += 0.5 * ((mean - means[c].numpy()) ** 2).sum() / 5
    torch.testing.assert_close(matching_loss(values, labels, means, known).item(), expected)
    sums, counts = class_sums(values, labels, 5)
    assert counts.tolist() == [3, 0, 3, 2, 1]
    torch.testing.assert_close(sums.sum(0), values.sum(0))


def energy_distance_by_a_loop(drawn, real, labels, repulsion=1.0):
    across, within = [], []
    for i, one in enumerate(labels):
        for j, other in enumerate(labels):
            if one == other:
                across.append(np.sqrt(((drawn[i] - real[j]) ** 2).sum()))
            if one == other and i != j:
                within += [
                    share * np.sqrt(((x[i] - x[j]) ** 2).sum()) for x, share in ((drawn, repulsion), (real, 1.0))
                ]
    return 2 * np.mean(across) - 2 * np.mean(within)  # of both batches together: twice as many


@pytest.mark.parametrize("repulsion", [1.0, 0.6, 0.0])
def test_energy_distance_within_classes_is_that_of_a_loop(repulsion):
    noise = torch.Generator().manual_seed(0)
    drawn, real = torch.randn(2, 9, 4, generator=noise, dtype=torch.float64)
    labels = torch.tensor([0, 2, 2, 0, 3, 0, 2, 1, 2])
    expected = energy_distance_by_a_loop(drawn.numpy(), real.numpy(), labels.tolist(), repulsion)
    found = class_energy_distance(drawn, real, labels, repulsion)
    torch.testing.assert_close(found.item(), expected)
    alone = class_energy_distance(drawn[:2], real[:2], labels[:2])  # no pairs but of a drawn and a real sample
    torch.testing.assert_close(alone, (drawn - real)[:2].norm(dim=1).mean() * 2)
    torch.testing.assert_close(class_energy_distance(drawn[:1], real[:1], labels[:1]), (drawn - real)[0].norm() * 2)


def test_small_batches_have_no_part_in_the_energy_distance():
    """Two normal distributions of one dimension: the closed form, from batches of four of either class."""
    noise, sigma, apart = torch.Generator().manual_seed(0), 2.0, 3.0
    labels = torch.tensor([0, 1]).repeat(4)
    found = [
        class_energy_distance(
            sigma * torch.randn(8, 1, generator=noise, dtype=torch.float64),
            apart + torch.randn(8, 1, generator=noise, dtype=torch.float64),
            labels,
        )
        for _ in range(4000)
    ]

    def mean_distance(mean, variance):
        s = variance**0.5
        folded = s * (2 / np.pi) ** 0.5 * np.exp(-(mean**2) / (2 * variance))
        return folded + mean * (1 - 2 * torch.special.ndtr(torch.tensor(-mean / s)).item())

    expected = 2 * mean_distance(apart, sigma**2 + 1) - mean_distance(0.0, 2 * sigma**2) - mean_distance(0.0, 2.0)
    every = torch.stack(found)
    assert every.mean().item() == pytest.approx(expected, abs=4 * (every.std() / len(every) ** 0.5).item())


def test_the_gradient_of_the_energy_distance_is_finite_where_samples_are_equal():
    drawn = torch.zeros(4, 3, requires_grad=True)
    class_energy_distance(drawn, torch.zeros(4, 3), torch.tensor([0, 0, 1, 1])).backward()
    assert torch.equal(drawn.grad, torch.zeros(4, 3))


def test_the_energy_distance_refuses_other_shapes():
    with pytest.raises(
        InputError, match=r"Expected two batches \[B, N\] and labels \[B\], got \[3, 2\], \[4, 2\] and \[3\]"
    ):
        class_energy_distance(torch.zeros(3, 2), torch.zeros(4, 2), torch.zeros(3))
