"""The quality of a code and of generated images, beside baselines without a network."""

import torch
import torch.nn.functional as F
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional import frechet_distance
from snn_synth.models import ImageClassifier

SURE = 0.9  # probability from which a classifier is sure of a class
OCCURS = 0.01  # share of all samples from which a class occurs


def probe(codes: Tensor, labels: Tensor, held_out: Tensor, held_out_labels: Tensor) -> float:
    """Accuracy of logistic regression on codes: fitted to some, measured on others.

    Args:
        codes: ``[n, D]``, standardized here.
        labels: ``[n]``.
        held_out: ``[m, D]``.
        held_out_labels: ``[m]``.

    Raises:
        InputError: if codes and labels differ in number, or codes are not finite.

    Example:
        >>> codes = torch.tensor([[0.0], [1.0], [5.0], [6.0]])
        >>> probe(codes, torch.tensor([0, 0, 1, 1]), torch.tensor([[0.5], [7.0]]), torch.tensor([0, 1]))
        1.0
    """
    codes, held_out = codes.detach().float(), held_out.detach().float()
    if codes.dim() != 2 or held_out.dim() != 2:
        raise InputError(f"Expected codes [N, features], got {list(codes.shape)} and {list(held_out.shape)}")
    if not bool(codes.isfinite().all() & held_out.isfinite().all()):
        raise InputError("Expected finite codes, got inf or NaN: give a neuron that stays silent a late time")
    mean, deviation = codes.mean(0), codes.std(0).clamp(min=1e-6)
    if len(codes) != len(labels) or len(held_out) != len(held_out_labels):
        raise InputError(
            f"Expected a label for each code, got {len(codes)} and {len(held_out)} codes "
            f"with {len(labels)} and {len(held_out_labels)} labels"
        )
    codes, held_out = (codes - mean) / deviation, (held_out - mean) / deviation
    weight = torch.zeros(codes.shape[1] + 1, int(labels.max()) + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(codes @ weight[:-1] + weight[-1], labels) + 1e-4 * weight[:-1].square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    right = (held_out @ weight[:-1] + weight[-1]).argmax(1) == held_out_labels
    return float(right.float().mean())


def baselines(train: Tensor, test: Tensor, components: tuple[int, ...] = (8, 16, 32)) -> dict[str, float]:
    """Mean square errors, on test pixels, of an all-black image, the mean training image, and principal components.

    Shape:
        ``train``: ``[N, ...]``; ``test``: ``[M, ...]``, images of as many pixels.

    Raises:
        InputError: for other numbers of pixels.

    Example:
        >>> train = torch.tensor([[0.0, 0.0], [2.0, 2.0]])
        >>> found = baselines(train, torch.tensor([[1.0, 1.0], [3.0, 1.0]]), (1,))
        >>> [round(found[name], 3) for name in ("black", "mean_image", "pca_1")]
        [3.0, 1.0, 0.5]
    """
    train, test = train.flatten(1), test.flatten(1)
    if train.shape[1] != test.shape[1]:
        raise InputError(f"Expected images of as many pixels, got {train.shape[1]} and {test.shape[1]}")
    mean = train.mean(0)
    errors = {"black": test.square().mean(), "mean_image": (test - mean).square().mean()}
    vectors = torch.linalg.eigh(torch.cov(train.double().T))[1].to(train.dtype)  # in float32 it may not converge
    for number in components:
        axes = vectors[:, -number:]
        centred = test - mean
        errors[f"pca_{number}"] = (centred - centred @ axes @ axes.T).square().mean()
    return {name: float(error) for name, error in errors.items()}


@torch.no_grad()
def classifier_frechet(samples: Tensor, images: Tensor, classifier: ImageClassifier) -> float:
    """The Frechet distance of generated images to real ones in the features of a small classifier: no FID.

    Args:
        samples: ``[n, 1, H, W]`` in [0, 1].
        images: ``[m, 1, H, W]``, of the same size to be fair: the classifier resizes, and sees how sharp they are.
        classifier: the classifier.

    Example:
        >>> images = torch.rand(8, 1, 28, 28)
        >>> classifier_frechet(images, images, ImageClassifier(features=3)) < 1e-6
        True
    """
    features, real = (torch.cat([classifier.features(part) for part in _parts(x)]) for x in (samples, images))
    return float(frechet_distance(features, real))


@torch.no_grad()
def sample_quality(
    samples: Tensor, images: Tensor, train: Tensor, train_labels: Tensor, classifier: ImageClassifier
) -> dict[str, float]:
    """How good generated images are, by a small classifier that has learned the real ones.

    Args:
        samples: generated images ``[n, 1, H, W]`` in [0, 1].
        images: real ones that were not trained on, as many or more, of the samples' size.
        train: those that were, of the samples' size.
        train_labels: of them.
        classifier: the classifier; a shipped one is ``ImageClassifier.from_pretrained("mnist-classifier")``.

    Returns:
        ``classifier_frechet``, see :func:`classifier_frechet`; ``sure``, the share of the samples to one of whose
        classes the classifier gives a probability over 0.9; ``classes``, how many classes have at least a hundredth of
        the samples, counting those it is sure of; ``neighbour``, the share of these samples whose nearest training
        image has the class that the classifier sees.

    Raises:
        InputError: for samples and real images of different sizes.

    Example:
        >>> images = torch.rand(8, 1, 4, 4)
        >>> found = sample_quality(images, images, images, torch.arange(8), ImageClassifier(features=3))
        >>> sorted(found), found["classifier_frechet"] < 1e-6
        (['classes', 'classifier_frechet', 'neighbour', 'sure'], True)
    """
    if not samples.shape[1:] == train.shape[1:] == images.shape[1:]:
        raise InputError(
            f"Expected samples and images of one size, got {list(samples.shape[1:])}, {list(images.shape[1:])} and "
            f"{list(train.shape[1:])}: resize by `F.adaptive_avg_pool2d(images, side)`"
        )
    probability, label = torch.cat([classifier.probabilities(part) for part in _parts(samples)]).max(1)
    sure = probability > SURE
    occur = torch.bincount(label[sure]) >= OCCURS * len(samples)
    nearest = torch.cat([torch.cdist(part.flatten(1), train.flatten(1)).argmin(1) for part in _parts(samples[sure])])
    alike = (train_labels[nearest] == label[sure]).sum()
    return {
        "classifier_frechet": classifier_frechet(samples, images, classifier),
        "sure": float(sure.float().mean()),
        "classes": float(occur.sum()),
        "neighbour": float(alike / max(1, len(nearest))),
    }


def _parts(images: Tensor) -> tuple[Tensor, ...]:
    parts: tuple[Tensor, ...] = images.split(500)  # type: ignore[no-untyped-call]
    return parts
