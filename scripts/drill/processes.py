"""The processes of a drill: coordinator nodes and banks, each with a folder of its own, all gone at the end."""

import asyncio
import atexit
import ctypes
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

from . import client


class Failed(Exception):
    """The drill found something that must not be, or could not do its work."""


GIVEN = set()


def free_ports(count: int) -> list[int]:
    """Ports below the range from which the system hands out ports, so that no connection of ours takes one meanwhile. None is
    given twice."""
    ports, held = [], []
    while len(ports) < count:
        port = random.randrange(12_000, 32_000)
        if port in GIVEN:
            continue
        GIVEN.add(port)
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.close()
            continue
        held.append(probe)
        ports.append(port)
    for probe in held:
        probe.close()
    return ports


def die_with_parent():
    """For a child between fork and exec: it gets SIGKILL when its parent is gone, however that came about."""
    LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


# Loaded before any fork: between fork and exec there is no time for it.
LIBC = ctypes.CDLL(None)


async def until(condition, what: str, seconds: float = 30.0, pause: float = 0.01):
    """Waits for a condition, which may be a coroutine function, and gives its first true value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(pause)


class Cluster:
    """Nodes that `clusterctl` starts from a configuration in `folder`."""

    def __init__(self, binaries: str, folder: str, nodes: int = 3, extra: str = ""):
        self.binaries = pathlib.Path(binaries).resolve()
        for name in ("clusterctl", "verdictd"):
            if not (self.binaries / name).exists():
                raise Failed(f"there is no {name} in {binaries}: build it first")
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "cluster.conf"
        self.names = [f"n{number + 1}" for number in range(nodes)]
        self.extra = extra
        self.ports = {}
        self.data = {name: self.folder / name for name in self.names}
        self.pools = {}

    def control(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [self.binaries / "clusterctl", *arguments, "--config", str(self.config)], capture_output=True, text=True,
            timeout=120)
        if check and done.returncode != 0:
            raise Failed(f"clusterctl {' '.join(arguments)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def start(self):
        """Writes the configuration with free ports, and starts; again with others if one was taken meanwhile."""
        for attempt in range(3):
            self.config.write_text(self.extra + "".join(self.section(name) for name in self.names))
            done = self.control("start", check=False)
            if done.returncode == 0:
                break
            self.stop()
            if attempt == 2 or "in use" not in done.stdout + done.stderr:
                raise Failed(f"clusterctl start exited with {done.returncode}:\n{done.stdout}{done.stderr}")
        self.pools = {name: client.Pool("127.0.0.1", port) for name, port in self.ports.items()}

    def section(self, name: str) -> str:
        """A node's section of the configuration, with free ports."""
        self.ports[name], peer = free_ports(2)
        return f"[node {name}]\npeer = 127.0.0.1:{peer}\nclient = 127.0.0.1:{self.ports[name]}\ndata = {name}\n"

    def add_node(self, name: str):
        """Writes a node into the configuration that doesn't take part yet."""
        with self.config.open("a") as config:
            config.write(self.section(name))
        self.data[name] = self.folder / name
        self.pools[name] = client.Pool("127.0.0.1", self.ports[name])

    def drop_node(self, name: str):
        """Takes a node out of the configuration that takes part no longer."""
        sections = re.split(r"(?m)^(?=\[)", self.config.read_text())
        self.config.write_text("".join(text for text in sections if not text.startswith(f"[node {name}]")))

    def start_as_written(self) -> str:
        """Starts from the configuration that stands in the folder already; gives what clusterctl says."""
        section = None
        for line in self.config.read_text().splitlines():
            line = line.strip()
            if line.startswith("[node "):
                section = line[len("[node "):-1]
            elif section and line.startswith("client"):
                self.ports[section] = int(line.rpartition(":")[2])
            elif section and line.startswith("data"):
                self.data[section] = self.folder / line.partition("=")[2].strip()
        self.names = sorted(self.ports)
        said = self.control("start").stdout
        self.pools = {name: client.Pool("127.0.0.1", port) for name, port in self.ports.items()}
        return said

    def start_node(self, name: str):
        self.control("start", "--node", name)

    def stop(self):
        for pool in self.pools.values():
            try:
                pool.close()
            except RuntimeError:  # the event loop is closed already, and the connections with it
                pass
        self.control("stop", "--force", check=False)

    def pid(self, name: str):
        """The process of a node, or None if none runs."""
        try:
            pid = int((self.data[name] / "verdictd.pid").read_text())
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, ValueError):
            return None
        return pid if command[0].endswith(b"verdictd") and state not in "ZX" else None

    def signal(self, name: str, number: int) -> int:
        pid = self.pid(name)
        if pid is None:
            raise Failed(f"node {name} has no process")
        os.kill(pid, number)
        return pid

    async def node_status(self, name: str):
        try:
            status, body = await self.pools[name].request("GET", "/v1/node", timeout=2)
        except client.NoAnswer:
            return None
        return body if status == 200 else None

    async def leader(self, among=None, seconds: float = 15.0) -> str:
        """The one node that says it leads, in the highest term."""
        async def find():
            found = [(status["term"], name) for name in among or self.names
                     if (status := await self.node_status(name)) and status["role"] == "leader"]
            return max(found)[1] if found else None
        return await until(find, "a leader", seconds)

    async def caught_up(self, seconds: float = 60.0):
        """Every node runs and has applied all that the leader has committed."""
        async def equal():
            states = [await self.node_status(name) for name in self.names]
            if None in states or len({state["leader"] for state in states}) != 1 or states[0]["leader"] is None:
                return False
            return len({(state["applied_index"], state["commit_index"]) for state in states}) == 1
        await until(equal, "every node has applied all that is committed", seconds, pause=0.05)


class Bank:
    """A LedgerService on a port of the system's choice."""

    def __init__(self, binaries: str, folder: str, name: str, *flags: str, instant: bool = False):
        self.name = name
        self.database = pathlib.Path(folder) / f"bank-{name}.db"
        port_file = pathlib.Path(folder) / f"bank-{name}.port"
        port_file.unlink(missing_ok=True)
        where = ["--instant"] if instant else ["--database", str(self.database)]
        self.log = open(pathlib.Path(folder) / f"bank-{name}.log", "ab")
        self.process = subprocess.Popen(
            [pathlib.Path(binaries).resolve() / "LedgerService", "--listen", "127.0.0.1:0", "--port-file", str(port_file), *where, *flags],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=die_with_parent)
        end = time.monotonic() + 30
        while not port_file.exists() or not port_file.read_text().strip():
            if self.process.poll() is not None:
                raise Failed(f"bank {name} ended with {self.process.returncode}; see {self.log.name}")
            if time.monotonic() > end:
                raise Failed(f"bank {name} doesn't serve")
            time.sleep(0.01)
        self.port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}"

    def sum(self) -> int:
        """All money in the bank's own file, what is held for transactions under way included."""
        database = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            return database.execute(SUM_SQL).fetchone()[0]
        finally:
            database.close()

    def held(self) -> int:
        database = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            return database.execute(HELD_SQL).fetchone()[0]
        finally:
            database.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


# See AccountTable of LedgerService: money that a try has put aside is still in the bank.
SUM_SQL = "SELECT coalesce(sum(balance), 0) + coalesce(sum(held), 0) FROM accounts"
HELD_SQL = "SELECT coalesce(sum(held), 0) FROM accounts"


class Workplace:
    """A folder of a drill; everything that runs in it ends with it, also when the drill is interrupted."""

    def __init__(self, name: str, keep: bool = False, at: str | None = None):
        if at is None:
            self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"verdict-{name}-"))
        else:
            self.path = pathlib.Path(at)
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir(parents=True)
        self.keep = keep
        self.running = []
        atexit.register(self.close)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: (_ for _ in ()).throw(SystemExit(1)))

    def add(self, process):
        self.running.append(process)
        return process

    def close(self, failed: bool = False):
        while self.running:
            try:
                self.running.pop().stop()
            except Exception as error:  # the rest must end too
                print(f"while stopping: {error}")
        # This runs once more at the exit.
        self.keep = self.keep or failed
        if not self.keep:
            shutil.rmtree(self.path, ignore_errors=True)


def load_average() -> str:
    return pathlib.Path("/proc/loadavg").read_text().split()[0]


def say(text: str):
    print(text, flush=True)


def dump(path: pathlib.Path, value):
    path.write_text(json.dumps(value, indent=1))
