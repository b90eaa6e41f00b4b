"""Damaged files, in this process: every one must end in a value or in an InputError, within bounds of memory and time.

A parser's own test file gives whole files (`seeds`) and a function that reads one; `fuzz` damages the files at random,
by a seed, so that a failure can be had again. A damaged file that makes the package's code go a new way, from one
line to another, is damaged further. SNN_SYNTH_FUZZ says how many files each parser is given, and
SNN_SYNTH_FUZZ_SEED which.
"""

import os
import random
import re
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import FrameType

import snn_synth
from snn_synth.errors import InputError

PACKAGE = str(Path(snn_synth.__file__).parent)
FILES = int(os.environ.get("SNN_SYNTH_FUZZ", "700"))
SEED = int(os.environ.get("SNN_SYNTH_FUZZ_SEED", "0"))
WATCHED = 8  # one file in so many, as watching takes several times as long as reading
SECONDS = 10
MEMORY = 2**30
KEPT = Path(__file__).parents[2] / "build/fuzz"  # the files that failed
ESCAPES = {
    "os.system",
    "os.exec",
    "os.spawn",
    "os.posix_spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
    "subprocess.Popen",
}
ESCAPES |= {"socket.connect", "socket.bind", "socket.getaddrinfo", "urllib.Request", "webbrowser.open"}

# Sizes and signs at which readers of headers go wrong.
NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]


def damage(content: bytes, random_: random.Random, words: Sequence[bytes] = ()) -> bytes:
    """One to four changes: bytes flipped, cut out, doubled, moved, overwritten by a number or a word of the format."""
    data = bytearray(content)
    for _ in range(random_.randint(1, 4)):
        at = random_.randrange(len(data) + 1)
        span = slice(at, at + random_.choice([1, 1, 2, 4, 8, 64, 1024]))
        change = random_.randrange(8 if words else 7)
        if change == 0 and data:
            data[at % len(data)] ^= 1 << random_.randrange(8)
        elif change == 1:
            data[span] = random_.randbytes(len(data[span]))
        elif change == 2:
            del data[span]
        elif change == 3:
            data[at:at] = data[span]
        elif change == 4:
            del data[at:]
        elif change == 5:
            width = random_.choice([1, 2, 4, 8])
            number = random_.choice(NUMBERS) % 256**width
            data[at : at + width] = number.to_bytes(width, random_.choice(["little", "big"]))
        elif change == 6:
            data[at:at] = random_.choice([b"\0", b"\n", b"-1", b"1e999", b"nan", b"999999999999", b"[", b"{", b"&a "])
        elif words:
            data[span if random_.random() < 0.5 else slice(at, at)] = random_.choice(words)
    return bytes(data)


def fuzz(
    read: Callable[[Path], object],
    seeds: Sequence[bytes],
    path: Path,
    files: int = FILES,
    words: Sequence[bytes] = (),
    seed: int = SEED,
) -> dict[str, int]:
    """Read damaged files; raises AssertionError at the first that ends in anything but a value or an InputError.

    Args:
        read: reads a file.
        seeds: contents of whole files.
        path: where the damaged ones are written; the last stays there.
        files: how many.
        words: of the format, to be put in at random: keys, magic numbers.
        seed: of the damage.

    Returns:
        How many gave a value, and how many an InputError.
    """
    random_ = random.Random(seed)
    counts = {"values": 0, "errors": 0}
    corpus, known = list(seeds), set()
    for index in range(-len(seeds), files):
        content = damage(random_.choice(corpus), random_, words) if index >= 0 else seeds[index]
        path.write_bytes(content)
        watched = ways() if index < 0 or index % WATCHED == 0 else nullcontext(set())
        try:
            with bounded(), warnings.catch_warnings(), watched as gone:
                warnings.simplefilter("ignore")
                read(path)
            outcome = "values"
        except InputError as error:
            if "\n" in str(error):
                raise AssertionError(f"{kept(content, path, seed, index)}: more than one line: {error}") from error
            outcome = "errors"
        except BaseException as error:
            raise AssertionError(f"{kept(content, path, seed, index)}: {type(error).__name__}: {error}") from error
        if index >= 0:
            counts[outcome] += 1
            if not gone <= known:
                corpus.append(content)
        known |= gone
    return counts


def kept(content: bytes, path: Path, seed: int, index: int) -> str:
    """Keep a file that failed, by the name of the test that had it read, and say where it is."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").removeprefix("tests/fuzz/").removesuffix(" (call)")
    KEPT.mkdir(parents=True, exist_ok=True)
    file = KEPT / f"{re.sub(r'[^a-zA-Z0-9_.]+', '-', test)[:150]}-seed{seed}-file{index}{path.suffix}"
    file.write_bytes(content)
    return f"file {index} of seed {seed} ({file})"


class ways:  # noqa: N801
    """The steps from one line of the package to another, as (file, line before, line)."""

    def __enter__(self) -> set[tuple[str, int, int]]:
        self.gone: set[tuple[str, int, int]] = set()
        self.before = sys.gettrace()
        sys.settrace(self.called)
        return self.gone

    def __exit__(self, *error: object) -> None:
        sys.settrace(self.before)

    def called(self, frame: FrameType, event: str, argument: object) -> Callable[..., object] | None:
        file = frame.f_code.co_filename
        if not file.startswith(PACKAGE):
            return None
        last, gone = frame.f_lineno, self.gone

        def stepped(frame: FrameType, event: str, argument: object) -> Callable[..., object]:
            nonlocal last
            if event == "line":
                gone.add((file, last, frame.f_lineno))
                last = frame.f_lineno
            return stepped

        return stepped


class EscapeError(Exception):
    """What was read as data has started a program, or called another machine."""


class bounded:  # noqa: N801  (read as `with bounded():`)
    """At most MEMORY more bytes of address space, SECONDS, and no program or machine called: else an error says so."""

    times = 0  # that it was entered
    inside = False
    escapes: list[str] = []

    def __enter__(self) -> None:
        bounded.times += 1
        bounded.escapes.clear()
        bounded.inside = True
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        self.limits = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, self.limits[1]))
        self.handler = signal.signal(signal.SIGALRM, self.stop)
        signal.alarm(SECONDS)
        self.start = time.monotonic()

    def __exit__(self, *error: object) -> None:
        signal.alarm(0)
        bounded.inside = False
        signal.signal(signal.SIGALRM, self.handler)
        resource.setrlimit(resource.RLIMIT_AS, self.limits)
        if bounded.escapes:  # also where what was raised has been caught
            raise EscapeError(", ".join(bounded.escapes))
        if error[0] is None and time.monotonic() - self.start > SECONDS:
            raise TimeoutError(f"more than {SECONDS} s")

    @staticmethod
    def stop(number: int, frame: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s")


def _watch(event: str, arguments: object) -> None:
    """Of the interpreter's own events, what no data may cause; it cannot be taken away again, so it asks first."""
    if bounded.inside and event in ESCAPES:
        bounded.escapes.append(f"{event} {arguments}")
        raise EscapeError(event)


sys.addaudithook(_watch)
