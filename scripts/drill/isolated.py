# SPDX-License-Identifier: Apache-2.0
"""A cluster whose nodes each have an address, a disk and a clock of their own, so that each can be broken alone."""

import asyncio
import collections
import os
import pathlib
import signal
import subprocess
import time

from . import client, machine
from .links import Links
from .processes import Cluster, Failed, die_with_parent, free_ports, say, until


class Node:
    def __init__(self, name: str, host: str):
        self.name, self.host = name, host
        self.process: subprocess.Popen | None = None
        self.disk: machine.Disk | None = None
        self.clock: machine.Clock | None = None
        # Faults that hold it now. One that stops the process is never laid over another one.
        self.busy: collections.Counter = collections.Counter()
        # How its processes have ended, each with whether that was the drill's doing.
        self.endings: list[tuple[int, bool]] = []
        self.may_end = False


class IsolatedCluster(Cluster):
    """Nodes at 127.0.1.1 and on; 127.0.0.1 is left to clients and participants, whom no partition cuts off."""

    def __init__(self, binaries: str, folder: str, nodes: int, disks: bool, links: bool, clock: pathlib.Path | None):
        super().__init__(binaries, folder, nodes)
        self.nodes = {name: Node(name, f"127.0.1.{number}") for number, name in enumerate(self.names, 1)}
        self.links = None
        ports = iter(free_ports(nodes * (2 + nodes)))
        self.ports = {name: next(ports) for name in self.names}
        self.peer_ports = {name: next(ports) for name in self.names}
        try:
            for node in self.nodes.values():
                (self.folder / node.name).mkdir()
                if disks:
                    node.disk = machine.Disk()
                self.data[node.name] = (node.disk.path if node.disk else self.folder / node.name) / "data"
                if clock is not None:
                    node.clock = machine.Clock(clock, self.folder / f"{node.name}.skew")
            ways = {(source, target): next(ports) for source in self.names for target in self.names if source != target}
            if links:
                self.links = Links()
                self.links.tell(open=[
                    [source, target, self.nodes[target].host, port, self.nodes[target].host, self.peer_ports[target],
                     self.nodes[source].host] for (source, target), port in ways.items()])
            self.config.write_text(self.text(None, {}))
            for name in self.names:
                self.file(name).write_text(self.text(name, ways if links else {}))
            self.control("init")
        except BaseException:
            self.stop()
            raise
        self.pools = {name: client.Pool(self.nodes[name].host, self.ports[name]) for name in self.names}

    def file(self, name: str) -> pathlib.Path:
        return self.folder / f"{name}.conf"

    def text(self, reader: str | None, ways: dict) -> str:
        """cluster.conf as one node reads it: the others are where its links begin, if there are links."""
        text = "[timing]\nleader-wait = 1s\n[calls]\nretry-cap = 1s\n"
        for name, node in self.nodes.items():
            port = ways.get((reader, name), self.peer_ports[name])
            text += (f"[node {name}]\npeer = {node.host}:{port}\nclient = {node.host}:{self.ports[name]}\n"
                     f"data = {self.data[name]}\n")
        return text

    def log(self, name: str) -> pathlib.Path:
        return self.folder / f"{name}.log"

    def start_node(self, name: str):
        node = self.nodes[name]
        if node.process is not None:
            raise Failed(f"{name} runs already")
        environment = os.environ | {"SWIFT_BACKTRACE": "enable=no"} | (node.clock.environment if node.clock else {})
        with open(self.log(name), "ab") as log:
            node.process = subprocess.Popen(
                [self.binaries / "verdictd", "--config", str(self.file(name)), "--node", name], env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        node.may_end = False

    def start(self):
        for name in self.names:
            self.start_node(name)

    def pid(self, name: str):
        self.reap(name)
        process = self.nodes[name].process
        return process.pid if process else None

    def reap(self, name: str):
        """Notes a process that has ended."""
        node = self.nodes[name]
        if node.process is not None and (code := node.process.poll()) is not None:
            node.endings.append((code, node.may_end))
            node.process = None
            self.pools[name].close()

    async def end(self, name: str, number: int, seconds: float = 30.0) -> int | None:
        """Sends a signal that ends the process, waits for that, and gives its exit code; None if none runs."""
        node = self.nodes[name]
        if self.pid(name) is None:
            return None
        node.may_end = True
        node.process.send_signal(number)
        await until(lambda: self.pid(name) is None, f"the process of {name} has ended after signal {number}", seconds)
        return node.endings[-1][0]

    async def node_status(self, name: str):
        try:
            status, body = await self.pools[name].request("GET", "/v1/node", timeout=1)
        except client.NoAnswer:
            return None
        return body if status == 200 else None

    async def leader_now(self) -> str | None:
        """Who says that it leads, in the highest term; None if nobody does."""
        states = await asyncio.gather(*(self.node_status(name) for name in self.names))
        found = [(state["term"], state["node"]) for state in states if state and state["role"] == "leader"]
        return max(found)[1] if found else None

    def problems(self) -> list[str]:
        """What no fault of the drill explains: processes that ended by themselves, and cries in their logs."""
        found = []
        for node in self.nodes.values():
            self.reap(node.name)
            found += [f"{node.name} ended by itself with {code}: see {self.log(node.name)}"
                      for code, is_ours in node.endings if not is_ours]
            log = self.log(node.name).read_text(errors="replace") if self.log(node.name).exists() else ""
            for cry in ("ThreadSanitizer", "AddressSanitizer", "Fatal error", "Precondition failed"):
                if cry in log:
                    found.append(f"{node.name}: {cry} in {self.log(node.name)}")
        return found

    def stop(self):
        """Everything goes, whatever state it is in: this also runs when the drill is interrupted."""
        for pool in self.pools.values():
            try:
                pool.close()
            except RuntimeError:  # the event loop is closed already, and the connections with it
                pass
        nodes = list(self.nodes.values())
        for node in nodes:
            if node.disk is not None:
                node.disk.thaw()
        for node in nodes:
            if node.process is not None and node.process.poll() is None:
                node.process.kill()
        for node in nodes:
            if node.process is not None:
                node.process.wait(30)
                node.process = None
        for node in nodes:
            if node.disk is not None:
                disk, node.disk = node.disk, None
                try:
                    disk.stop()
                except Exception as error:  # the rest must go too
                    say(f"while unmounting: {error}")
        if self.links is not None:
            links, self.links = self.links, None
            links.stop()
