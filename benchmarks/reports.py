"""Make reports again and compare: ``python -m benchmarks.reports [FOLDER…] [--write]``, from the top of a checkout.

The command of each folder is the one beside it in ``reports/README.md``.  It is run as it stands there, in a temporary
folder, and what it makes is compared byte by byte with what stands under ``reports``; a line a folder says how long it
took and what differs.  Ends with exit code 1 if anything does.  ``--write`` puts what was made in its place.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
REPORTS = TOP / "reports"

FIGURES = (".pdf", ".png", ".svg")
"""What is drawn: its bytes depend on the version of Matplotlib."""


def commands() -> dict[str, str]:
    """The command of each folder, as ``reports/README.md`` has it."""
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|$", (REPORTS / "README.md").read_text(), re.MULTILINE)
    return dict(rows)


def make(folder: str, top: Path) -> Path:
    """Run the command of ``folder`` as if ``top`` were the top of a checkout; where its files are."""
    paths = [str(TOP), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    run = {"shell": True, "cwd": top, "env": environment, "capture_output": True, "text": True}
    done = subprocess.run(commands()[folder], check=False, **run)
    if done.returncode:
        raise SystemExit(f"{folder}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return top / "reports" / folder


def files(folder: Path) -> dict[str, bytes]:
    """The content of each file by its path inside ``folder``."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def differences(made: Path, kept: Path, figures: bool = True) -> list[str]:
    """A line for each file that only one of the folders has or whose bytes are not the same; of figures if asked."""
    ours, theirs = files(made), files(kept)
    found = []
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in ours or name not in theirs:
            found.append(f"{name}: {'not made' if name not in ours else 'new'}")
        elif ours[name] != theirs[name] and (figures or Path(name).suffix not in FIGURES):
            found.append(f"{name}: {_first_difference(ours[name], theirs[name])}")
    return found


def _first_difference(ours: bytes, theirs: bytes) -> str:
    try:
        pairs = zip(ours.decode().splitlines(), theirs.decode().splitlines(), strict=False)
    except UnicodeDecodeError:
        return "other bytes"
    for number, (made, kept) in enumerate(pairs, 1):
        if made != kept:
            return f"line {number}: made {made:.120}, kept {kept:.120}"
    return "other lengths"


def check(folder: str, write: bool) -> bool:
    """Make one folder, print a line of it and of what differs; whether it is as it stands."""
    began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as temporary:
        made = make(folder, Path(temporary))
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        found = differences(made, REPORTS / folder)
        verdict = f"{len(found)} files differ" if found else "identical"
        print(f"{folder:28} {time.monotonic() - began:7.1f} s {spent:7.1f} CPU-s  {verdict}", flush=True)
        for line in found:
            print(f"    {line}", flush=True)
        if write and found:
            shutil.rmtree(REPORTS / folder)
            shutil.copytree(made, REPORTS / folder)
    return not found


def main() -> None:
    """The command line."""
    known = commands()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="as in reports/README.md; default: all")
    parser.add_argument("--write", action="store_true", help="replace what differs under reports")
    arguments = parser.parse_args()
    if unknown := [folder for folder in arguments.folders if folder not in known]:
        parser.error(f"no command for {', '.join(unknown)} in reports/README.md")
    same = [check(folder, arguments.write) for folder in arguments.folders or known]
    sys.exit(not all(same))


if __name__ == "__main__":
    main()
