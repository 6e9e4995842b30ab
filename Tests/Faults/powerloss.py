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

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import drillrun  # noqa: E402
import loopdisk  # noqa: E402

BATCHES = 600


def cut_once(binary, seed):
    """One power loss. Returns (acknowledged, what is wrong or None)."""
    chance = random.Random(seed)
    last = chance.randrange(0, BATCHES - 50)
    # How many of the log's lines are read before the cut; the log goes on meanwhile, so each cut finds it elsewhere.
    lines_left = chance.randrange(1, 20)
    with loopdisk.LoopDisk(48) as disk:
        folder = os.path.join(disk.path, "node")
        is_cut = False

        def on_line(report, _):
            nonlocal lines_left, is_cut
            if report.sent < last or is_cut:
                return
            lines_left -= 1
            if lines_left == 0:
                disk.cut_power()
                is_cut = True

        report, code = drillrun.scenario(binary, folder, seed, BATCHES, on_line=on_line)
        if not is_cut:
            return report.acked, f"the power was never cut (exit code {code})"
        disk.return_power()
        # Whether the initialisation was reported as done is known from the report, and syncs its folder.
        wrong = drillrun.verify(binary, folder, seed, report.sent + 20, report)
        return report.acked, wrong


def run(binary, count, seed):
    return loopdisk.repeat(cut_once, "power loss", binary, count, seed)


if __name__ == "__main__":
    loopdisk.main(
        __doc__, 10, run, "{done} power losses, {total} batches acknowledged before them, {failed} with a loss")
