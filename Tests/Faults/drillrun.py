# SPDX-License-Identifier: Apache-2.0
"""Runs storedrill and reads what it says."""
import os
import shutil
import subprocess


def scratch():
    """Where drills put their files. In memory if there is room: the faults are made above the disk, and it is faster."""
    if "TMPDIR" in os.environ:
        return os.environ["TMPDIR"]
    memory = "/dev/shm"
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 512 << 20:
        return memory
    return "/var/tmp"


class Report:
    """What a scenario has said, line by line."""

    def __init__(self):
        self.lines = []
        self.is_initialised = False
        self.acked = 0
        self.sent = 0
        # The applied index that is safe; 0 in a drill of the log alone.
        self.synced = 0
        self.found = []
        self.is_done = False
        self.full = []
        # The step that went wrong, as (number, call, file), and how it stood then.
        self.fault = None
        self.acked_after_fault = []
        self.was_writing = False

    def take(self, line, half):
        self.lines.append(line)
        word, _, rest = line.partition(" ")
        if word == "initialised":
            self.is_initialised = True
        elif word == "found":
            self.found.append(int(rest))
        elif word == "sent":
            self.sent = max(self.sent, int(rest))
        elif word == "acked":
            self.acked = max(self.acked, int(rest))
            if self.fault:
                self.acked_after_fault.append(int(rest))
        elif word == "synced":
            self.synced = max(self.synced, int(rest))
        elif word == "full":
            self.full.append(rest == "yes")
        elif word == "done":
            self.is_done = True
        elif word == "fault" and self.fault is None:
            number, call, file = rest.split(" ", 2)
            self.fault = (int(number), call, file)
            self.was_writing = (len(self.found) == 1 and self.acked < half) or len(self.found) == 2


def scenario(binary, folder, seed, batches, environment=None, on_line=None, more=()):
    """Runs a scenario to its end. Returns its report and its exit code (negative: the signal that killed it)."""
    report = Report()
    process = subprocess.Popen(
        [binary, "scenario", "--folder", folder, "--seed", str(seed), "--batches", str(batches), *more],
        stdout=subprocess.PIPE, env=environment, text=True)
    try:
        for line in process.stdout:
            report.take(line.rstrip("\n"), batches // 2)
            if on_line is not None:
                on_line(report, process)
        return report, process.wait(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def verify(binary, folder, seed, batches, report, more=()):
    """Holds a folder against a report. Returns what is wrong, or None."""
    result = subprocess.run(
        [binary, "verify", "--folder", folder, "--seed", str(seed), "--batches", str(batches),
         "--acked", str(report.acked), "--sent", str(report.sent), "--synced", str(report.synced),
         "--initialised", "yes" if report.is_initialised else "no", *more],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    answer = result.stdout.strip()
    if result.returncode == 0 and answer.startswith("ok "):
        return None
    return answer or f"verify ended with {result.returncode}"
