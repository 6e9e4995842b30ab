#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts the power of a disk while a log is written to it, and looks whether everything acknowledged came through.

usage: powerloss.py STOREDRILL [COUNT]      (as root; 10 times by default)

The disk is an ext4 file system in a file. The cut drops everything that was not synced, as a power loss does and kill -9
never does.
"""
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import drillrun  # noqa: E402
import loopdisk  # noqa: E402

BATCHES = 600


def cut_once(binary, seed):
    """One power loss. Returns (acknowledged, what is wrong or None)."""
    chance = random.Random(seed)
    last = chance.randrange(0, BATCHES - 50)
    delay = chance.random() * 0.003
    with loopdisk.LoopDisk(48) as disk:
        folder = os.path.join(disk.path, "node")
        cut = threading.Event()

        def pull():
            time.sleep(delay)
            disk.cut_power()
            cut.set()

        puller = threading.Thread(target=pull)

        def on_line(report, _):
            if not puller.ident and report.sent >= last:
                puller.start()

        report, code = drillrun.scenario(binary, folder, seed, BATCHES, on_line=on_line)
        if puller.ident:
            puller.join()
        if not cut.is_set():
            return report.acked, f"the power was never cut (exit code {code})"
        disk.return_power()
        # Whether the initialisation was reported as done is known from the report, and syncs its folder.
        wrong = drillrun.verify(binary, folder, seed, report.sent + 20, report)
        return report.acked, wrong


def run(binary, count, seed):
    """Cuts the power `count` times. Returns (done, acknowledged in all, failures)."""
    total, failures = 0, []
    for number in range(count):
        acked, wrong = cut_once(binary, seed + number)
        total += acked
        if wrong:
            failures.append(f"power loss, seed {seed + number}, {acked} acknowledged: {wrong}")
    return count, total, failures


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    missing = loopdisk.what_is_missing()
    if missing:
        sys.exit(f"powerloss: SKIPPED, and so failed: {missing}")
    done, total, failures = run(os.path.abspath(sys.argv[1]), count, random.randrange(1 << 30))
    for failure in failures:
        print(failure)
    print(f"{done} power losses, {total} batches acknowledged before them, {len(failures)} with a loss")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
