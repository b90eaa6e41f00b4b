"""What a process holds, seen from outside: from /proc, as far as a system has it."""

import os
from pathlib import Path
from statistics import median

PROC = Path("/proc")


def held(*pids):
    """Bytes of memory of their own, open files and threads of some processes together; what has ended holds nothing."""
    total = {"bytes": 0, "files": 0, "threads": 0}
    for pid in pids:
        try:
            fields = dict(line.split(":", 1) for line in (PROC / str(pid) / "status").read_text().splitlines())
            files = len(os.listdir(PROC / str(pid) / "fd"))
            found = 1024 * int(fields["RssAnon"].split()[0]), files, int(fields["Threads"])
        except (OSError, KeyError):
            continue
        total = {what: so_far + more for (what, so_far), more in zip(total.items(), found, strict=True)}
    return total


def children(pid):
    """All processes that a process has started, and those that they have."""
    try:
        found = [int(one) for one in (PROC / str(pid) / "task" / str(pid) / "children").read_text().split()]
    except OSError:
        return []
    return [one for child in found for one in (child, *children(child))]


def files_below(folder):
    """All files in a folder, some of which may go meanwhile."""
    return [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]


def growth(values):
    """From the middle third to the last third, each by its median: the first is for caches that fill up."""
    third = len(values) // 3
    return median(values[-third:]) - median(values[third : 2 * third])


def working_in(folder):
    """Commands of the other processes that work in a folder or below it."""
    found = []
    for one in PROC.glob("[0-9]*"):
        try:
            if one.name != str(os.getpid()) and Path(os.readlink(one / "cwd")).is_relative_to(folder):
                found.append((one / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # another user's, or it has ended
            continue
    return found
