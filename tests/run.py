"""`python -m tests.run`: the whole suite, its files shared out over the processors, one process for each part.

Options are pytest's. With `--coverage` first each process measures branches, and leaves its data to be combined.
"""

import os
import subprocess
import sys
import tempfile
from typing import IO

MOST = 4  # more parts start more database servers than they save time
EACH = 2  # parts for each processor: tests of servers wait more than they compute


def main(options: list[str]) -> int:
    """Runs the parts side by side, shows what each said, and gives the worst exit status."""
    measured = options[:1] == ["--coverage"]
    command = [sys.executable, *(["-m", "coverage", "run"] if measured else []), "-m", "pytest"]
    parts = min(EACH * (os.cpu_count() or 1), MOST)
    running = [started([*command, f"--part={part}/{parts}", *options[measured:]]) for part in range(1, parts + 1)]
    worst = 0
    for process, output in running:
        worst = max(worst, process.wait())
        output.seek(0)
        print(output.read().decode(errors="replace"), flush=True)
    return worst


def started(command: list[str]) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    output = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process has ended
    return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT), output


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
