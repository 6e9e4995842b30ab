# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of each peer connection: what one node says to another is delayed, scattered or stalled on its way.

As a program it reads one JSON object a line and answers each with one:

  {"open": [[from, to, listening host, port, target host, port, own host], ...]}   own host: where it connects from
  {"way": [from, to], "delay": 0.05, "jitter": 0.02}    what `from` says to `to`, on any connection; 0 ends it
  {"way": [from, to], "stall": true}                    nothing is taken from `from` any more, until false

Each answer has "held": how many pieces of a stream were late or stood still so far. It ends with its input.

A piece never overtakes another one of its stream, as TCP promises; but the streams between two nodes, and those of
different pairs, overtake each other.
"""

import asyncio
import json
import os
import pathlib
import random
import subprocess
import sys
import time


class Way:
    """From one node to another, over all connections between them."""

    def __init__(self):
        self.delay = self.jitter = 0.0
        self.open = asyncio.Event()
        self.open.set()
        self.held = 0


class Proxy:
    def __init__(self):
        self.ways: dict = {}
        self.servers = []

    def way(self, source: str, target: str) -> Way:
        return self.ways.setdefault((source, target), Way())

    async def listen(self, source, target, host, port, target_host, target_port, own_host):
        async def accept(reader, writer):
            await self.connection(source, target, reader, writer, target_host, target_port, own_host)
        self.servers.append(await asyncio.start_server(accept, host, port))

    async def connection(self, source, target, reader, writer, target_host, target_port, own_host):
        try:
            there = await asyncio.open_connection(target_host, target_port, local_addr=(own_host, 0))
        except OSError:
            writer.transport.abort()
            return
        pumps = [asyncio.create_task(self.pump(reader, there[1], self.way(source, target))),
                 asyncio.create_task(self.pump(there[0], writer, self.way(target, source)))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            # With a reset, as if the process at the other end had gone.
            writer.transport.abort()
            there[1].transport.abort()

    async def pump(self, reader, writer, way: Way):
        """Takes pieces as they come, and gives each when it is due."""
        queue = asyncio.Queue(64)

        async def give():
            while True:
                due, piece = await queue.get()
                if due > time.monotonic():
                    way.held += 1
                    await asyncio.sleep(due - time.monotonic())
                if not piece:
                    return
                writer.write(piece)
                await writer.drain()

        async def take():
            last = 0.0
            while True:
                if not way.open.is_set():
                    way.held += 1
                    await way.open.wait()
                piece = await reader.read(1 << 16)
                if not way.open.is_set():
                    way.held += 1
                    await way.open.wait()
                last = max(last, time.monotonic() + way.delay + random.uniform(0, way.jitter))
                await queue.put((last, piece))
                if not piece:
                    return
        giver, taker = asyncio.create_task(give()), asyncio.create_task(take())
        try:
            await giver
        except OSError:
            pass
        finally:
            giver.cancel()
            taker.cancel()
            await asyncio.gather(taker, return_exceptions=True)

    async def obey(self, command: dict) -> dict:
        for link in command.get("open", ()):
            await self.listen(*link)
        if "way" in command:
            way = self.way(*command["way"])
            way.delay = command.get("delay", way.delay)
            way.jitter = command.get("jitter", way.jitter)
            if "stall" in command:
                (way.open.clear if command["stall"] else way.open.set)()
        return {"held": sum(way.held for way in self.ways.values())}


async def serve():
    proxy = Proxy()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await proxy.obey(json.loads(line))), flush=True)
    # Whatever stands is reset by the kernel.
    os._exit(0)


class Links:
    """The program above as a drill sees it."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).resolve())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, **command) -> int:
        """Gives the number of pieces held so far."""
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["held"]

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve())
