#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loses the power after every single step of a recorded scenario, and looks whether everything acknowledged came through.

usage: replay.py STOREDRILL DISKFAULT_SO [SEED [VARIANTS]]

A run is recorded with every write, sync and line said. For each moment the files are built anew as a disk may hold them
then: what was synced, and of the rest nothing, or a random part. A part is drawn per sector of 512 bytes, since a disk
writes sectors in any order and never tears one: each holds its content from some moment since the last sync. A name is
there for certain only once its folder was synced.
"""
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import drillrun  # noqa: E402

SECTOR = 512
HEADER = struct.Struct("<cHqQ")


def read_record(path):
    """The steps of a record as (call, path, offset, bytes)."""
    with open(path, "rb") as file:
        data = file.read()
    steps, at = [], 0
    while at + HEADER.size <= len(data):
        call, path_length, offset, length = HEADER.unpack_from(data, at)
        at += HEADER.size
        name = data[at:at + path_length].decode()
        at += path_length
        steps.append((call.decode(), name, offset, data[at:at + length]))
        at += length
    return steps


class File:
    """One file: its content at the last sync, and each content since then."""

    def __init__(self):
        self.synced = b""
        self.now = bytearray()
        # (first byte, last byte + 1, content afterwards) of each change since the sync.
        self.changes = []

    def write(self, offset, data):
        if offset > len(self.now):
            self.now += bytes(offset - len(self.now))
        self.now[offset:offset + len(data)] = data
        self.changes.append((offset, offset + len(data), bytes(self.now)))

    def resize(self, length):
        old = len(self.now)
        if length < old:
            # A file becomes shorter at once or not at all: no file system leaves holes where it was.
            del self.now[length:]
            self.changes.append((length, length, bytes(self.now)))
        else:
            self.now += bytes(length - old)
            self.changes.append((old, length, bytes(self.now)))

    def sync(self):
        self.synced = bytes(self.now)
        self.changes = []

    def after_power_loss(self, chance):
        """What the disk holds. No chance: nothing that wasn't synced."""
        if chance is None or not self.changes:
            return self.synced
        versions = [self.synced] + [content for _, _, content in self.changes]
        length = len(chance.choice(versions))
        result = bytearray(self.synced[:length].ljust(length, b"\0"))
        touched = sorted({sector for first, last, _ in self.changes
                          for sector in range(first // SECTOR, (last + SECTOR - 1) // SECTOR)})
        favour = chance.choice((0.1, 0.5, 0.9))
        for sector in touched:
            if chance.random() < 0.7:
                version = versions[-1] if chance.random() < favour else versions[0]
            else:
                version = chance.choice(versions)
            start = sector * SECTOR
            end = min(start + SECTOR, length)
            if start < end:
                result[start:end] = version[start:end].ljust(end - start, b"\0")
        return bytes(result)


class Disk:
    """The folder as the page cache has it, and as the disk may."""

    def __init__(self, folder):
        self.folder = folder
        self.names = {}
        self.synced_names = {}
        self.name_changes = []
        self.is_made = False

    def file(self, path):
        if path not in self.names:
            self.names[path] = File()
            self.name_changes.append(dict(self.names))
        return self.names[path]

    def take(self, call, path, offset, data):
        if call == "m":
            self.is_made = True
        elif call == "w":
            self.file(path).write(offset, data)
        elif call == "t":
            self.file(path).resize(offset)
        elif call == "a":
            file = self.file(path)
            if offset > len(file.now):
                file.resize(offset)
        elif call == "s" and path == self.folder:
            self.synced_names, self.name_changes = dict(self.names), []
        elif call == "s":
            self.file(path).sync()
        elif call == "u":
            if self.names.pop(path, None) is not None:
                self.name_changes.append(dict(self.names))
        elif call == "r":
            if path in self.names:
                self.names[data.decode()] = self.names.pop(path)
                self.name_changes.append(dict(self.names))

    def build(self, folder, chance):
        """Writes the files as the disk holds them after a power loss now."""
        os.mkdir(folder, 0o700)
        names = self.synced_names
        if chance is not None:
            names = chance.choice([self.synced_names] + self.name_changes)
        for path, file in names.items():
            target = os.path.join(folder, os.path.basename(path))
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(file.after_power_loss(chance))


def record(binary, shim, home, seed, batches, more):
    """The steps of one scenario, and the folder that they name."""
    folder, path = os.path.join(home, "recorded"), os.path.join(home, "record")
    environment = dict(os.environ, LD_PRELOAD=shim, DISKFAULT_FOLDER=folder, DISKFAULT_RECORD=path)
    report, code = drillrun.scenario(binary, folder, seed, batches, environment, more=more)
    if code != 0 or not report.is_done:
        raise SystemExit(f"replay: the scenario fails without a fault (exit code {code}): {report.lines[-3:]}")
    steps = read_record(path)
    shutil.rmtree(folder)
    os.remove(path)
    return folder, steps


def power_losses(binary, shim, home, seed, batches, variants, every=1, never_synced=None, more=()):
    """Gives a call for each power loss: it returns (True, what is wrong or None).

    never_synced plants a bug: the name of a file whose syncs are left out, so that a loss must be found.
    """
    folder, steps = record(binary, shim, home, seed, batches, more)
    steps = [step for step in steps if step[0] != "s" or os.path.basename(step[1]) != never_synced]
    disk, report = Disk(folder), drillrun.Report()
    for number, (call, path, offset, data) in enumerate(steps, 1):
        if call == "o":
            for line in data.decode().splitlines():
                report.take(line, batches // 2)
            continue
        disk.take(call, path, offset, data)
        if not disk.is_made or number % every:
            continue
        for variant in range(variants):
            chance = None if variant == 0 else random.Random(f"{seed} {number} {variant}")
            target = os.path.join(home, f"loss-{seed}-{number}-{variant}")
            disk.build(target, chance)
            yield check(binary, target, seed, report, more, f"after step {number} ({call} {os.path.basename(path)}), "
                                                      f"seed {seed}, variant {variant}")


def check(binary, target, seed, report, more, place):
    said = drillrun.Report()
    said.synced = report.synced
    said.acked, said.sent, said.is_initialised = report.acked, report.sent, report.is_initialised

    def call():
        try:
            wrong = drillrun.verify(binary, target, seed, said.sent + 2, said, more)
            return True, wrong and f"power loss {place}: {wrong}"
        finally:
            shutil.rmtree(target, ignore_errors=True)
    return call


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    binary, shim = map(os.path.abspath, sys.argv[1:3])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    variants = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    home = tempfile.mkdtemp(prefix="verdict-replay-", dir=drillrun.scratch())
    done, failures = 0, 0
    try:
        for call in power_losses(binary, shim, home, seed, 24, variants):
            _, wrong = call()
            done += 1
            if wrong:
                failures += 1
                print(wrong)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(f"{done} power losses, {failures} with a loss")
    sys.exit(1 if failures or not done else 0)


if __name__ == "__main__":
    main()
