import numpy as np
import torch

from snn_synth.functional import matching_loss
from snn_synth.functional.matching import class_sums


def test_distances_of_class_means_are_those_of_a_loop():
    noise = torch.Generator().manual_seed(0)
    values = torch.randn(9, 4, generator=noise, dtype=torch.float64)
    labels = torch.tensor([0, 2, 2, 0, 3, 0, 2, 3, 2])  # none of class 1
    means, known = torch.randn(4, 4, generator=noise, dtype=torch.float64), torch.tensor([5.0, 5.0, 1.0, 0.0])
    expected = 0.0
    for c in (0, 2):  # class 3 is not known
        mean = np.mean([v for v, label in zip(values.numpy(), labels, strict=True) if label == c], 0)
        expected += 0.5 * ((mean - means[c].numpy()) ** 2).sum() / 4
    torch.testing.assert_close(matching_loss(values, labels, means, known).item(), expected)
    sums, counts = class_sums(values, labels, 4)
    assert counts.tolist() == [3, 0, 4, 2]
    torch.testing.assert_close(sums.sum(0), values.sum(0))
