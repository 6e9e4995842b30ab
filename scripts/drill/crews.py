# SPDX-License-Identifier: Apache-2.0
"""Crews of clients that all work on the same gid at once, through every node, and write down each call as history."""

import asyncio
import itertools
import json
import pathlib
import random
import time

from . import client
from .processes import Cluster
from .transfers import transfer

# A day, which no round lasts: only a jump of the clock can end such a timeout.
LONGEST_TIMEOUT_MS = 86_400_000
OUTCOME_OF_CONFLICT = {"commit": "aborted", "abort": "committed"}


class History:
    """Calls as `linearizability` reads them; those without an answer yet are unknown."""

    def __init__(self):
        self.lines: list[dict] = []
        self.answered = 0
        self.surprises: list[str] = []
        # Answers 500, which promise nothing: counted, since a node gives them only in need.
        self.internal = 0

    def begin(self, caller: str, key: str, node: str, operation: str, argument: str | None) -> dict:
        line = {"client": caller, "key": key, "call": time.monotonic_ns(), "return": None, "operation": operation,
                "argument": argument, "answer": None, "status": "info", "node": node}
        self.lines.append(line)
        return line

    def end(self, line: dict, status: str, answer: str | None = None):
        line["status"], line["answer"] = status, answer
        if status != "info":
            line["return"] = time.monotonic_ns()
        self.answered += status == "ok"

    def also_read(self, line: dict, answer: dict):
        """An answer that shows the transaction is a read too, of the same moments."""
        self.lines.append(line | {"client": line["client"] + "'", "operation": "status", "argument": None,
                                  "answer": answer["outcome"] or "open"})

    def write(self, path: pathlib.Path):
        with open(path, "w", encoding="utf-8") as file:
            for line in sorted(self.lines, key=lambda line: line["call"]):
                file.write(json.dumps(line) + "\n")


class Caller:
    """One client. After a call whose answer never came it goes on under a new name."""

    def __init__(self, name: str, cluster: Cluster, history: History):
        self.name, self.cluster, self.history = name, cluster, history
        self.lives = itertools.count(1)
        self.current = name

    async def call(self, node: str, key: str, operation: str, argument: str | None, method: str, path: str, body=None,
                   timeout: float = 4.0) -> dict:
        """Makes a call, and gives its line of the history."""
        line = self.history.begin(self.current, key, node, operation, argument)
        try:
            status, answer = await self.cluster.pools[node].request(method, path, body, timeout)
        except client.NotSent:
            self.history.end(line, "fail")
            # Nobody listens there: whoever comes up needs the machine more than another try does.
            await asyncio.sleep(0.2)
        except client.NoAnswer:
            self.current = f"{self.name}.{next(self.lives)}"
        else:
            self.take(line, status, answer)
        return line

    def take(self, line: dict, status: int, answer):
        code = (answer or {}).get("code")
        operation, history = line["operation"], self.history
        if status in (200, 201):
            outcome = answer["outcome"]
            said = {"begin": "created" if status == 201 else "found",
                    "register": "registered" if status == 201 else "known",
                    "decide": outcome, "status": outcome or "open"}[operation]
            history.end(line, "ok", said)
            if operation in ("begin", "register"):
                history.also_read(line, answer)
        elif code == "not-found":
            history.end(line, "ok", "absent")
        elif code == "already-decided" and operation == "decide":
            history.end(line, "ok", OUTCOME_OF_CONFLICT[line["argument"]])
        elif code in ("not-open", "already-decided") and operation == "register":
            history.end(line, "ok", "closed")
        elif code in ("no-leader", "overloaded"):
            history.end(line, "fail")
        elif code in ("outcome-unknown", "internal"):
            history.internal += code == "internal"
            self.current = f"{self.name}.{next(self.lives)}"
        else:
            history.surprises.append(f"{line}: status {status}: {answer}")

    async def begin(self, node: str, key: "Key", timeout: float = 4.0) -> dict:
        return await self.call(node, key.gid, "begin", key.kind, "POST", "/v1/transactions/begin", key.body, timeout)

    async def register(self, node: str, key: "Key", branch: str, url: str, timeout: float = 4.0) -> dict:
        body = {"id": branch, "confirm": f"{url}/tcc/credit/confirm", "cancel": f"{url}/tcc/credit/cancel", "payload": {}}
        return await self.call(node, key.gid, "register", branch, "POST", f"/v1/transactions/{key.gid}/branches", body,
                               timeout)

    async def decide(self, node: str, key: "Key", decision: str, timeout: float = 4.0) -> dict:
        return await self.call(node, key.gid, "decide", decision, "POST", f"/v1/transactions/{key.gid}/{decision}",
                               None, timeout)

    async def submit(self, node: str, key: "Key", timeout: float = 4.0) -> dict:
        return await self.call(node, key.gid, "begin", key.kind, "POST", "/v1/transactions", key.body, timeout)

    async def status(self, node: str, key: "Key", wait_ms: int = 0, timeout: float = 4.0, is_local: bool = False) -> dict:
        query = f"?wait_ms={wait_ms}" + ("&consistency=local" if is_local else "")
        return await self.call(node, key.gid, "status", None, "GET", f"/v1/transactions/{key.gid}{query}", None,
                               timeout + wait_ms / 1000)


class Key:
    """One gid, and how it is asked for: the same by everybody."""

    def __init__(self, gid: str, kind: str, body: dict):
        self.gid, self.kind, self.body = gid, kind, body
        # No client ever decides it: whoever began it is gone, and its timeout must end it.
        self.is_abandoned = False
        self.made = time.monotonic()
        self.calls = 0
        self.is_begun = self.is_decided = False
        # Calls after its decision that the crew still owes it.
        self.rest = 25

    def learn(self, line: dict):
        self.calls += 1
        if line["status"] == "ok" and line["answer"] != "absent":
            self.is_begun = True
            self.is_decided = self.is_decided or line["answer"] in ("committed", "aborted", "closed")
        if self.is_decided:
            self.rest -= 1

    @property
    def ends_itself(self) -> bool:
        """By its timeout, or because the cluster decides it."""
        return self.kind == "submitted" or self.body["timeout_ms"] < LONGEST_TIMEOUT_MS

    @property
    def is_done(self) -> bool:
        return self.rest <= 0 or time.monotonic() - self.made > 5


class Load:
    """Everybody who calls during a round."""

    def __init__(self, cluster: Cluster, banks, instant, seed: int, prefix: str, is_timed: bool, reads_locally: bool):
        self.cluster, self.banks, self.instant = cluster, banks, instant
        self.random = random.Random(seed)
        self.prefix = prefix
        self.history = History()
        self.keys: list[Key] = []
        self.stopping = False
        # A jump of the clock may end even the longest timeout.
        self.is_timed = is_timed
        self.reads_locally = reads_locally

    def key(self, kind: str, name: str) -> Key:
        gid = f"{self.prefix}-{name}"
        if kind == "submitted":
            body = transfer(gid, self.random.choice(("saga", "tcc")), self.banks, 20, self.random, LONGEST_TIMEOUT_MS)
        else:
            timeout = self.random.randrange(1000, 4000) if kind == "timed" else LONGEST_TIMEOUT_MS
            body = {"gid": gid, "protocol": "tcc", "timeout_ms": timeout}
            kind = "timed" if self.is_timed else kind
        made = Key(gid, kind, body)
        self.keys.append(made)
        return made

    async def run(self, crews: int, size: int, movers: int):
        async with asyncio.TaskGroup() as group:
            for number in range(crews):
                crew = Crew(self, f"crew{number + 1}")
                for member in range(size):
                    group.create_task(crew.work(f"{crew.name}.{member + 1}"))
            for number in range(movers):
                group.create_task(self.move(f"mover{number + 1}"))

    async def move(self, name: str):
        """Submits transfers, and asks now and then how an earlier one went, or aborts it."""
        caller, rng = Caller(name, self.cluster, self.history), random.Random(f"{self.prefix}-{name}")
        number, last = 0, None
        while not self.stopping:
            node = rng.choice(self.cluster.names)
            drawn = rng.random()
            if last is None or last.is_decided or drawn < 0.1:
                number += 1
                last = self.key("submitted", f"{name}-{number}")
                last.learn(await caller.submit(node, last))
            elif drawn < 0.2:
                last.learn(await caller.decide(node, last, "abort"))
            elif drawn < 0.3 and not last.is_begun:
                last.learn(await caller.submit(node, last))
            else:
                last.learn(await caller.status(node, last, rng.choice((0, 0, 500))))
            await asyncio.sleep(rng.uniform(0, 0.2))


class Crew:
    """Clients that work on one gid at a time, all at once, and go on to the next."""

    def __init__(self, load: Load, name: str):
        self.load, self.name = load, name
        self.random = random.Random(f"{load.prefix}-{name}")
        self.keys: list[Key] = []

    def key(self) -> Key:
        if not self.keys or self.keys[-1].is_done:
            kind = "timed" if self.random.random() < 0.2 else "manual"
            self.keys.append(self.load.key(kind, f"{self.name}-{len(self.keys) + 1}"))
            self.keys[-1].is_abandoned = kind == "timed" and self.random.random() < 0.6
        return self.keys[-1]

    async def work(self, name: str):
        load = self.load
        caller, rng = Caller(name, load.cluster, load.history), random.Random(f"{load.prefix}-{name}")
        while not load.stopping:
            key = self.key()
            node = rng.choice(load.cluster.names)
            # Some give up soon: what they have asked for may still come.
            timeout = rng.choice((0.3, 2.0, 4.0))
            drawn = rng.random()
            if len(self.keys) > 1 and drawn < 0.05:
                await caller.status(node, rng.choice(self.keys[:-1]), timeout=timeout)
            elif drawn < 0.5:
                key.learn(await caller.status(node, key, rng.choice((0, 0, 0, 0, 200)), timeout, load.reads_locally))
            elif drawn < (0.6 if key.is_begun else 0.85):
                key.learn(await caller.begin(node, key, timeout))
            elif drawn < 0.7 or key.is_abandoned:
                key.learn(await caller.register(node, key, f"b{rng.randrange(3)}", load.instant.url, timeout))
            elif key.calls > 10 or drawn > 0.97:
                key.learn(await caller.decide(node, key, rng.choice(("commit", "abort")), timeout))
            await asyncio.sleep(rng.uniform(0, 0.06))
