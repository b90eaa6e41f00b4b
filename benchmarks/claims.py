"""Claims of the paper, and targets for the generators: whether they hold in the results, and the figures."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import floor, log10
from typing import Any

from scipy.stats import ttest_rel

LEVEL = 0.05  # of a paired t-test over the seeds
ROUNDED = ("standardized_mse", "standardized_mse_whole_set", "spike_mse")  # to three decimals


def value(found: Mapping[str, Any], measure: str = "test/standardized_mse") -> str:
    """Mean and deviation of a variant's measure; of errors that choose between neighbours a digit more."""
    part, key = measure.split("/")
    return spread(found[measure], (".4f" if part == "val" else ".3f") if key in ROUNDED else ".4g")


def spread(one: Mapping[str, Any], form: str = ".3f") -> str:
    """Mean and deviation of one measure, with as many decimals as the deviation's first digit needs."""
    mean, std = one["mean"], one["std"]
    if std is None:
        return f"{mean:{form}}"
    if std and form.endswith("f") and not f"{std:{form}}".strip("0."):
        form = f".{-floor(log10(std))}f"
    return f"{mean:{form}} ± {std:{form}}"


def below(metrics: Mapping[str, Any], less: str, more: str, measure: str = "test/standardized_mse") -> tuple[str, str]:
    """Whether one variant's measure is below another's: of several seeds, a paired t-test at 5 % must tell them apart.

    A seed gives both variants the same order of samples, and data set B of speech the same pairs of word and image.
    Of one seed the numbers are compared as they are.
    """
    variants = metrics["variants"]
    each = [variants[variant][measure]["each"] for variant in (less, more)]
    verdict, p = told_apart(*each)
    in_common = " in common" if max(map(len, each)) > 1 else ""
    sure = f"one seed{in_common}" if p is None else f"p = {p:.2g}"
    return verdict, f"{less} {value(variants[less], measure)}, {more} {value(variants[more], measure)} ({sure})"


def told_apart(less: Sequence[float], more: Sequence[float]) -> tuple[str, float | None]:
    """The verdict on whether values are below others, seed by seed, and the paired t-test's p; None of one seed.

    Both lists begin with seed 0; what only one of them has is left out.
    """
    pairs = list(zip(less, more, strict=False))
    difference = sum(b - a for a, b in pairs)
    p = None
    if len(pairs) > 1:
        p = float(ttest_rel(*zip(*pairs, strict=True)).pvalue) if difference else 1.0
    if not difference or (p is not None and p >= LEVEL):
        return "cannot be told", p
    return ("holds" if difference > 0 else "does not hold"), p


def holm(values: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm 1979): at 5 %, all verdicts together are wrong in 5 % of the cases.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    ordered = sorted(range(len(values)), key=values.__getitem__)
    corrected, largest = [0.0] * len(values), 0.0
    for place, index in enumerate(ordered):
        largest = max(largest, min(1.0, (len(values) - place) * values[index]))
        corrected[index] = largest
    return corrected


def verdict_with_p(less: Sequence[float], more: Sequence[float]) -> str:
    """The same in words."""
    verdict, p = told_apart(less, more)
    return verdict if p is None else f"{verdict} (p = {p:.2g})"


def all_of(*parts: tuple[str, str]) -> tuple[str, str]:
    """Several findings as one: all must hold."""
    verdicts = {verdict for verdict, _ in parts}
    worst = next(v for v in ("does not hold", "cannot be told", "holds") if v in verdicts)
    return worst, "; ".join(figures for _, figures in parts)


def chain(metrics: Mapping[str, Any], variants: list[str], measure: str = "test/standardized_mse") -> tuple[str, str]:
    """Each variant's measure below the one before it."""
    return all_of(*(below(metrics, less, more, measure) for more, less in pairwise(variants)))


def _seeds(m: Mapping[str, Any]) -> str:
    """Of how many seeds the compared means are."""
    counts = sorted({len(one["test/standardized_mse"]["each"]) for one in m["variants"].values()})
    return " or ".join("one seed" if count == 1 else f"means of {count} seeds" for count in counts)


def _mask(m: Mapping[str, Any]) -> tuple[str, str]:
    masked, all_errors = (1 - m["variants"][one]["test/error_share"]["mean"] for one in ("mask", "no mask"))
    shares = "holds" if 0.75 <= masked <= 0.95 and all_errors < 0.05 else "does not hold"
    return all_of(below(m, "mask", "no mask"), (shares, f"zeros in the error vector {masked:.1%} and {all_errors:.1%}"))


def _gains_by_updates(m: Mapping[str, Any]) -> tuple[str, str]:
    verdict, told = all_of(
        below(m, "Fashion-MNIST, SGD, updates: 60", "Fashion-MNIST, SGD, updates: 1"),
        below(m, "Fashion-MNIST, Adam, updates: 60, lr 5e-4", "Fashion-MNIST, Adam, updates: 1, lr 5e-4"),
        below(m, "Fashion-MNIST, Adam, updates: 60, lr 5e-4", "Fashion-MNIST, Adam, updates: 1"),
    )
    many = value(m["variants"]["Fashion-MNIST, Adam, updates: 60"])
    return verdict, f"{told}; at its own rate of 5e-3 Fashion-MNIST, Adam, updates: 60 {many}"


def _short_codes(m: Mapping[str, Any]) -> tuple[str, str]:
    costs = {
        variant: one["test/standardized_mse"]["mean"]
        for variant, one in m["variants"].items()
        if variant.startswith("T_h")
    }
    first = costs["T_h = 15"]
    worst = max(costs.values())
    return ("holds" if worst < 1.15 * first else "does not hold"), ", ".join(
        f"{variant} {cost:.3f}" for variant, cost in costs.items()
    ) + f" (it would hold if none were over 15 % worse than the longest; {_seeds(m)})"


def _worse_than_all(m: Mapping[str, Any], snn: str) -> tuple[str, str]:
    return all_of(*(below(m, snn, variant) for variant in m["variants"] if variant.startswith("ANN")))


def _inhibition(m: Mapping[str, Any]) -> tuple[str, str]:
    variants = {variant: one for variant, one in m["variants"].items() if "test/pixel_mse_without_inhibition" in one}
    ratios = [
        one["test/pixel_mse_without_inhibition"]["mean"] / one["test/pixel_mse"]["mean"] for one in variants.values()
    ]
    return ("holds" if min(ratios) >= 2 else "does not hold"), f"{min(ratios):.1f} to {max(ratios):.1f} times the error"


def _aggressive(m: Mapping[str, Any]) -> tuple[str, str]:
    found = []
    for variant in ("ordinary", "aggressive, 0.1 steps"):
        found.append([m["variants"][variant][f"test/{key}"]["mean"] for key in ("decision", "spikes", "accuracy")])
    (decision, spikes, accuracy), (earlier, fewer, right) = found
    held = earlier <= 0.67 * decision and fewer <= 0.89 * spikes and right >= accuracy - 0.01
    return (
        "holds" if held else "does not hold",
        f"decision at {earlier:.3f} T instead of {decision:.3f} T, {fewer:.0f} spikes instead of {spikes:.0f}, "
        f"accuracy {right:.1%} instead of {accuracy:.1%} (by 0.1 steps)",
    )


def _fit(m: Mapping[str, Any], leak: str, holds: Callable[[float], bool]) -> tuple[str, str]:
    """What the training images' error over the test images' says of a leak; beside it, of the others."""
    ratios = {
        variant: [
            one[f"train/{measure}"]["mean"] / one[f"test/{measure}"]["mean"]
            for measure in ("spike_mse", "standardized_mse")
        ]
        for variant, one in m["variants"].items()
    }
    told = ", ".join(f"{variant} {first:.3f} and {second:.3f}" for variant, (first, second) in ratios.items())
    true_of = [variant for variant, both in ratios.items() if all(map(holds, both))]
    too = "; the same is true of every leak, so it does not single out this one" if true_of == [*ratios] else ""
    return (
        "holds" if leak in true_of else "does not hold",
        f"train over test, Spike-MSE and MSE: {told} ({_seeds(m)}){too}",
    )


def _disagree(m: Mapping[str, Any]) -> tuple[str, str]:
    errors = {
        measure: {variant: one[f"test/{measure}"]["mean"] for variant, one in m["variants"].items()}
        for measure in ("spike_mse", "standardized_mse")
    }
    best = {measure: min(each, key=each.__getitem__) for measure, each in errors.items()}
    held = best["spike_mse"] == "leak 0.1" != best["standardized_mse"]
    figures = "; ".join(
        f"{variant} {spikes:.3f} and {errors['standardized_mse'][variant]:.3f}"
        for variant, spikes in errors["spike_mse"].items()
    )
    return (
        "holds" if held else "does not hold",
        f"Spike-MSE and MSE: {figures} ({_seeds(m)}); lowest at {best['spike_mse']} and {best['standardized_mse']}",
    )


def _less_gained(m: Mapping[str, Any]) -> tuple[str, str]:
    few, some, many = (m["variants"][f"{hidden} hidden"]["test/standardized_mse"]["mean"] for hidden in (64, 196, 400))
    gains = few - some, some - many
    verdict = "holds" if gains[0] > gains[1] else "does not hold"
    told = f"the error falls by {gains[0]:.3f} from 64 to 196, by {gains[1]:.3f} from 196 to 400"
    return verdict, f"{told} ({_seeds(m)})"


def _steps_matter(m: Mapping[str, Any]) -> tuple[str, str]:
    spans = {}
    for images, prefix in (("MNIST", "fig4b, T"), ("Fashion-MNIST", "fig7c, SNN, T")):
        errors = [
            m["variants"][f"{prefix} = {steps}"]["test/standardized_mse"]["mean"] for steps in (5, 10, 15, 30, 60)
        ]
        spans[images] = max(errors) - min(errors), max(errors), min(errors)
    told = "; ".join(
        f"{images} {most:.3f} and {least:.3f}, {span:.3f} apart" for images, (span, most, least) in spans.items()
    )
    verdict = "holds" if spans["Fashion-MNIST"][0] > spans["MNIST"][0] else "does not hold"
    return verdict, f"largest and smallest error over T of 5 to 60: {told} ({_seeds(m)})"


SETTLED = 0.1  # share of the last error that an error may be away from it when it has converged
LAST_PART = 1 / 6  # of a training, in which a curve that has converged no longer changes by more than that


def converged(found: Mapping[str, Any]) -> float | None:
    """Batches until the error stays within a tenth of its last value; None if it still falls, or rises again."""
    batches, errors = found["curve"]["batch"], found["curve"]["standardized_mse"]
    away = [i for i, error in enumerate(errors) if abs(error / errors[-1] - 1) > SETTLED]
    settled = batches[away[-1] + 1 if away else 0]
    if settled > (1 - LAST_PART) * batches[-1] or errors[-1] > (1 + SETTLED) * min(errors):
        return None
    return float(settled)


def as_fast(m: Mapping[str, Any], pairs: Sequence[tuple[str, str]], most: float, least: float = 0.0) -> tuple[str, str]:
    """Whether each first variant takes from `least` to `most` times as many batches as the second to converge."""
    parts = []
    for names in pairs:
        curves = [m["variants"][variant] for variant in names]
        first, second = (converged(curve) for curve in curves)
        if first is None or second is None:
            verdict = "cannot be told"
        else:
            verdict = "holds" if least <= first / second <= most else "does not hold"
        parts.append((verdict, ", ".join(f"{n} {_settled(curve)}" for n, curve in zip(names, curves, strict=True))))
    verdict, figures = all_of(*parts)
    return verdict, f"batches until the error (mean of the seeds) stays within a tenth of its last value: {figures}"


def _settled(found: Mapping[str, Any]) -> str:
    """Batches to converge, or why a curve has not."""
    batches = converged(found)
    if batches is not None:
        return f"{batches:.0f}"
    errors = found["curve"]["standardized_mse"]
    lowest = min(errors)
    return f"rises from {lowest:.3f} to {errors[-1]:.3f}" if errors[-1] > (1 + SETTLED) * lowest else "still falls"


def _compresses(m: Mapping[str, Any]) -> tuple[str, str]:
    said = {15: 2.1, 10: 3.2, 5: 6.4, 2: 16.0, 1: 32.0}
    measured = [one for one in m["variants"].values() if "stored/bytes, T_h = 15" in one]
    if not measured:
        return "not measured", ""
    ours = {steps: 784 / measured[0][f"stored/bytes, T_h = {steps}"]["mean"] for steps in said}
    held = all(abs(ours[steps] / ratio - 1) < 0.03 for steps, ratio in said.items())
    told = ", ".join(f"T_h = {steps} {ratio:.1f}" for steps, ratio in ours.items())
    return "holds" if held else "does not hold", f"{told} times (bytes of the codec, each map padded to whole bytes)"


def at_most(m: Mapping[str, Any], variant: str, bounds: Mapping[str, float]) -> tuple[str, str]:
    """Whether measures of a variant are at most so much; at least, where the bound is negative."""
    found = m["variants"][variant]
    held = [found[key]["mean"] <= b if b >= 0 else found[key]["mean"] >= -b for key, b in bounds.items()]
    told = [
        f"{key.split('/')[1]} {value(found, key)} ({'≤' if b >= 0 else '≥'} {abs(b):g})" for key, b in bounds.items()
    ]
    return ("holds" if all(held) else "does not hold"), f"{variant}: " + ", ".join(told)


# A spiking autoencoder and the conventional one of its size.
CONVERGING = [("fig5, SNN", "fig5, ANN"), ("fig6, SNN-512", "fig6, ANN-512"), ("fig6, SNN-1024", "fig6, ANN-1024")]
AS_FAST = 1.5  # times as many batches, or as few

Claim = tuple[str, str, Callable[[Mapping[str, Any]], tuple[str, str]]]

CLAIMS: list[Claim] = [
    (
        "fig4a",
        "The mask is essential; with it about 85 % (within 10) of the error vector are zero, without it under 5 %.",
        _mask,
    ),
    (
        "fig3",
        "A leak of 0.1 regenerates the input spikes best (lowest Spike-MSE).",
        lambda m: all_of(
            *(below(m, "leak 0.1", variant, "test/spike_mse") for variant in m["variants"] if variant != "leak 0.1")
        ),
    ),
    (
        "fig3",
        "Without a leak the network underfits: the training images' error is above the test images'.",
        lambda m: _fit(m, "leak 0", lambda ratio: ratio > 1),
    ),
    (
        "fig3",
        "A leak of 0.01 is a good fit: both errors are comparable (within 2 %).",
        lambda m: _fit(m, "leak 0.01", lambda ratio: abs(ratio - 1) < 0.02),
    ),
    ("fig3", "Spike-MSE and MSE disagree: the former is lowest at a leak of 0.1, the latter is not.", _disagree),
    ("fig3", "Too high a leak degrades the network greatly.", lambda m: below(m, "leak 0.1", "leak 0.5")),
    ("fig4b", "Longer input spike trains lower the error.", lambda m: chain(m, [f"T = {T}" for T in (5, 15, 30, 60)])),
    ("fig7a", "More hidden neurons lower the error.", lambda m: chain(m, [f"{n} hidden" for n in (64, 196, 400)])),
    ("fig7a", "From 64 to 196 hidden neurons the gain is larger than from 196 to 400.", _less_gained),
    (
        "fig5",
        "On MNIST the spiking autoencoder is better than the conventional one trained by SGD ...",
        lambda m: below(m, "SNN", "ANN, SGD"),
    ),
    ("fig5", "... and worse than that trained by Adam.", lambda m: below(m, "ANN, Adam", "SNN")),
    (
        "fig6",
        "On Fashion-MNIST the spiking autoencoders beat the conventional ones.",
        lambda m: all_of(*(below(m, f"SNN-{n}", f"ANN-{n}, {by}") for n in (512, 1024) for by in ("SGD", "Adam"))),
    ),
    (
        "fig7b",
        "At no learning rate of Adam does the conventional one catch up on Fashion-MNIST.",
        lambda m: _worse_than_all(m, "SNN, T = 60"),
    ),
    (
        "fig7c",
        "On Fashion-MNIST at T of 5 and 10 the conventional one is better.",
        lambda m: all_of(*(below(m, "ANN, Adam", f"SNN, T = {T}") for T in (5, 10))),
    ),
    (
        "fig4b+fig7c",
        "The number of time steps matters more on Fashion-MNIST (784-1024-784) than on MNIST (784-196-784).",
        _steps_matter,
    ),
    (
        "fig5+fig6",
        "The spiking autoencoders converge faster than the conventional ones trained by SGD ...",
        lambda m: as_fast(m, [(f"{snn}", f"{ann}, SGD") for snn, ann in CONVERGING], most=1 / AS_FAST),
    ),
    (
        "fig5+fig6",
        "... and at almost the same time as those trained by Adam (1/1.5 to 1.5 times as many batches).",
        lambda m: as_fast(m, [(f"{snn}", f"{ann}, Adam") for snn, ann in CONVERGING], AS_FAST, 1 / AS_FAST),
    ),
    (
        "updates",
        "Many updates a batch may be why the spiking autoencoder is better on Fashion-MNIST: the conventional one "
        "gains by 60 instead of one, too, with SGD and with Adam at the spiking one's learning rate (with Adam at its "
        "own rate, ten times as large, 60 are worse).",
        _gains_by_updates,
    ),
    ("fig9", "Data set A is easier than data set B.", lambda m: below(m, "A", "B")),
    (
        "table1-mnist",
        "Stored hidden spikes are 2.1 to 32 times smaller than their image (T_h = 15, 10, 5, 2, 1; within 3 %).",
        _compresses,
    ),
    ("fig10a", "Training with hidden spikes of fewer time steps (small T_h) costs little.", _short_codes),
    (
        "fig10b",
        "The spiking audiocoder is better than the conventional one trained by SGD ...",
        lambda m: below(m, "SNN", "ANN, SGD"),
    ),
    ("fig10b", "... and worse than that trained by Adam.", lambda m: below(m, "ANN, Adam", "SNN")),
    (
        "fig10c",
        "At 1 and 2 bits the spiking audiocoder beats the conventional one.",
        lambda m: all_of(*(below(m, f"SNN, T_h = {b}", f"ANN, {b} bit") for b in (1, 2))),
    ),
    (
        "fig10c",
        "Above that the conventional one is better.",
        lambda m: all_of(*(below(m, f"ANN, {b} bit", f"SNN, T_h = {b}") for b in (5, 10, 15))),
    ),
    (
        "probe",
        "The code serves to recognize: a linear classifier on it is no worse than one on the pixels.",
        lambda m: below(m, "pixels", "code of SNN paper", "test/accuracy"),
    ),
    (
        "mask-classifier",
        "The mask helps a spiking classifier with a large output layer (the paper's rule).",
        lambda m: below(m, "online, no mask", "online, mask", "test/accuracy"),
    ),
    (
        "mask-classifier",
        "The same under backpropagation through time.",
        lambda m: below(m, "bptt, no mask", "bptt, mask", "test/accuracy"),
    ),
]

# Targets for the generators of other papers; of two experiments' variants with both names.
OUTLOOK_CLAIMS: list[Claim] = [
    (
        "conv-fashion",
        "Convolutions draw better than full connections, spiking, after one epoch.",
        lambda m: below(m, "SNN, convolutions", "SNN best"),
    ),
    (
        "conv-fashion",
        "In conventional networks they do, too (the convolutions hardly tuned).",
        lambda m: below(m, "ANN, convolutions", "ANN best"),
    ),
    (
        "stacked",
        "With 64 neurons of code two layers draw better than one.",
        lambda m: below(m, "784-256-64, together", "784-64-784"),
    ),
    (
        "stacked",
        "Layers that learn alone first draw better than those that learn together from the start.",
        lambda m: below(m, "784-256-64, layer by layer", "784-256-64, together"),
    ),
]
GENERATOR_CLAIMS: list[Claim] = [
    (
        "temporal-coding",
        "32 hidden spikes are as good a code as 32 principal components, and every output neuron fires.",
        lambda m: at_most(m, "H = 32", {"test/pixel_mse": 0.017, "test/silent_output": 0}),
    ),
    (
        "temporal-coding",
        "The error of the temporal coding autoencoder falls with the size of its code.",
        lambda m: chain(m, [f"H = {hidden}" for hidden in (8, 16, 32)], "test/pixel_mse"),
    ),
    (
        "temporal-coding",
        "It rises with the latency.",
        lambda m: chain(m, [f"latency {latency}" for latency in (16, 8, 4, 2, 1)], "test/pixel_mse"),
    ),
    (
        "temporal-coding",
        "It rises with noise.",
        lambda m: chain(m, ["noise 0.8", "noise 0.6", "noise 0.4", "noise 0.2", "latency 1"], "test/pixel_mse"),
    ),
    ("temporal-coding", "Inhibition is essential: without negative weights the error is at least twice.", _inhibition),
    (
        "hybrid-vae",
        "A decoder that reads when neurons fire beats one that reads how often (input by rates).",
        lambda m: below(m, "control, rates", "mlp, rates", "test/recognized"),
    ),
    (
        "hybrid-vae",
        "The same with input by times.",
        lambda m: below(m, "control, times", "mlp, times", "test/recognized"),
    ),
    (
        "hybrid-vae",
        "The classifier recognizes at least 85 % of what is drawn.",
        lambda m: at_most(m, "mlp, rates", {"test/recognized": -0.85}),
    ),
    (
        "spiking-gan",
        "The classifier is sure of half of the samples, eight classes occur, and shuffled pixels do not pass.",
        lambda m: at_most(
            m,
            "as chosen",
            {"test/sure": -0.5, "test/classes": -8, "test/neighbour": -0.5, "test/sure_of_shuffled": 0.05},
        ),
    ),
    (
        "generators",
        "Of Spiking-GAN's digits the first classifier is over 0.9 sure of 80 %; their pixels vary 40 % as much as "
        "those of real digits.",
        lambda m: at_most(m, "MNIST, Spiking-GAN", {"test/sure": -0.8, "test/pixel_variance": -0.4}),
    ),
    (
        "vq-diffusion",
        "New digits and clothes are near real ones, without guidance: a Fréchet autoencoder distance up to 9 and 12.",
        lambda m: all_of(at_most(m, "MNIST", {"test/fad": 9}), at_most(m, "Fashion-MNIST", {"test/fad": 12})),
    ),
    (
        "vq-diffusion",
        "With guidance a classifier is over 0.9 sure of 88 % of the digits, which vary 75 % as much as real ones.",
        lambda m: at_most(m, "MNIST", {"guided/sure": -0.88, "guided/pixel_variance": -0.75}),
    ),
    (
        "vq-diffusion",
        "Of 80 % of the test digits whose lower half it draws anew, the classifier sees the right class.",
        lambda m: at_most(m, "MNIST", {"test/completed": -0.8}),
    ),
    (
        "spoken-diffusion",
        "Of 85 % of the new images of spoken digits the classifier sees the right digit, and they vary half as much as "
        "real ones.",
        lambda m: at_most(
            m, "VQ-diffusion", {"test/right": -0.85, "test/pixel_variance": -0.5, "test/utterance_variance": -0.5}
        ),
    ),
    (
        "spoken-diffusion",
        "They vary more than what the network of data set B draws of one utterance.",
        lambda m: below(m, "data set B's network", "VQ-diffusion", "test/utterance_variance"),
    ),
    (
        "esvae",
        "Reconstructions are better than the mean image and eight principal components.",
        lambda m: all_of(
            *(
                at_most(m, variant, {"test/pixel_mse": one["test/pca_8"]["mean"]})
                for variant, one in m["variants"].items()
            )
        ),
    ),
    (
        "esvae+spiking-gan",
        "ESVAE's samples lie nearer to test images than Spiking-GAN's, at 14 x 14 pixels.",
        lambda m: below(m, "esvae, MNIST", "spiking-gan, as chosen", "test/classifier_frechet_14"),
    ),
    (
        "aggressive-loss",
        "The aggressive loss decides a third earlier, by 11 % fewer spikes, and is as often right.",
        _aggressive,
    ),
    (
        "predictive-coding",
        "The farther ahead, the fewer of the blobs' places are told right.",
        lambda m: chain(m, [f"delay {delay}" for delay in (0, 2, 4)], "test/accuracy"),
    ),
    (
        "predictive-coding",
        "A decoder that reads when neurons fired tells more of them than one that reads how often.",
        lambda m: below(m, "delay -2, rates", "delay -2", "test/accuracy"),
    ),
]
