# SPDX-License-Identifier: Apache-2.0
"""The faults of `scripts/chaos`: a plan that a seed draws, and what each fault does to a node and takes back."""

import asyncio
import dataclasses
import random
import signal
import time

from .isolated import IsolatedCluster, Node
from .machine import Firewall
from .processes import Failed, until

# The longest that each kind holds, in seconds. A silenced connection must be found dead while the fault still holds.
KINDS = {
    "kill": 3.0,        # SIGKILL; the process comes back after a while
    "kill-all": 1.5,    # every process at once
    "stop": 4.0,        # SIGSTOP, then SIGCONT
    "isolate": 4.0,     # no packet from or to the node
    "one-way": 4.0,     # no packet in one direction between the node and the others
    "partial": 4.0,     # no packet between two nodes; a third hears both
    "silent": 7.0,      # what stands between the node and the others dies without a word; new connections work
    "reset": 1.0,       # every packet between the node and the others is answered with a reset
    "delay": 4.0,       # what the node says comes late, by times that vary
    "stall": 4.0,       # what the node says stays on its way
    "full": 4.0,        # not a block is left on the node's disk
    "hung": 4.0,        # writes and syncs of the node's disk don't return
    "power": 2.0,       # nothing that wasn't synced is left of the node's disk, and its process is gone
    "power-all": 1.5,   # the same for all nodes at once
    "clock": 4.0,       # the node's wall clock jumps, and later back
}
NETWORK = ("isolate", "one-way", "partial", "silent", "reset")
DISK = ("full", "hung", "power", "power-all")
LINKS = ("delay", "stall")
# Of these a node can have one at a time.
PROCESS = ("kill", "kill-all", "stop", "power", "power-all", "hung", "full")
JUMPS = (3600.0, -3600.0, 31 * 86_400.0, 5.0, -5.0)


@dataclasses.dataclass(frozen=True)
class Planned:
    kind: str
    at: float
    seconds: float
    # Who is meant: the leader of that moment, or one that does not lead.
    on_leader: bool
    # For whatever else is to be chosen when it begins.
    draw: int
    jump: float = 0.0

    def __str__(self) -> str:
        jump = f" by {self.jump:+.0f} s" if self.kind == "clock" else ""
        who = "all" if self.kind.endswith("-all") else "leader" if self.on_leader else "another"
        return f"{self.at:.1f} s {self.kind}{jump} {who} {self.seconds:.1f} s"


@dataclasses.dataclass(frozen=True)
class Plan:
    seed: int
    nodes: int
    faults: tuple

    @property
    def kinds(self) -> set:
        return {fault.kind for fault in self.faults}

    @property
    def jumps_far(self) -> bool:
        return any(fault.jump > 7200 for fault in self.faults)


def plans(seed: int, rounds: int, seconds: float, kinds: list[str]) -> list[Plan]:
    """The same for the same arguments. The kinds are dealt like cards, so that each comes before one comes again."""
    rng = random.Random(f"{seed} {rounds} {seconds} {kinds}")
    deck: list[str] = []
    jumps: list[float] = []

    def deal() -> str:
        if not deck:
            deck.extend(rng.sample(kinds, len(kinds)))
        return deck.pop()

    def fault(at: float) -> Planned:
        kind = deal()
        longest = KINDS[kind]
        jump = 0.0
        if kind == "clock":
            if not jumps:
                # A leader whose clock was far ahead comes first, so that no run is without it: it leaves its mark in the log.
                jumps.extend(sorted(rng.sample(JUMPS, len(JUMPS)), key=lambda jump: jump > 60))
            jump = jumps.pop()
        shortest = 5.5 if kind == "silent" else 0.3
        return Planned(kind, at, min(rng.uniform(shortest, longest), seconds), rng.random() < 0.6 or jump > 60,
                       rng.randrange(1 << 32), jump)
    made = []
    for number in range(rounds):
        faults, at = [], rng.uniform(1.0, 2.0)
        while at < seconds - 1.5:
            first = fault(at)
            faults.append(first)
            end = at + first.seconds
            if rng.random() < 0.35:
                second = fault(at + rng.uniform(0, first.seconds))
                faults.append(second)
                # The longer one may reach over the next: faults do overlap.
                end = max(end, at + min(second.seconds, 2.0))
            at = end + rng.uniform(0.4, 1.8)
        made.append(Plan(rng.randrange(1 << 32), 5 if rng.random() < 0.15 else 3, tuple(faults)))
    return made


class Faults:
    """Carries out the plan of a round."""

    def __init__(self, cluster: IsolatedCluster, firewall: Firewall | None):
        self.cluster, self.firewall = cluster, firewall
        self.windows: list[tuple[int, int]] = []
        self.fired: dict[str, int] = {}
        # What found nobody to break, or met nothing.
        self.void: list[Planned] = []
        # A fault of all nodes waits for the others to end; meanwhile none begins.
        self.all_waiting = 0
        self.log: list[str] = []
        self.began = time.monotonic()

    async def run(self, faults):
        self.began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for planned in faults:
                group.create_task(self.one(planned))
        # Once more, now that nothing else is in its way.
        void, self.void = self.void, []
        for planned in void:
            await self.one(planned)

    async def victims(self, planned: Planned, rng: random.Random) -> list[Node]:
        nodes = list(self.cluster.nodes.values())
        if not planned.kind.endswith("-all"):
            async def find():
                # Those already claimed are read after the last await, and claimed before the next one.
                one = None if self.all_waiting else await self.victim(planned, rng)
                if one is None or self.all_waiting or self.is_taken(one, planned.kind):
                    return []
                one.busy[planned.kind] += 1
                return [one]
        else:
            def find():
                if any(self.is_taken(node, planned.kind) for node in nodes):
                    return []
                for node in nodes:
                    node.busy[planned.kind] += 1
                return nodes
            self.all_waiting += 1
        try:
            return await until(find, "somebody to break", 12, pause=0.05)
        except Failed:
            return []
        finally:
            if planned.kind.endswith("-all"):
                self.all_waiting -= 1

    @staticmethod
    def is_taken(node: Node, kind: str) -> bool:
        return kind in PROCESS and any(node.busy[other] for other in PROCESS)

    async def victim(self, planned: Planned, rng: random.Random) -> Node | None:
        leader = await self.cluster.leader_now()
        names = list(self.cluster.names)
        rng.shuffle(names)
        names.sort(key=lambda name: (name == leader) != planned.on_leader)
        for name in names:
            if not self.is_taken(self.cluster.nodes[name], planned.kind):
                return self.cluster.nodes[name]
        return None

    async def one(self, planned: Planned):
        await asyncio.sleep(max(0.0, self.began + planned.at - time.monotonic()))
        rng = random.Random(planned.draw)
        kind = planned.kind
        victims = await self.victims(planned, rng)
        if not victims:
            self.void.append(planned)
            return
        if kind in NETWORK + LINKS:
            # A node that is only just coming up has nobody yet to be cut off from.
            await self.connected(victims[0])
        start = time.monotonic_ns()
        names = ", ".join(node.name for node in victims)
        self.say(f"{kind} on {names}")
        try:
            method = getattr(self, kind.removesuffix("-all").replace("-", "_"))
            took_effect = await method(victims if kind.endswith("-all") else victims[0], planned, rng)
        finally:
            for node in victims:
                node.busy[kind] -= 1
            self.windows.append((start, time.monotonic_ns()))
        self.say(f"{kind} on {names} is over" + ("" if took_effect else ", and has met nothing"))
        if took_effect:
            self.fired[kind] = self.fired.get(kind, 0) + 1
        else:
            self.void.append(planned)

    async def connected(self, node: Node):
        """Waits until the node has a connection with every other one, or the time is up."""
        def is_connected():
            return all(Firewall.connections(node.host, other.host) for other in self.others(node))
        try:
            await until(is_connected, "connected", 5)
        except Failed:
            pass

    def say(self, what: str):
        self.log.append(f"{time.monotonic() - self.began:7.3f} s  {what}")

    # Processes

    async def kill(self, nodes, planned, rng) -> bool:
        nodes = nodes if isinstance(nodes, list) else [nodes]
        codes = await asyncio.gather(*(self.cluster.end(node.name, signal.SIGKILL) for node in nodes))
        await asyncio.sleep(planned.seconds)
        for node in nodes:
            self.start(node)
        return all(code == -signal.SIGKILL for code in codes)

    def start(self, node: Node):
        if self.cluster.pid(node.name) is None:
            self.cluster.start_node(node.name)

    async def stop(self, node, planned, rng) -> bool:
        pid = self.cluster.pid(node.name)
        if pid is None:
            return False
        process = node.process
        process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(planned.seconds)
        finally:
            process.send_signal(signal.SIGCONT)
        return True

    # The network

    async def rules(self, rules, seconds) -> bool:
        chain = await asyncio.to_thread(self.firewall.begin, rules)
        try:
            await asyncio.sleep(seconds)
        finally:
            met = await asyncio.to_thread(self.firewall.end, chain)
        return met > 0

    def others(self, node) -> list[Node]:
        return [other for other in self.cluster.nodes.values() if other is not node]

    async def isolate(self, node, planned, rng) -> bool:
        return await self.rules([rule for other in self.others(node) for rule in (
            Firewall.drop(node.host, other.host), Firewall.drop(other.host, node.host))], planned.seconds)

    async def one_way(self, node, planned, rng) -> bool:
        speaks = rng.random() < 0.5
        return await self.rules([Firewall.drop(node.host, other.host) if speaks else Firewall.drop(other.host, node.host)
                                 for other in self.others(node)], planned.seconds)

    async def partial(self, node, planned, rng) -> bool:
        other = rng.choice(self.others(node))
        return await self.rules([Firewall.drop(node.host, other.host), Firewall.drop(other.host, node.host)],
                                planned.seconds)

    async def silent(self, node, planned, rng) -> bool:
        return await self.rules([rule for other in self.others(node) for rule in Firewall.silence(node.host, other.host)],
                                planned.seconds)

    async def reset(self, node, planned, rng) -> bool:
        return await self.rules([rule for other in self.others(node) for rule in (
            Firewall.reset(node.host, other.host), Firewall.reset(other.host, node.host))], planned.seconds)

    async def ways(self, node, planned, on: dict, off: dict) -> bool:
        links = self.cluster.links
        before = links.tell()
        for other in self.others(node):
            links.tell(way=[node.name, other.name], **on)
        try:
            await asyncio.sleep(planned.seconds)
        finally:
            for other in self.others(node):
                links.tell(way=[node.name, other.name], **off)
        return links.tell() > before

    async def delay(self, node, planned, rng) -> bool:
        delay = rng.choice((0.005, 0.05, 0.2, 0.5))
        return await self.ways(node, planned, {"delay": delay, "jitter": delay}, {"delay": 0, "jitter": 0})

    async def stall(self, node, planned, rng) -> bool:
        return await self.ways(node, planned, {"stall": True}, {"stall": False})

    # The disk

    async def full(self, node, planned, rng) -> bool:
        await asyncio.to_thread(node.disk.fill)
        try:
            await asyncio.sleep(planned.seconds)
        finally:
            node.disk.empty()
        return True

    async def hung(self, node, planned, rng) -> bool:
        await asyncio.to_thread(node.disk.freeze)
        try:
            await asyncio.sleep(planned.seconds)
        finally:
            await asyncio.to_thread(node.disk.thaw)
        return True

    async def power(self, nodes, planned, rng) -> bool:
        nodes = nodes if isinstance(nodes, list) else [nodes]
        for node in nodes:
            # Between the cut and its end a process sees a disk that fails, and may end by itself.
            node.may_end = True
            node.disk.cut_power()
        # A kill may come later than the cut, but no machine lives on long without power.
        await asyncio.sleep(rng.choice((0.0, 0.0, 0.02)))
        await asyncio.gather(*(self.cluster.end(node.name, signal.SIGKILL) for node in nodes))
        await asyncio.sleep(planned.seconds)
        await asyncio.gather(*(node.disk.return_power() for node in nodes))
        for node in nodes:
            self.start(node)
        return True

    # The clock

    async def clock(self, node, planned, rng) -> bool:
        node.clock.set(planned.jump)
        try:
            await asyncio.sleep(planned.seconds)
        finally:
            node.clock.set(0)
        return True
