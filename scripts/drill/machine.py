# SPDX-License-Identifier: Apache-2.0
"""What breaks a machine under a process: packets that vanish, disks that fill, hang or lose power, clocks that jump.

Each fault begins with a call and ends with another, and ends by itself when the drill ends. `missing` says what can't be
tried here, and why.
"""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time

from .processes import Failed, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAULTS = ROOT / "Tests" / "Faults"
sys.path.insert(0, str(FAULTS))
sys.dont_write_bytecode = True
import loopdisk  # noqa: E402
import fulldisk  # noqa: E402


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def missing_network() -> str | None:
    """Why no namespace with a firewall of its own can be had, or None."""
    if os.geteuid() != 0:
        return "only root can make a network namespace"
    for tool, package in (("unshare", "util-linux"), ("ip", "iproute2"), ("iptables", "iptables")):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (package {package})"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", "ip link set lo up && iptables -w -A INPUT -p tcp -j DROP"],
        capture_output=True, text=True)
    return None if tried.returncode == 0 else f"a namespace with iptables can't be had: {tried.stderr.strip()}"


def missing_disk() -> str | None:
    """Why no disk of a node's own can be mounted, or None."""
    return loopdisk.what_is_missing()


class Firewall:
    """Packets between nodes, by their addresses. Only inside a network namespace of the drill's own."""

    def __init__(self):
        self.chains = 0

    def begin(self, rules: list[list[str]]) -> str:
        """The rules stand in a chain of their own, whose name is given back."""
        self.chains += 1
        chain = f"CHAOS{self.chains}"
        run("iptables", "-w", "-N", chain)
        for rule in rules:
            run("iptables", "-w", "-A", chain, *rule)
        run("iptables", "-w", "-I", "INPUT", "-j", chain)
        return chain

    def end(self, chain: str) -> int:
        """Gives how many packets the rules have met."""
        met = sum(int(line.split()[0]) for line in run("iptables", "-w", "-nvxL", chain).splitlines()[2:])
        run("iptables", "-w", "-D", "INPUT", "-j", chain)
        run("iptables", "-w", "-F", chain)
        run("iptables", "-w", "-X", chain)
        return met

    @staticmethod
    def way(source: str, target: str) -> list[str]:
        return ["-p", "tcp", "-s", source, "-d", target]

    @classmethod
    def drop(cls, source: str, target: str) -> list[str]:
        return cls.way(source, target) + ["-j", "DROP"]

    @classmethod
    def reset(cls, source: str, target: str) -> list[str]:
        return cls.way(source, target) + ["-j", "REJECT", "--reject-with", "tcp-reset"]

    @staticmethod
    def connections(source: str, target: str) -> list[tuple[int, int]]:
        """The ports of every connection that stands from one address to another."""
        def address(text: str) -> tuple[str, int]:
            host, port = text.split(":")
            return ".".join(str(byte) for byte in reversed(bytes.fromhex(host))), int(port, 16)
        found = []
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, state, *_ = line.split()
            (local_host, local_port), (remote_host, remote_port) = address(local), address(remote)
            if state == "01" and (local_host, remote_host) == (source, target):
                found.append((local_port, remote_port))
        return found

    @classmethod
    def silence(cls, one: str, other: str) -> list[list[str]]:
        """Rules that swallow what belongs to the connections of now, and nothing of later ones."""
        return [cls.way(source, target) + ["--sport", str(source_port), "--dport", str(target_port), "-j", "DROP"]
                for source, target in ((one, other), (other, one))
                for source_port, target_port in cls.connections(source, target)]


class Disk:
    """A file system of a node's own, which can fill up, hang, and lose its power."""

    MEBIBYTES = 96

    def __init__(self):
        self.loop = loopdisk.LoopDisk(self.MEBIBYTES)
        self.loop.__enter__()
        self.path = pathlib.Path(self.loop.path)
        self.freezer = None

    def fill(self):
        descriptor = os.open(self.path / "filler", os.O_WRONLY | os.O_CREAT)
        try:
            size, end = 16 << 20, 0
            while size >= 4096:
                try:
                    os.posix_fallocate(descriptor, end, size)
                    end += size
                except OSError:
                    size >>= 2
        finally:
            os.close(descriptor)
        fulldisk.fill(str(self.path / "filler"))

    def empty(self):
        (self.path / "filler").unlink(missing_ok=True)

    def freeze(self):
        # Thawed by a process that also does it when this one has died and its pipe is closed: nothing may hang for ever.
        self.freezer = subprocess.Popen(
            ["sh", "-c", "trap '' INT TERM HUP; fsfreeze -f \"$0\" && echo frozen; read _; fsfreeze -u \"$0\"", str(self.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        if self.freezer.stdout.readline() != "frozen\n":
            self.thaw()
            raise Failed(f"{self.path} can't be frozen")

    def thaw(self):
        if self.freezer is None:
            return
        freezer, self.freezer = self.freezer, None
        freezer.stdin.close()
        freezer.wait(20)
        freezer.stdout.close()

    def cut_power(self):
        self.loop.cut_power()

    async def return_power(self):
        async def is_back():
            try:
                if self.loop.is_mounted:
                    self.loop.unmount()
                self.loop.mount()
                return True
            except subprocess.CalledProcessError:  # the kernel still lets go of the dead process's files
                return False
        await until(is_back, "the disk is mounted again", 20, pause=0.05)

    def stop(self):
        self.thaw()
        end = time.monotonic() + 20
        # The kernel is asked: an interrupt between a mount and the note of it may have left the note wrong.
        while os.path.ismount(self.path):
            if subprocess.run(["umount", str(self.path)], capture_output=True).returncode != 0:
                if time.monotonic() > end:
                    raise Failed(f"{self.path} can't be unmounted")
                time.sleep(0.05)
        self.loop.is_mounted = False
        self.loop.__exit__()


class Clock:
    """The wall clock of one process, moved by a preloaded library."""

    @staticmethod
    def build(folder: pathlib.Path) -> pathlib.Path:
        library = folder / "clockskew.so"
        run(os.environ.get("CC", "cc"), "-std=c11", "-O2", "-shared", "-fPIC", "-o", str(library),
            str(FAULTS / "clockskew.c"))
        return library

    def __init__(self, library: pathlib.Path, file: pathlib.Path):
        self.library, self.file = library, file
        self.set(0)

    def set(self, seconds: float):
        # One write into the same eight bytes, which the process has mapped.
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, struct.pack("q", int(seconds * 1e9)), 0)
        finally:
            os.close(descriptor)

    @property
    def environment(self) -> dict:
        return {"LD_PRELOAD": str(self.library), "CLOCKSKEW_FILE": str(self.file)}

    @classmethod
    def missing(cls, verdictd: pathlib.Path, folder: pathlib.Path) -> str | None:
        """Why verdictd's clock can't be moved, or None: its own log line must come from another year."""
        if shutil.which(os.environ.get("CC", "cc")) is None:
            return "there is no C compiler"
        clock = cls(cls.build(folder), folder / "probe.skew")
        clock.set(400 * 86_400)
        done = subprocess.run(
            [verdictd, "--config", str(folder / "there-is-none"), "--node", "n1"], capture_output=True, text=True,
            env=os.environ | clock.environment | {"SWIFT_BACKTRACE": "enable=no"})
        lines = done.stderr.strip().splitlines()
        year = json.loads(lines[-1])["time"][:4] if lines and lines[-1].startswith("{") else "no time"
        return None if year > time.strftime("%Y", time.gmtime()) else f"verdictd doesn't follow the moved clock: {year}"
