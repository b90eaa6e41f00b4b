"""The quality of generated images: are they good, do they vary, are they new, does every class occur."""

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional import (
    class_imbalance,
    copies,
    density_coverage,
    frechet_distance,
    nearest_neighbours,
    precision_recall,
    variance_ratio,
)
from snn_synth.models import ImageClassifier

SURE = 0.9  # probability from which a classifier is sure of a class
OCCURS = 0.01  # share of all samples from which a class occurs
NEIGHBOURS = 5
COMPARED = 5_000  # real images that neighbours are looked for in: as many as samples are usual


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
    return float(frechet_distance(_features(samples, classifier), _features(images, classifier)))


@torch.no_grad()
def sample_quality(
    samples: Tensor,
    images: Tensor,
    train: Tensor,
    train_labels: Tensor,
    classifier: ImageClassifier,
    second: ImageClassifier | None = None,
    labels: Tensor | None = None,
    image_labels: Tensor | None = None,
) -> dict[str, float]:
    """How good generated images are, how much they vary, and how new they are.

    No single one of them tells: ten real images that are repeated look perfect and do not vary, training images are no
    new ones. :func:`trivial_samples` has such samples, to stand beside those of a network. Take 5,000 samples to
    compare them with others; it takes less than a minute.

    Args:
        samples: generated images ``[n, 1, H, W]`` in [0, 1].
        images: real ones that were not trained on, as many or more, of the samples' size.
        train: those that were, of the samples' size.
        train_labels: of them.
        classifier: the classifier; a shipped one is ``ImageClassifier.from_pretrained("mnist-classifier")``.
        second: another one, ``"mnist-classifier-deep"``, so that nobody has to trust the first.
        labels: the classes that the samples were asked for, if they were.
        image_labels: of ``images``.

    Returns:
        What the classifier sees: ``classifier_frechet``, see :func:`classifier_frechet`; ``sure``, the share of the
        samples to one of whose classes the classifier gives a probability over 0.9, and ``sure_second`` by the second;
        ``right``, the share in which it sees the class of ``labels``; ``classes``, how many classes have at least a
        hundredth of the samples, counting those it is sure of; ``neighbour``, the share of these samples whose nearest
        training image has the class that the classifier sees; ``imbalance``, the share that would have to be of another
        class for classes to be as frequent as in training (:func:`~snn_synth.functional.class_imbalance`).

        How much they vary: ``pixel_variance`` and ``feature_variance`` within the classes, 1 for real images
        (:func:`~snn_synth.functional.variance_ratio`; the classes are ``labels`` and ``image_labels`` if both are
        given, else those that the classifier sees); ``distinct``, how many different training images are the nearest
        to some sample, as a share of the number of samples.

        Whether they lie where held-out images do, by the 5 nearest neighbours in the classifier's features:
        ``precision``, ``recall`` (:func:`~snn_synth.functional.precision_recall`), ``density``, ``coverage``
        (:func:`~snn_synth.functional.density_coverage`).

        How new they are: ``nearest_ratio``, the mean distance to the nearest training image relative to that of
        held-out images, 0 for copies and 1 for images that are as new; ``copies``, the share three times as near to the
        nearest training image as to the second (:func:`~snn_synth.functional.copies`).

    Raises:
        InputError: for samples and real images of different sizes, fewer than two of either, labels that do not fit, or
            ``images`` that were all trained on.

    Example:
        >>> images, train, labels = torch.rand(8, 1, 4, 4), torch.rand(8, 1, 4, 4), torch.arange(8)
        >>> found = sample_quality(images, images, train, labels, ImageClassifier(features=16))
        >>> found["classifier_frechet"] < 1e-6, found["pixel_variance"], found["distinct"] <= 1, found["precision"]
        (True, 1.0, True, 1.0)
    """
    if not samples.shape[1:] == train.shape[1:] == images.shape[1:]:
        raise InputError(
            f"Expected samples and images of one size, got {list(samples.shape[1:])}, {list(images.shape[1:])} and "
            f"{list(train.shape[1:])}: resize by `F.adaptive_avg_pool2d(images, side)`"
        )
    if min(len(samples), len(images), len(train)) < 2:
        raise InputError(f"Expected at least two images each, got {len(samples)}, {len(images)} and {len(train)}")
    for of, some, number in (
        ("train_labels", train_labels, len(train)),
        ("labels", labels, len(samples)),
        ("image_labels", image_labels, len(images)),
    ):
        if some is not None and some.shape != (number,):
            raise InputError(f"Expected `{of}` of shape [{number}], got {list(some.shape)}")
    features, real = _features(samples, classifier), _features(images, classifier)
    probability, seen = classifier.head(features).softmax(1).max(1)
    classes, sure = classifier.head(features[:1]).shape[1], probability > SURE
    held_out = torch.arange(0, len(images), -(-len(images) // COMPARED))  # evenly spaced
    distances, places = nearest_neighbours(samples, train, 2)
    usual = nearest_neighbours(images[held_out], train)[0].mean()
    if usual == 0:
        raise InputError(f"Expected `images` that were not trained on, got {len(images)} that are in `train`")
    asked = labels is not None and image_labels is not None
    sample_classes = labels if asked and labels is not None else seen
    image_classes = image_labels if asked and image_labels is not None else classifier.head(real).argmax(1)
    k = min(NEIGHBOURS, len(samples) - 1, len(held_out) - 1)
    precision, recall = precision_recall(features, real[held_out], k)
    density, coverage = density_coverage(features, real[held_out], k)
    found = {
        "classifier_frechet": frechet_distance(features, real),
        "sure": sure.float().mean(),
        "classes": (torch.bincount(seen[sure], minlength=classes) >= OCCURS * len(samples)).sum(),
        "neighbour": (train_labels[places[sure, 0]] == seen[sure]).sum() / sure.sum().clamp(min=1),
        "imbalance": class_imbalance(seen, train_labels, classes),
        "pixel_variance": variance_ratio(samples, sample_classes, images, image_classes, classes),
        "feature_variance": variance_ratio(features, sample_classes, real, image_classes, classes),
        "distinct": torch.tensor(len(torch.unique(places[:, 0])) / len(samples)),
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "nearest_ratio": distances[:, 0].mean() / usual,
        "copies": copies(distances).float().mean(),
    }
    if second is not None:
        other = second.head(_features(samples, second)).softmax(1).max(1).values
        found["sure_second"] = (other > SURE).float().mean()
    if labels is not None:
        found["right"] = (seen == labels).float().mean()
    return {name: float(value) for name, value in found.items()}


def _features(images: Tensor, classifier: ImageClassifier) -> Tensor:
    return torch.cat([classifier.features(part) for part in images.split(500)])  # type: ignore[no-untyped-call]
