#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fills a real disk under a log that is being written, and makes room again.

usage: fulldisk.py STOREDRILL [COUNT]      (as root; 3 times by default)
"""
import os
import random
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import drillrun  # noqa: E402
import loopdisk  # noqa: E402

BATCHES = 1500
RESERVE = 1 << 20


def fill(path):
    """Takes every block that is left."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for size in (1 << 20, 1 << 16, 1 << 12):
            block = b"\xA5" * size
            try:
                while True:
                    os.write(descriptor, block)
            except OSError:
                pass
        try:
            os.fsync(descriptor)
        except OSError:
            pass
    finally:
        os.close(descriptor)


def fill_once(binary, seed):
    """Returns (batches acknowledged while the disk was full, what is wrong or None)."""
    chance = random.Random(seed)
    start = chance.randrange(5, 200)
    # A log that only grows: what a prefix lets go of would be room.
    more = ["--reserve", str(RESERVE), "--grows", "yes", "--wal-bound", str(1 << 20)]
    with loopdisk.LoopDisk(24) as disk:
        folder, filler = os.path.join(disk.path, "node"), os.path.join(disk.path, "filler")
        state = {"full_at": None, "stuck": False}
        worker = []
        said = threading.Condition()

        def hold(process):
            # Stopped meanwhile, so that the filler doesn't take what the log lets go of.
            process.send_signal(signal.SIGSTOP)
            fill(filler)
            process.send_signal(signal.SIGCONT)
            with said:
                said.wait_for(lambda: state["report"].full, timeout=30)
                # Until nothing more gets through, since the reserve is used up too.
                for _ in range(BATCHES):
                    seen = state["report"].acked
                    if not said.wait_for(lambda: state["report"].acked != seen, timeout=0.3):
                        state["stuck"] = bool(state["report"].full)
                        break
            state["acked_at_stop"] = state["report"].acked
            os.remove(filler)

        def on_line(report, process):
            state["report"] = report
            with said:
                said.notify_all()
            if not worker and report.acked >= start and report.found:
                worker.append(threading.Thread(target=hold, args=(process,)))
                worker[0].start()
            if report.full and state["full_at"] is None:
                state["full_at"] = report.acked

        report, code = drillrun.scenario(binary, folder, seed, BATCHES, on_line=on_line, more=more)
        for thread in worker:
            thread.join()
        if state["full_at"] is None:
            return 0, "the disk never became full"
        through = state["acked_at_stop"] - state["full_at"]
        if not report.is_done or code != 0:
            return through, f"the log did not go on when there was room (exit code {code}): {report.lines[-1]}"
        if not state["stuck"]:
            return through, "the reserve never ended: what was written to?"
        if through < 10:
            return through, f"only {through} batches found room in the reserve"
        if report.full[-1]:
            return through, "the log never said that there is room again"
        return through, drillrun.verify(binary, folder, seed, BATCHES, report, more=more[:4])


def run(binary, count, seed):
    return loopdisk.repeat(fill_once, "full disk", binary, count, seed)


if __name__ == "__main__":
    loopdisk.main(__doc__, 3, run, "{done} full disks, {total} batches found room in the reserve, {failed} went wrong")
