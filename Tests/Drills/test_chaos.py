#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of what the chaos drill stands on: its plans, its links, its judgement of answers."""
import asyncio
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
sys.dont_write_bytecode = True
from drill import crews, faults, links, processes  # noqa: E402


class Plans(unittest.TestCase):
    def test_a_seed_plans_the_same_again(self):
        kinds = list(faults.KINDS)
        self.assertEqual(faults.plans(7, 4, 20.0, kinds), faults.plans(7, 4, 20.0, kinds))
        self.assertNotEqual(faults.plans(7, 4, 20.0, kinds), faults.plans(8, 4, 20.0, kinds))

    def test_four_rounds_try_every_kind(self):
        for seed in range(300):
            planned = [plan.kinds for plan in faults.plans(seed, 4, 20.0, list(faults.KINDS))]
            self.assertEqual(set().union(*planned), set(faults.KINDS), f"seed {seed}")

    def test_no_run_is_without_a_leader_whose_clock_was_far_ahead(self):
        for seed in range(100):
            clocks = [fault for plan in faults.plans(seed, 4, 20.0, list(faults.KINDS)) for fault in plan.faults
                      if fault.kind == "clock"]
            self.assertTrue(clocks[0].jump > 60 and clocks[0].on_leader, f"seed {seed}")

    def test_only_what_was_asked_for(self):
        for plan in faults.plans(1, 10, 20.0, ["kill", "stall"]):
            self.assertLessEqual(plan.kinds, {"kill", "stall"})
            self.assertTrue(plan.faults)

    def test_every_kind_can_be_carried_out(self):
        for kind in faults.KINDS:
            self.assertTrue(hasattr(faults.Faults, kind.removesuffix("-all").replace("-", "_")), kind)


class Answers(unittest.TestCase):
    """How an answer of the API stands in the history."""

    def line(self, operation: str, argument, status: int, answer) -> dict:
        self.history = crews.History()
        caller = crews.Caller("c", None, self.history)
        line = self.history.begin("c", "g", "n1", operation, argument)
        caller.take(line, status, answer)
        return line

    def test_answers(self):
        shown = {"outcome": None}
        for operation, argument, status, answer, wanted in (
                ("begin", "manual", 201, shown, ("ok", "created")), ("begin", "manual", 200, shown, ("ok", "found")),
                ("status", None, 200, shown, ("ok", "open")), ("status", None, 200, {"outcome": "aborted"}, ("ok", "aborted")),
                ("status", None, 404, {"code": "not-found"}, ("ok", "absent")),
                ("decide", "commit", 200, {"outcome": "committed"}, ("ok", "committed")),
                ("decide", "commit", 409, {"code": "already-decided"}, ("ok", "aborted")),
                ("decide", "abort", 409, {"code": "already-decided"}, ("ok", "committed")),
                ("register", "b", 201, shown, ("ok", "registered")),
                ("register", "b", 409, {"code": "already-decided"}, ("ok", "closed")),
                ("begin", "manual", 503, {"code": "no-leader"}, ("fail", None)),
                ("begin", "manual", 429, {"code": "overloaded"}, ("fail", None)),
                ("begin", "manual", 504, {"code": "outcome-unknown"}, ("info", None)),
                ("begin", "manual", 500, {"code": "internal"}, ("info", None))):
            line = self.line(operation, argument, status, answer)
            self.assertEqual((line["status"], line["answer"]), wanted, (operation, status, answer))
            self.assertEqual(line["return"] is None, wanted[0] == "info")
            self.assertEqual(self.history.surprises, [])

    def test_what_nobody_expects_is_said(self):
        self.line("status", None, 409, {"code": "gid-conflict"})
        self.assertEqual(len(self.history.surprises), 1)


class Link(unittest.IsolatedAsyncioTestCase):
    """One link from a to b; b sends back what it hears."""

    async def asyncSetUp(self):
        async def echo(reader, writer):
            self.ended = asyncio.Event()
            try:
                while piece := await reader.read(1000):
                    writer.write(piece)
            except ConnectionResetError:
                pass
            writer.close()
            self.ended.set()
        self.server = await asyncio.start_server(echo, "127.0.0.1", 0)
        target = self.server.sockets[0].getsockname()[1]
        self.links = links.Links()
        self.addCleanup(self.links.stop)
        port, = processes.free_ports(1)
        self.links.tell(open=[["a", "b", "127.0.0.1", port, "127.0.0.1", target, "127.0.0.1"]])
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)

    async def asyncTearDown(self):
        self.writer.close()
        await asyncio.wait_for(self.ended.wait(), 10)
        self.server.close()

    async def echo(self, text: bytes, timeout: float = 10.0) -> float:
        began = time.monotonic()
        self.writer.write(text)
        self.assertEqual(await asyncio.wait_for(self.reader.readexactly(len(text)), timeout), text)
        return time.monotonic() - began

    async def test_it_passes_on(self):
        await self.echo(b"hello")
        self.assertEqual(self.links.tell(), 0)

    async def test_either_way_can_be_late(self):
        for way in (["a", "b"], ["b", "a"]):
            self.links.tell(way=way, delay=0.2, jitter=0.0)
            self.assertGreaterEqual(await self.echo(b"late"), 0.2)
            self.links.tell(way=way, delay=0, jitter=0)
        self.assertGreaterEqual(self.links.tell(), 2)

    async def test_a_stall_holds_until_it_ends_and_loses_nothing(self):
        self.links.tell(way=["a", "b"], stall=True)
        self.writer.write(b"held")
        with self.assertRaises(TimeoutError):
            await asyncio.wait_for(self.reader.readexactly(1), 0.3)
        self.links.tell(way=["a", "b"], stall=False)
        self.assertEqual(await asyncio.wait_for(self.reader.readexactly(4), 10), b"held")
        self.assertGreater(self.links.tell(), 0)


if __name__ == "__main__":
    unittest.main()
