"""docs/numbers.md quotes committed measurements."""

import re
from statistics import mean, stdev

import pytest

from tests.committed import (
    AVX2,
    BENCHMARKS,
    EPYC,
    H200,
    NUMBER,
    RESULTS,
    ROOT,
    XEON,
    Quoted,
    at,
    check,
    each,
    faster,
    read,
)

TEXT = (ROOT / "docs" / "numbers.md").read_text()
SPREAD = rf"{NUMBER} ± {NUMBER}"
DEMO, UNSEEN, OTHERS = (RESULTS.format(name) for name in ("demo", "unseen-speakers", "unseen-speakers-others"))
VQD = RESULTS.format("vq-diffusion")
MSE, RIGHT = "standardized_mse", "nearest_class"


def demo(*keys: str) -> list[float]:
    """Over the seeds: mean error, its deviation, and the mean share of words in percent."""
    errors, right = (each(DEMO, "seeds", "*", *keys, measure) for measure in (MSE, RIGHT))
    return [mean(errors), stdev(errors), 100 * mean(right)]


def generated(experiment: str, variant: str, *measures: str) -> list[float]:
    found = read(RESULTS.format(experiment))["variants"][variant]
    return [found[f"test/{measure}"]["mean"] for measure in measures]


def robustness(condition: str) -> list[float]:
    return [100 * at(RESULTS.format("robustness"), "conditions", condition, "right")]


def card(measure: str) -> float:
    """Percent, from the card of the network that comes with the package."""
    text = (ROOT / "snn_synth" / "models" / "weights" / "fsdd" / "README.md").read_text()
    (share,) = re.findall(rf"\| {measure} \| {NUMBER} \|", text)
    return 100 * float(share)


def fitted(variant: str) -> float:
    """Seconds that a network's training takes."""
    return 60 * at(BENCHMARKS.format("generators/training-times"), variant, "minutes")


def fits(name: str, *measures: str) -> list[float]:
    """What a shipped config reached, and the seconds that it took."""
    found = read(BENCHMARKS.format("fits/runs"))[name]
    return [found[f"test/{measure}"] * (100 if measure == RIGHT else 1) for measure in measures] + [found["seconds"]]


def fully_connected() -> list[float]:
    """Right shares of the paper's network, of who was left out and of the others."""
    group = read(OTHERS)["groups"]["ACSNN"]
    return [100 * group[f"{part}/nearest_class"]["mean"] for part in ("unheard", "test")]


def on_each(workload: str, beside: str = "snntorch") -> list[float]:
    return [faster(machine, workload, beside) for machine in (XEON, EPYC, AVX2)]


def with_mixed(workload: str) -> list[float]:
    exact, *without = on_each(workload)
    return [exact, faster(XEON, workload, "snntorch", "mixed"), *without]


def a_batch() -> list[float]:
    """Seconds and gigabytes of the online rule at the paper's full size."""
    machines = XEON, EPYC, AVX2
    found = [read(BENCHMARKS.format(m))["workloads"]["online-58500-2048-196"]["implementations"] for m in machines]
    return [number for one in found for number in (one["ours"]["median"], one["ours"]["peak_bytes"] / 1e9)]


QUOTED: Quoted = {
    rf"autoencoder alone[^|]*\| {NUMBER} \|": lambda: [at(DEMO, "seeds", "*", "autoencoder", MSE)],
    rf"130 test words \| {SPREAD} \({NUMBER} %": lambda: demo("audio_to_image"),
    rf"not in the training \| {SPREAD} \({NUMBER} %\)": lambda: demo("held_out_voices", "audio_to_image"),
    rf"FSDD's 300 test words \| {SPREAD} \({NUMBER} %\)": lambda: demo("real_voices", "audio_to_image"),
    rf"{SPREAD} \({NUMBER} %\), its autoencoder {NUMBER}; FSDD {NUMBER} %": lambda: [
        *demo("ann"),
        at(DEMO, "seeds", "*", "ann", f"autoencoder_{MSE}"),
        demo("real_voices", "ann")[2],
    ],
    rf"`fit --config ae_mnist` \| {NUMBER} \| [^|]+ \| {NUMBER} \|": lambda: fits("ae_mnist", MSE),
    rf"ae_mnist_online` \| {NUMBER} \| [^|]+ \| {NUMBER} \|": lambda: fits("ae_mnist_online", MSE),
    rf"config a2i_fsdd` [^|]*\| {NUMBER} \({NUMBER} %\) \| [^|]+ \| {NUMBER} \|": lambda: fits("a2i_fsdd", MSE, RIGHT),
    rf"config a2i_fsdd_b` \| {NUMBER} \({NUMBER} %\) \| [^|]+ \| {NUMBER} \|": lambda: fits("a2i_fsdd_b", MSE, RIGHT),
    rf"config tc_mnist` \| {NUMBER} \| {NUMBER} \|": lambda: fits("tc_mnist", "pixel_mse"),
    rf"config hv_mnist` \| {NUMBER} \| {NUMBER} \|": lambda: fits("hv_mnist", "pixel_mse"),
    rf"in the training \| {NUMBER} to {NUMBER} %": lambda: [robustness("clean")[0], card("nearest_class")],
    rf"\| {NUMBER} % of 640 words": lambda: [card("unheard_voices")],
    rf"words \(its model card\), {NUMBER} % of 320 others": lambda: robustness("espeak's unheard voices"),
    rf"at -20 dB around the word \| {NUMBER} %": lambda: robustness("background, -20 dB"),
    rf"noise at 10 dB \| {NUMBER} %": lambda: robustness("noise, 10 dB"),
    rf"1.2 times as fast \| {NUMBER} %": lambda: robustness("speed x1.2"),
    rf"three seeds \| {NUMBER} % \({NUMBER} to {NUMBER} %\)": lambda: [
        100 * summary(each(UNSEEN, "variants", "*", f"unheard/{RIGHT}", "mean")) for summary in (mean, min, max)
    ],
    rf"test words in those runs \| {NUMBER} %": lambda: [100 * at(UNSEEN, "variants", "*", f"test/{RIGHT}", "mean")],
    rf"fully connected network \| {NUMBER} % and {NUMBER} %": fully_connected,
    rf"`pixel_mse` of {NUMBER}, 8 principal components {NUMBER} and 32 principal components {NUMBER}": lambda: (
        generated("generators", "MNIST, ESVAE", "mean_image", "pca_8", "pca_32")
    ),
    rf"recognizes {NUMBER} % of the reconstructions": lambda: [
        100 * share for share in generated("hybrid-vae", "mlp, rates", "recognized")
    ],
    rf"gives {NUMBER} % of the samples [^|]* vary {NUMBER} %": lambda: [
        100 * share for share in generated("generators", "MNIST, Spiking-GAN", "sure", "pixel_variance")
    ],
    rf"`fit --config gan_mnist` \| \| {NUMBER} \|": lambda: [fitted("MNIST, Spiking-GAN")],
    rf"`fit --config esvae_mnist` \| {NUMBER} \| {NUMBER} \|": lambda: [
        *generated("generators", "MNIST, ESVAE", "pixel_mse"),
        fitted("MNIST, ESVAE"),
    ],
    rf"over 0.9 for {NUMBER} %; Fréchet autoencoder distance {NUMBER}, the GAN's {NUMBER}": lambda: [
        100 * generated("generators", "MNIST, ESVAE", "sure")[0],
        *generated("generators", "MNIST, ESVAE", "fad"),
        *generated("generators", "MNIST, Spiking-GAN", "fad"),
    ],
    rf"`fit --config vqd_mnist` \| {NUMBER} \| {NUMBER} \|": lambda: [
        *generated("generators", "MNIST, VQ-diffusion", "pixel_mse"),
        fitted("MNIST, VQ-diffusion"),
    ],
    rf"`vq-diffusion`: distance {NUMBER}; with guidance 0\.5 over 0\.9 for {NUMBER} %, which vary {NUMBER} %": lambda: [
        *generated("vq-diffusion", "MNIST", "fad"),
        *(100 * at(VQD, "variants", "MNIST", f"guided/{one}", "mean") for one in ("sure", "pixel_variance")),
    ],
    rf"784-196-784, T=15 \| snnTorch \| {NUMBER}; mixed precision {NUMBER} \| {NUMBER} \| {NUMBER}": lambda: with_mixed(
        "bptt-784-196-784"
    ),
    rf"784-1024-784, T=60 \| snnTorch \| {NUMBER}; mixed precision {NUMBER} \| {NUMBER} \| {NUMBER}": lambda: (
        with_mixed("bptt-784-1024-784")
    ),
    rf"T=30 \| snnTorch \| {NUMBER}; mixed precision {NUMBER} \| {NUMBER} \| {NUMBER}": lambda: with_mixed(
        "bptt-58500-2048-196"
    ),
    rf"inference, 784-196-784 \| snnTorch \| {NUMBER} \| {NUMBER} \| {NUMBER}": lambda: on_each(
        "inference-784-196-784"
    ),
    rf"as the paper prints them \| {NUMBER} \| {NUMBER} \| {NUMBER}": lambda: on_each("online-784-196-784", "naive"),
    rf"784-1024-784 \| the same \| {NUMBER} \| {NUMBER} \| {NUMBER}": lambda: on_each("online-784-1024-784", "naive"),
    r" \| ".join([rf"{NUMBER} s a batch in {NUMBER} GB"] * 3): a_batch,
    rf"by BPTT is {NUMBER} times as fast": lambda: [faster(H200, "bptt-784-196-784", "snntorch")],
    rf"it is {NUMBER} times as fast, because": lambda: [faster(H200, "bptt-784-196-784", "snntorch", "graph")],
    rf"3,500 words takes {NUMBER} s": lambda: [
        at(BENCHMARKS.format(H200), "workloads", "bptt-58500-2048-196", "implementations", "ours", "median") * 3500 / 50
    ],
    rf"58500-2048-196 it is {NUMBER}\s+times as fast": lambda: [faster(H200, "bptt-58500-2048-196", "snntorch")],
}


@pytest.mark.parametrize("says", QUOTED)
def test_a_number_is_that_of_a_committed_file(says):
    check(says, TEXT, QUOTED)
