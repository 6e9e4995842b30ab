# SPDX-License-Identifier: Apache-2.0
"""A small ext4 file system in a file, mounted for as long as a drill needs it."""
import fcntl
import os
import shutil
import random
import struct
import subprocess
import sys
import tempfile

import drillrun

# EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32), and its flag for "nothing more reaches the disk, the journal neither".
SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


# A login's path has the tools of the system's administrator, that of a service may not.
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def what_is_missing():
    """Why no disk can be mounted here, or None if one can: it is tried."""
    if os.geteuid() != 0:
        return "only root can mount a file system"
    for tool in ("mkfs.ext4", "mount", "umount"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    try:
        with LoopDisk(8):
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no file system can be mounted: {error}"


class LoopDisk:
    """with LoopDisk(64) as disk: files go to disk.path; everything is gone at the end."""

    def __init__(self, mebibytes):
        self.mebibytes = mebibytes
        self.is_mounted = False

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="verdict-disk-", dir=drillrun.scratch())
        self.image = os.path.join(self.home, "image")
        self.path = os.path.join(self.home, "mounted")
        try:
            os.mkdir(self.path)
            with open(self.image, "wb") as file:
                file.truncate(self.mebibytes << 20)
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", self.image], check=True)
            self.mount()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.is_mounted:
            self.unmount()
        shutil.rmtree(self.home, ignore_errors=True)

    def mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.path], check=True)
        self.is_mounted = True

    def unmount(self):
        subprocess.run(["umount", self.path], check=True)
        self.is_mounted = False

    def cut_power(self):
        """From now on nothing reaches the disk, and every write and sync fails."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def return_power(self):
        """The file system as it is after the power came back: its journal replayed, the page cache gone."""
        self.unmount()
        self.mount()


def repeat(once, what, binary, count, seed):
    """Calls once(binary, seed) `count` times. Returns (done, batches in all, failures)."""
    total, failures = 0, []
    for number in range(count):
        batches, wrong = once(binary, seed + number)
        total += batches
        if wrong:
            failures.append(f"{what}, seed {seed + number}, {batches} batches: {wrong}")
    return count, total, failures


def main(doc, default, run, words):
    """The command line of a drill on such a disk: STOREDRILL [COUNT]."""
    if len(sys.argv) < 2:
        sys.exit(doc)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else default
    missing = what_is_missing()
    if missing:
        sys.exit(f"{os.path.basename(sys.argv[0])}: SKIPPED, and so failed: {missing}")
    done, total, failures = run(os.path.abspath(sys.argv[1]), count, random.randrange(1 << 30))
    for failure in failures:
        print(failure)
    print(words.format(done=done, total=total, failed=len(failures)))
    sys.exit(1 if failures else 0)
