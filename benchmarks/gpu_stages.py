"""What benchmarks/gpu.py measures: each stage yields what it has so far, so that one that is cut off leaves that."""

import contextlib
import gc
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from snn_synth import kernels
from snn_synth.encoding import poisson_encode, sample_keys
from snn_synth.experiments.bench import case as cases
from snn_synth.experiments.bench import memory, precision
from snn_synth.experiments.bench import run as bench
from snn_synth.experiments.bench.case import Case, pictures
from snn_synth.experiments.bench.implementations import IMPLEMENTATIONS, ours
from snn_synth.experiments.bench.measure import in_turns, summary, timed
from snn_synth.experiments.bench.workloads import DECAY, THRESHOLD, Workload, find
from snn_synth.functional import lif_scan, membrane_loss
from snn_synth.kernels import dispatch
from snn_synth.learning import bptt_loss, bptt_step
from snn_synth.learning.graph import WARM_UP

ROOT = Path(__file__).resolve().parents[1]
SMALL, MEDIUM, LARGE = "784-196-784", "784-1024-784", "58500-2048-196"
EPOCH = 70  # batches of 50 in the paper's 3,500 training words
GENERATORS = ("esvae_mnist", "gan_mnist", "hv_mnist", "tc_mnist")
Record = dict[str, Any]


@dataclass(frozen=True)
class Scale:
    """The real thing; or dry, the same code on the CPU, in shapes that Triton's interpreter can do."""

    dry: bool = False

    @property
    def device(self) -> str:
        """Where it runs."""
        return "cpu" if self.dry else "cuda"

    @property
    def rounds(self) -> int:
        """How often it is timed."""
        return 1 if self.dry else 20

    def shape(self, *shape: int) -> tuple[int, ...]:
        """A shape, or one of at most 6 each."""
        return tuple(min(n, 6) for n in shape) if self.dry else shape

    def workload(self, name: str) -> Workload:
        """The workload of that name, or a tiny one like it."""
        workload = find(name)
        if not self.dry:
            return workload
        sizes = (12, 6, 12 if workload.sizes[0] == workload.sizes[2] else 5)
        naive_steps = workload.naive_steps and 2
        return replace(workload, sizes=sizes, num_steps=4, batch=3, pretraining=1, naive_steps=naive_steps)

    def case(self, name: str) -> Case:
        """The workload with its weights and data."""
        case = cases.prepare(self.workload(name), self.device)
        return replace(case, weights=[4 * weight for weight in case.weights]) if self.dry else case  # so that some fire

    @contextlib.contextmanager
    def rehearsed(self) -> Iterator[None]:
        """Within the block of a dry run, tensors on the CPU go where those on a GPU would."""
        if not self.dry:
            yield
            return
        with patch.dict(dispatch._FAST, cpu="triton"), patch.object(ours, "captured", _not_captured):
            yield


def _not_captured(step: Callable[[], object]) -> Callable[[], object]:
    for _ in range(WARM_UP):
        step()
    return step


def check(name: str, found: float, bound: float) -> Record:
    """What was found, beside the most that it may be; NaN is more than anything."""
    return {"name": name, "found": float(f"{found:.3g}"), "bound": bound, "ok": bool(found <= bound)}


def contract(scale: Scale) -> Iterator[Record]:
    """The tests of every kernel against the reference, then whole scans at a size at which blocks run side by side."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "tests.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}"]
        few = ["-k", "limit or number or nan"] if scale.dry else []
        environment = os.environ | {"TRITON_INTERPRET": "1" if scale.dry else "0"}
        values = ["tests/kernels/cuda_values.py"]
        child = subprocess.run([*command, *values, *few], cwd=ROOT, env=environment, capture_output=True, text=True)
        if not report.is_file():
            raise RuntimeError((child.stdout + child.stderr)[-300:])
        cases_ = list(ET.parse(report).getroot().iter("testcase"))
    failed = {}
    for one in cases_:
        wrong = next((one.find(kind) for kind in ("failure", "error") if one.find(kind) is not None), None)
        if wrong is not None:
            failed[one.get("name", "")] = " ".join(wrong.get("message", "").split())[:300]
    record: Record = {
        "tests": len(cases_),
        "failed": failed,
        "checks": [check("contract tests failed", len(failed), 0)],
    }
    yield record
    record["checks"] += _whole_scans(scale)
    yield record


def _whole_scans(scale: Scale) -> list[Record]:
    lif = dispatch.kernel("triton", "lif")
    shape = scale.shape(60, 100, 1024)
    random = torch.Generator().manual_seed(0)
    currents = (1.5 * torch.rand(shape, generator=random) - 0.3).to(scale.device)
    targets = (torch.rand(shape, generator=random) < 0.2).float().to(scale.device)
    spikes, membranes = lif.forward(currents, None, DECAY, THRESHOLD, False)
    wanted = lif_scan(currents, None, DECAY, THRESHOLD)
    checks = [
        check("spikes of a scan that differ", (spikes != wanted[0]).sum().item(), 0),
        check("membranes of a scan that differ", (membranes != wanted[1]).sum().item(), 0),
    ]
    exact = currents.double().requires_grad_()
    loss = membrane_loss(lif_scan(exact, None, float(torch.tensor(DECAY)), THRESHOLD)[1], targets.double(), THRESHOLD)
    loss.backward()  # type: ignore[no-untyped-call]
    assert exact.grad is not None
    arguments = currents, targets, DECAY, THRESHOLD, False, True, 1 / (shape[0] * shape[1]), False
    runs = [lif.loss(*arguments) for _ in range(3)]
    total, gradient, _ = runs[0]
    checks.append(check("loss of a scan", abs(total.item() / (shape[0] * shape[1]) / loss.item() - 1), 1e-5))
    checks.append(check("gradient of a scan", precision.relative_error(gradient, exact.grad), 1e-3))
    differ = sum(not torch.equal(gradient, again) for _, again, _ in runs[1:])
    return [*checks, check("gradients of a scan that differ from run to run", differ, 0)]


def steps(scale: Scale) -> Iterator[Record]:
    """Loss and gradients of whole steps on the GPU, beside float64 by the reference functions on the CPU."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # which deterministic products ask for
    record: Record = {"rows": {}, "checks": []}
    for name in (f"bptt-{SMALL}", f"bptt-{MEDIUM}", f"online-{SMALL}"):
        case = scale.case(name)
        with kernels.use("reference"):
            home = _at_home(case)
            loss, exact = ours.gradients(home, torch.float64)
            fired = _spikes(home, torch.float64)
        choices: dict[str, tuple[ours.Context, float]] = {
            "float32": (nullcontext, 5e-3),
            "float32, reference": (partial(kernels.use, "reference"), 5e-3),
        }
        if case.workload.rule == "bptt":
            autocast = partial(torch.autocast, scale.device, torch.bfloat16)
            choices["mixed"] = partial(kernels.precision, "mixed"), 2e-2
            choices["bfloat16"] = partial(kernels.precision, "bfloat16"), 1.0
            choices["bfloat16 by autocast"] = autocast, 1.0
        for choice, (context, bound) in choices.items():
            record["rows"][f"{name}, {choice}"] = row = _compared(case, context, loss, exact, fired)
            exactly = choice.startswith("float32")
            record["checks"] += [
                check(f"{name}, {choice}: gradients", max(row["gradient_errors"]), bound),
                check(f"{name}, {choice}: loss", row["loss_error"], 1e-5 if exactly else 0.5),
                check(f"{name}, {choice}: spikes changed", row["changed_spikes"], 1e-5 if exactly else 0.05),
            ]
            yield record
        if name == f"bptt-{SMALL}":
            record["checks"] += [_chunks(case), _again(case)]
            yield record


def _compared(case: Case, context: ours.Context, loss: float, exact: list[Tensor], fired: Tensor) -> Record:
    with context():
        found, gradients = ours.gradients(case)
        changed = (_spikes(case, torch.float32) != fired).float().mean().item()
    errors = [precision.relative_error(g.cpu(), g64) for g, g64 in zip(gradients, exact, strict=True)]
    return {
        "loss_error": float(f"{abs(found - loss) / abs(loss):.3g}"),
        "gradient_errors": [float(f"{error:.3g}") for error in errors],
        "changed_spikes": float(f"{changed:.3g}"),
    }


def _at_home(case: Case) -> Case:
    moved = {name: getattr(case, name).cpu() for name in ("values", "keys", "spikes", "targets")}
    return replace(case, weights=[weight.cpu() for weight in case.weights], **moved)


@torch.no_grad()
def _spikes(case: Case, dtype: torch.dtype) -> Tensor:
    out = case.model(dtype)(case.spikes.to(dtype))
    return torch.cat([layer > 0 for layer in out.layer_spikes], dim=-1).cpu()


def _gradients(case: Case, chunk: int | None = None) -> list[Tensor]:
    model = case.model()
    bptt_loss(model, case.spikes, case.targets, chunk=chunk).backward()  # type: ignore[no-untyped-call]
    return [weight.grad for weight in model.parameters() if weight.grad is not None]


def _chunks(case: Case) -> Record:
    """The backward pass runs in another thread on a GPU; what it computes again must be in the same precision."""
    with kernels.precision("bfloat16"):
        whole, parts = _gradients(case), _gradients(case, chunk=4)
    errors = [precision.relative_error(a, b) for a, b in zip(parts, whole, strict=True)]
    return check("gradients in chunks, bfloat16, beside those of the whole", max(errors), 1e-3)


def _again(case: Case) -> Record:
    torch.use_deterministic_algorithms(True)
    try:
        differ = sum(not torch.equal(a, b) for a, b in zip(_gradients(case), _gradients(case), strict=True))
    finally:
        torch.use_deterministic_algorithms(False)
    return check("gradients that differ from run to run, deterministic algorithms", differ, 0)


def graph(scale: Scale) -> Iterator[Record]:
    """A step as one CUDA graph: the same losses as kernel by kernel, how many launches, how fast."""
    record: Record = {"checks": []}
    for name, other in ((f"bptt-{SMALL}", "snntorch"), (f"online-{SMALL}", "naive")):
        case = scale.case(name)
        with patch.object(ours, "LEARNING_RATE", 1e-3):
            eager, captured = ours.build(case), ours.build_captured(case)
        for _ in range(WARM_UP):
            eager.step()
        losses = [(float(captured.step()), float(eager.step())) for _ in range(4)]  # type: ignore[arg-type]
        apart = max(abs(a - b) / abs(b) for a, b in losses)
        runs = {"ours": eager.step, "graph": captured.step, other: IMPLEMENTATIONS[other].build(case).step}
        runs[other]()
        seconds = in_turns(runs, scale.rounds, scale.device)
        times = {key: summary(seconds[key]) for key in runs}
        record[name] = {
            "losses": losses,
            "times": times,
            "launches": {key: _launches(step) for key, step in runs.items()},
            "faster": {key: round(times[other]["median"] / row["median"], 2) for key, row in times.items()},
        }
        record["checks"].append(check(f"{name}: losses of the graph", apart, 1e-4))
        yield record


def _launches(step: Callable[[], object]) -> int | None:
    """Kernels and graphs that the host starts in a step; None where PyTorch's profiler does not work."""
    try:
        with torch.profiler.profile() as profile:
            step()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
        return sum(event.count for event in profile.key_averages() if "Launch" in event.key)
    except RuntimeError:
        return None


def limits(scale: Scale) -> Iterator[Record]:
    """What this GPU does at best: products of float32 and bfloat16, and a copy."""
    (size,), record = scale.shape(8192), {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (torch.randn(size, size, device=scale.device).to(dtype) for _ in range(2))
        seconds = _seconds(lambda a=a, b=b: a @ b, scale, calls=5)  # type: ignore[misc]
        record[f"{str(dtype).removeprefix('torch.')}_flops"] = float(f"{2 * size**3 / seconds:.4g}")
    a = torch.zeros(scale.shape(2**28)[0], device=scale.device)
    b = torch.ones_like(a)
    record["bandwidth"] = float(f"{8 * a.numel() / _seconds(lambda: a.copy_(b), scale, calls=5):.4g}")
    record["multiprocessors"] = 0 if scale.dry else torch.cuda.get_device_properties(0).multi_processor_count
    yield record


def _seconds(call: Callable[[], object], scale: Scale, calls: int = 10) -> float:
    """Median seconds of a call, of rounds of several, so that starting one hides behind another."""
    calls = 1 if scale.dry else calls

    def several() -> None:
        for _ in range(calls):
            call()

    several()
    return median(timed(several, scale.device) for _ in range(scale.rounds)) / calls


def scans(scale: Scale) -> Iterator[Record]:
    """Bandwidth of each kernel, by the fewest bytes that it has to move."""
    lif, encoding, traces = (dispatch.kernel("triton", name) for name in ("lif", "encoding", "traces"))
    shape = steps_, batch, _ = scale.shape(60, 400, 1024)
    a, b, c = (torch.rand(shape, device=scale.device) for _ in range(3))
    targets = (b < 0.2).float()
    keys = sample_keys(0, torch.arange(batch)).to(scale.device)
    calls: dict[str, tuple[Callable[[], object], int]] = {
        "forward": (lambda: lif.forward(a, None, DECAY, THRESHOLD, False), 3),
        "backward, by spikes": (lambda: lif.backward(b, None, a, None, DECAY, THRESHOLD, False, 1.0, False), 3),
        "backward, by spikes and membranes": (
            lambda: lif.backward(b, c, a, None, DECAY, THRESHOLD, False, 1.0, False),
            4,
        ),
        "loss and its gradient": (lambda: lif.loss(a, targets, DECAY, THRESHOLD, False, True, 1.0, False), 3),
        "Poisson input": (lambda: encoding.rate_spikes(a[0], keys, steps_, 1.0, "poisson"), 1),
    }
    record: Record = {"shape": list(shape), "rows": {}, "blocks": {}, "traces": {}}
    for name, (call, arrays) in calls.items():
        seconds = _seconds(call, scale)
        record["rows"][name] = {"seconds": seconds, "bandwidth": float(f"{4 * arrays * a.numel() / seconds:.4g}")}
        yield record
    for block in (64, 128, 256, 512):
        with patch.object(lif, "_block", lambda size, block=block: block):
            rows = {name: _seconds(calls[name][0], scale) for name in ("forward", "loss and its gradient")}
        record["blocks"][str(block)] = rows
        yield record
    for sizes in ((100, 196, 784), (100, 784, 196), (50, 2048, 58500)):
        batch, outputs, inputs = scale.shape(*sizes)
        delta = torch.randn(batch, outputs, device=scale.device)
        last = torch.randint(0, 4, (batch, outputs), device=scale.device, dtype=torch.int32)
        sums = torch.rand(6, batch, inputs, device=scale.device)
        seconds = _seconds(lambda d=delta, r=last, y=sums: traces.weight_gradient(d, r, y, 5, DECAY), scale, 5)  # type: ignore[misc]
        record["traces"]["-".join(map(str, sizes))] = seconds
        yield record


def products(scale: Scale) -> Iterator[Record]:
    """The ways to multiply with spikes, at the shapes of the workloads: time, and error of what should be exact."""
    gpu = dispatch.kernel("triton", "products")
    record: Record = {"rows": {}, "checks": []}
    for sizes in ((1500, 784, 196), (1500, 196, 784), (6000, 784, 1024), (6000, 1024, 784), (1500, 58500, 2048)):
        rows, inputs, outputs = scale.shape(*sizes)
        spikes = (torch.rand(rows, inputs, device=scale.device) < 0.15).float()
        weight, delta = (torch.randn(n, m, device=scale.device) for n, m in ((outputs, inputs), (rows, outputs)))
        found: Record = {}
        for choice, worth, rounded in (
            ("float32", False, False),
            ("three bfloat16", True, False),
            ("bfloat16", False, True),
        ):
            with patch.object(gpu, "_worth", lambda *_, worth=worth: worth):
                forward, backward = (
                    partial(gpu.currents, spikes, weight, rounded),
                    partial(gpu.weight_gradient, delta, spikes, rounded),
                )
                found[choice] = {"forward": _seconds(forward, scale, 5), "gradient": _seconds(backward, scale, 5)}
                if choice == "three bfloat16":
                    wrong = precision.relative_error(forward(), spikes.double() @ weight.double().T)
                    record["checks"].append(check(f"product {'x'.join(map(str, sizes))}", wrong, 1e-5))
        record["rows"]["x".join(map(str, sizes))] = found
        yield record


def full_size(scale: Scale) -> Iterator[Record]:
    """The paper's audiocoder: peaks of memory, and an epoch with its data sent to the GPU and encoded there."""
    record: Record = {"peaks": {}}
    case = scale.case(f"bptt-{LARGE}")
    for title, of, name in (
        ("snnTorch", case, "snntorch"),
        ("snn_synth", case, "ours"),
        ("snn_synth, one CUDA graph", case, "graph"),
        ("snn_synth, online", scale.case(f"online-{LARGE}"), "ours"),
    ):
        _free()
        memory.forget_peak(scale.device)
        try:
            step = IMPLEMENTATIONS[name].build(of).step
            step()
            record["peaks"][title] = {"seconds": timed(step, scale.device), "bytes": memory.peak_bytes(scale.device)}
            del step
        except torch.OutOfMemoryError as error:
            record["peaks"][title] = {"error": str(error)[:200]}
        yield record
    _free()
    record["epoch_seconds"] = _epoch(case, scale)
    yield record


def _epoch(case: Case, scale: Scale) -> float:
    workload, batches = case.workload, 2 if scale.dry else EPOCH
    places = torch.arange(workload.batch)
    values = [pictures(places + i * workload.batch, workload.sizes[0]) for i in range(2)]
    if not scale.dry:
        values = [one.pin_memory() for one in values]
    model = case.model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5, fused=True)

    def batch(number: int) -> None:
        given = values[number % 2].to(scale.device, non_blocking=True)
        keys = sample_keys(0, 0, places + number * workload.batch).to(scale.device)
        spikes = poisson_encode(given, workload.num_steps, keys=keys)
        bptt_step(model, spikes, case.targets, optimizer)

    batch(0)
    return timed(lambda: [batch(number) for number in range(batches)], scale.device) * EPOCH / batches


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def models(scale: Scale) -> Iterator[Record]:
    """Networks that come with the package: the same images as on the CPU, and new ones."""
    from snn_synth.evaluation import classifier_frechet
    from snn_synth.models import AESNN, ESVAE, AudioToImage, HybridVAE, ImageClassifier, SpikingGAN, TemporalCodingAE

    count = 2 if scale.dry else 100
    images = pictures(torch.arange(count), 784).reshape(-1, 1, 28, 28)
    keys = sample_keys(0, torch.arange(count))
    a2i, classifier = AudioToImage.from_pretrained("fsdd"), ImageClassifier.from_pretrained("mnist-classifier")
    sounds = pictures(torch.arange(count), a2i.audiocoder.inputs)
    ae, tc = AESNN.from_pretrained("mnist"), TemporalCodingAE.from_pretrained("mnist-temporal")
    same: dict[str, tuple[Any, Callable[[Any, str], Tensor]]] = {
        "AESNN": (ae, lambda net, where: net.reconstruct(images.to(where), 15, keys=keys.to(where))),
        "AudioToImage": (a2i, lambda net, where: net.synthesize(sounds.to(where), 30, keys=keys.to(where))),
        "TemporalCodingAE": (tc, lambda net, where: net.reconstruct(images.to(where))),
        "ImageClassifier": (classifier, lambda net, where: net.probabilities(images.to(where))),
    }
    record: Record = {"rows": {}, "checks": []}
    for name, (network, draw) in same.items():
        _tried(record, f"{name}: images beside the CPU's", lambda n=network, d=draw: _apart(n, d, scale), 1e-3)
        yield record
    random = torch.Generator(scale.device).manual_seed(0)
    for name, kind, folder in (("ESVAE", ESVAE, "mnist-esvae"), ("SpikingGAN", SpikingGAN, "mnist-gan")):
        network = kind.from_pretrained(folder).to(scale.device)
        wrong = lambda n=network: (~n.sample(count, random).isfinite()).sum().item()  # noqa: E731
        _tried(record, f"{name}: new images that are not finite", wrong, 0)
        yield record
    vae = HybridVAE.from_pretrained("mnist-hybrid").to(scale.device)
    wrong = lambda: (~vae.reconstruct(images.to(scale.device), random).isfinite()).sum().item()  # noqa: E731
    _tried(record, "HybridVAE: images that are not finite", wrong, 0)
    here, there = images.to(scale.device), classifier.to(scale.device)
    _tried(record, "Frechet distance of images to themselves", lambda: abs(classifier_frechet(here, here, there)), 1e-2)
    yield record


def _apart(network: Any, draw: Callable[[Any, str], Tensor], scale: Scale) -> float:
    with kernels.use("reference"):
        wanted = draw(network.cpu(), "cpu")
    return (draw(network.to(scale.device), scale.device).cpu() - wanted).abs().mean().item()


def _tried(record: Record, name: str, measure: Callable[[], float], bound: float) -> None:
    try:
        record["checks"].append(check(name, measure(), bound))
    except Exception as error:  # one that fails must not hide the others
        record["checks"].append(check(f"{name}: {type(error).__name__}: {error}"[:300], float("nan"), bound))


def fits(scale: Scale) -> Iterator[Record]:
    """``snn-synth fit`` of the shipped configs for some batches, several at a time."""
    commands = {
        "ae_mnist": ["--config", "ae_mnist"],
        "ae_mnist_online": ["--config", "ae_mnist", "--config", "ae_mnist_online"],
        "ae_mnist, bf16-mixed": ["--config", "ae_mnist", "--trainer.precision", "bf16-mixed"],
        "a2i_fsdd": ["--config", "a2i_fsdd"],
        **{name: ["--config", name] for name in GENERATORS},
        "hv_blobs": ["--config", "hv_blobs", "--data.sequences", "2000"],
    }
    if scale.dry:
        commands = {"ae_mnist": commands["ae_mnist"]}
    record: Record = {"rows": {}, "checks": []}
    with ThreadPoolExecutor(5) as pool:
        running = {pool.submit(_fit, words, scale): name for name, words in commands.items()}
        for done in as_completed(running):
            name = running[done]
            record["rows"][name] = row = done.result()
            record["checks"].append(check(f"fit {name}: exit code", row["exit_code"], 0))
            yield record


def _fit(argv: list[str], scale: Scale) -> Record:
    """Train, validate and test on a few batches; nothing is written."""
    batches = "1" if scale.dry else "20"
    options = ["--trainer.fast_dev_run", batches, "--trainer.accelerator", scale.device]
    command = [sys.executable, "-m", "snn_synth.cli", "fit", *argv, *options]
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            child = subprocess.run(
                command,
                cwd=folder,
                env=environment | {"OMP_NUM_THREADS": "2"},
                capture_output=True,
                text=True,
                timeout=100,
            )
            code, said = child.returncode, child.stderr
        except subprocess.TimeoutExpired:
            code, said = 124, "took more than 100 s"
    row: Record = {"exit_code": code, "seconds": round(time.perf_counter() - start, 1)}
    return row if code == 0 else row | {"error": " ".join(said.split())[-600:]}


def workload(name: str, compiled: bool, scale: Scale) -> Iterator[Record]:
    """All implementations of a workload that are there, timed in turns."""
    chosen = scale.workload(name)
    if not compiled or scale.dry:
        chosen = replace(chosen, implementations=tuple(one for one in chosen.implementations if one != "compile"))
    repeats = 1 if scale.dry else 10 if LARGE in name or name == f"online-{MEDIUM}" else 30
    yield bench.measure_workload(chosen, scale.device, False, repeats, with_memory=False)


def choices(scale: Scale) -> Iterator[Record]:
    """Time and error of each precision."""
    record = {}
    for name in bench.PRECISION:
        record[name] = precision.measure(scale.case(name), scale.rounds)
        yield record


@dataclass(frozen=True)
class Stage:
    """A part of the run.

    Attributes:
        measure: what it does.
        seconds: the most that it may take.
    """

    measure: Callable[[Scale], Iterator[Record]]
    seconds: int


def _workload(name: str, compiled: bool = False, seconds: int = 60) -> Stage:
    return Stage(partial(workload, name, compiled), seconds)


STAGES: Mapping[str, Stage] = {  # what matters most comes first: the last are left out when time runs out
    "contract": Stage(contract, 150),
    "steps": Stage(steps, 75),
    "graph": Stage(graph, 45),
    "limits": Stage(limits, 30),
    f"bptt-{SMALL}": _workload(f"bptt-{SMALL}", compiled=True, seconds=100),
    "scans": Stage(scans, 60),
    "full-size": Stage(full_size, 75),
    "fits": Stage(fits, 150),
    f"bptt-{LARGE}": _workload(f"bptt-{LARGE}"),
    "products": Stage(products, 45),
    f"online-{SMALL}": _workload(f"online-{SMALL}"),
    f"inference-{SMALL}": _workload(f"inference-{SMALL}", compiled=True, seconds=75),
    "models": Stage(models, 45),
    f"bptt-{MEDIUM}": _workload(f"bptt-{MEDIUM}"),
    f"online-{MEDIUM}": _workload(f"online-{MEDIUM}"),
    f"online-{LARGE}": _workload(f"online-{LARGE}"),
    "precision": Stage(choices, 45),
    f"bptt-{MEDIUM} compiled": _workload(f"bptt-{MEDIUM}", compiled=True, seconds=200),
}
