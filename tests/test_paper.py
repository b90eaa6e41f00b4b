"""paper/paper.md has JOSS's form, cites what its bibliography holds, and quotes committed measurements alone."""

import re
import shutil
import subprocess

import pytest
import yaml
from scipy.stats import ttest_rel

from tests.committed import (
    BENCHMARKS,
    EPYC,
    ERROR,
    H200,
    NUMBER,
    RESULTS,
    ROOT,
    XEON,
    Quoted,
    at,
    check,
    error,
    faster,
    read,
)

PAPER = ROOT / "paper" / "paper.md"
HEADER, BODY = PAPER.read_text().removeprefix("---\n").split("\n---\n", 1)
BIBLIOGRAPHY = (ROOT / "paper" / "paper.bib").read_text()
SECTIONS = [
    "Summary",
    "Statement of need",
    "State of the field",
    "Software design",
    "Research impact statement",
    "AI usage disclosure",
    "Acknowledgements",
    "References",
]


def table_row(experiment: str) -> list[float]:
    """What a row of the paper's table says: published, same rule, best recipe, conventional networks."""
    published = at(RESULTS.format(experiment), "variants", "SNN paper", "paper")
    ours = ("SNN paper", "SNN best", "ANN best, same spikes", "ANN best")
    return [published, *(error(experiment, variant) for variant in ours)]


def stored_traces() -> float:
    """Gigabytes of a float32 trace for each synapse and sample: 58500-2048-196, a batch of 50."""
    return 50 * (58500 * 2048 + 2048 * 196) * 4 / 1e9


SMALL, LARGE = "784-196-784", "58500-2048-196"
ROW = rf"\| {NUMBER} \| {NUMBER} \| {NUMBER} \| {NUMBER} \| {NUMBER} \|"
# What the paper says -> the numbers that the committed files hold.
QUOTED: Quoted = {
    rf"{NUMBER} GB for the paper's network": lambda: [stored_traces()],
    rf"{NUMBER} times as fast as in snnTorch for {SMALL}": lambda: [faster(XEON, f"bptt-{SMALL}", "snntorch")],
    rf"{NUMBER} times for {LARGE}": lambda: [faster(XEON, f"bptt-{LARGE}", "snntorch")],
    rf"without matrix units it is {NUMBER} and {NUMBER} times": lambda: [
        faster(EPYC, f"bptt-{size}", "snntorch") for size in (SMALL, LARGE)
    ],
    rf"is {NUMBER} times as fast as stored traces": lambda: [faster(XEON, f"online-{SMALL}", "naive")],
    rf"inputs in {NUMBER} GB": lambda: [
        at(BENCHMARKS.format(XEON), "workloads", f"online-{LARGE}", "implementations", "ours", "peak_bytes") / 1e9
    ],
    rf"CUDA graph is {NUMBER} times as fast as snnTorch's": lambda: [
        faster(H200, f"bptt-{SMALL}", "snntorch", "graph")
    ],
    rf"\| MNIST, 196 hidden {ROW}": lambda: table_row("table1-mnist"),
    rf"\| Fashion-MNIST, 512 hidden {ROW}": lambda: table_row("table1-fashion-512"),
    rf"\| Fashion-MNIST, 1,024 hidden {ROW}": lambda: table_row("table1-fashion-1024"),
    rf"\| speech to image, one image a digit {ROW}": lambda: table_row("table1-a2i-a"),
    rf"\| speech to image, many images a digit {ROW}": lambda: table_row("table1-a2i-b"),
    rf"error rises from {NUMBER} to {NUMBER}\.": lambda: [error("fig4a", "mask"), error("fig4a", "no mask")],
    rf"in {NUMBER} % of cases": lambda: [
        100 * at(RESULTS.format("unseen-speakers"), "variants", "*", "unheard/nearest_class", "mean")
    ],
    rf"squared error of {NUMBER} on MNIST, where 32 principal components reach {NUMBER}": lambda: [
        at(RESULTS.format("temporal-coding"), "variants", "H = 32", f"test/{measure}", "mean")
        for measure in ("pixel_mse", "pca_32")
    ],
}
TEXT = re.sub(r"\s+", " ", BODY)


@pytest.mark.parametrize("says", QUOTED)
def test_a_number_is_that_of_a_committed_file(says):
    check(says, TEXT, QUOTED)


def test_no_other_number_is_quoted():
    """Decimals, percentages, gigabytes and factors: each is in one of the sentences above."""
    rest = TEXT
    for says in QUOTED:
        rest = re.sub(says, "", rest)
    assert not re.findall(r"\d+\.\d+|\d+(?= (?:%|times|GB|seconds|minutes))", re.sub(r"\]\([^)]*\)", "", rest))


def test_exported_spikes_are_equal_in_four_libraries():
    assert "in a test of 100 digits, snnTorch, Norse, SpikingJelly and Sinabs gave every spike" in TEXT
    readers = read(BENCHMARKS.format("nir/readers"))["cases"]["`mnist-portable`, MNIST's test digits, 15 steps"]
    assert sorted(readers) == ["SpikingJelly", "norse", "sinabs", "snnTorch"]
    assert {(one["inputs"], one["equal_inputs"], one["differ"]) for one in readers.values()} == {(100, 100, 0)}


def test_where_the_paper_says_that_spiking_networks_are_better():
    """In every row, by the test of docs/results.md."""
    verdicts = []
    for experiment in ("table1-mnist", "table1-fashion-512", "table1-fashion-1024", "table1-a2i-a", "table1-a2i-b"):
        variants = read(RESULTS.format(experiment))["variants"]
        spiking, other = (variants[variant][ERROR]["each"] for variant in ("SNN best", "ANN best, same spikes"))
        assert len(spiking) == len(other) == 3
        verdicts.append(ttest_rel(other, spiking, alternative="greater").pvalue < 0.025)
    assert all(verdicts)


def test_where_the_paper_says_that_conventional_networks_are_better():
    """In the rows of images, if they see the pixels."""
    for experiment in ("table1-mnist", "table1-fashion-512", "table1-fashion-1024"):
        assert error(experiment, "ANN best") < error(experiment, "SNN best")


def test_the_header():
    header = yaml.safe_load(HEADER)
    assert set(header) == {"title", "tags", "authors", "affiliations", "date", "bibliography"}
    assert header["authors"] == [{"name": "snn_synth contributors", "affiliation": 1}]
    assert {one["index"] for one in header["affiliations"]} == {1}
    assert re.fullmatch(r"\d{1,2} [A-Z][a-z]+ \d{4}", header["date"])
    assert "`" not in header["title"]
    assert (PAPER.parent / header["bibliography"]).exists()


def test_the_sections_are_those_of_the_journal():
    assert re.findall(r"^# (.+)$", BODY, re.M) == SECTIONS


def test_the_length():
    words = re.findall(r"\w[\w'.,-]*", re.sub(r"<!--.*?-->|!\[.*?\]\(.*?\)|^\|.*$", "", BODY, flags=re.M | re.S))
    assert 750 <= len(words) <= 1750


def test_what_is_cited_is_in_the_bibliography_and_the_other_way_round():
    cited = set(re.findall(r"(?<![\w.])@([\w:-]+)", BODY))
    assert cited == set(re.findall(r"^@\w+\{([^,]+),", BIBLIOGRAPHY, re.M))


@pytest.mark.parametrize("entry", re.findall(r"^@\w+\{.*?^\}", BIBLIOGRAPHY, re.M | re.S), ids=lambda e: e[:30])
def test_a_reference_can_be_found(entry):
    fields = dict(re.findall(r"^  (\w+) *= *\{(.*?)\},?$", entry, re.M | re.S))
    assert {"author", "title", "year"} <= set(fields)
    assert re.fullmatch(r"(19|20)\d\d", fields["year"])
    if "doi" in fields:
        assert re.fullmatch(r"10\.\d{4,}/\S+", fields["doi"])
    else:
        assert fields["url"].startswith("https://")


def test_the_figures_are_there():
    figures = re.findall(r"!\[.*?\]\((.*?)\)", BODY, re.S)
    assert len(figures) == 2
    assert all((PAPER.parent / figure).is_file() for figure in figures)


def test_pandoc_builds_it(tmp_path):
    if shutil.which("pandoc") is None:
        pytest.skip("pandoc is not installed")
    command = ["pandoc", PAPER.name, "--citeproc", "--standalone", "--fail-if-warnings", "--output"]
    built = subprocess.run([*command, tmp_path / "paper.html"], cwd=PAPER.parent, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "paper.html").read_text()
    assert "Frontiers in Neuroscience" in page
    assert "???" not in page, "a citation without its reference"
