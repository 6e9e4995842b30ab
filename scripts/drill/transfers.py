"""Transfers between two banks as a crowd of clients submits them, and what each client was told."""

import asyncio
import dataclasses
import random
import time

from . import client
from .processes import Cluster, Failed


@dataclasses.dataclass
class Told:
    """One answer that a client got: the outcome is None as long as it is open."""
    moment: float
    node: str
    outcome: str | None
    index: int


@dataclasses.dataclass
class Transfer:
    gid: str
    body: dict
    waits: bool
    sent: float | None = None
    told: list = dataclasses.field(default_factory=list)
    unknown: int = 0

    @property
    def outcome_told(self):
        return next((answer for answer in self.told if answer.outcome), None)


def transfer(gid: str, protocol: str, banks, accounts: int, rng: random.Random, timeout_ms: int = 120_000) -> dict:
    """A transfer of a few cents from an account of one bank to one of the other, as the API takes it."""
    source, target = rng.sample(banks, 2)
    debit = {"account": f"a{rng.randrange(accounts)}", "amount": 1 + rng.randrange(5)}
    credit = {"account": f"a{rng.randrange(accounts)}", "amount": debit["amount"]}

    def branch(bank, direction, payload):
        if protocol == "tcc":
            return {"try": f"{bank.url}/tcc/{direction}/try", "confirm": f"{bank.url}/tcc/{direction}/confirm",
                    "cancel": f"{bank.url}/tcc/{direction}/cancel", "payload": payload}
        return {"action": f"{bank.url}/saga/{direction}", "compensate": f"{bank.url}/saga/{direction}/compensate",
                "payload": payload}
    return {"gid": gid, "protocol": protocol, "timeout_ms": timeout_ms,
            "branches": [branch(source, "debit", debit), branch(target, "credit", credit)]}


class Crowd:
    """Clients that each carry transfers to their end: they ask again, at another node, until they are told."""

    def __init__(self, cluster: Cluster, banks, accounts: int, seed: int, prefix: str):
        self.cluster = cluster
        self.banks = banks
        self.accounts = accounts
        self.random = random.Random(seed)
        self.prefix = prefix
        self.transfers: list[Transfer] = []
        self.stopping = False

    def make(self) -> Transfer:
        number = len(self.transfers)
        gid = f"{self.prefix}-{number}"
        protocol = "tcc" if number % 2 else "saga"
        made = Transfer(gid, transfer(gid, protocol, self.banks, self.accounts, self.random), waits=number % 3 != 0)
        self.transfers.append(made)
        return made

    async def run(self, clients: int):
        """Runs until `stopping` is set and every client has been told the outcome of what it began."""
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(self._client())

    async def _client(self):
        while not self.stopping:
            await self._carry(self.make())

    async def _carry(self, one: Transfer):
        end = time.monotonic() + 120
        names = self.cluster.names
        position = self.random.randrange(len(names))
        while not one.outcome_told:
            if time.monotonic() > end:
                raise Failed(f"{one.gid} has no outcome after 120 s; unknown answers: {one.unknown}")
            node = names[position % len(names)]
            try:
                await self._ask(one, node)
            except client.NoAnswer:
                one.unknown += 1
                position += 1
                await asyncio.sleep(0.02)
            if not one.outcome_told:
                await asyncio.sleep(0.05 if one.told else 0.01)

    async def _ask(self, one: Transfer, node: str):
        """Submits it if it has not been accepted yet, else reads it."""
        pool = self.cluster.pools[node]
        if one.sent is None:
            one.sent = time.time()
        if one.told:
            status, answer = await pool.request("GET", f"/v1/transactions/{one.gid}", timeout=8)
        else:
            body = one.body | {"wait_ms": 20_000 if one.waits else 0}
            status, answer = await pool.request("POST", "/v1/transactions", body, timeout=25 if one.waits else 8)
        if status in (200, 201, 202):
            one.told.append(Told(time.time(), node, answer["outcome"], answer["index"]))
        elif status == 504:
            one.unknown += 1
        elif status not in (429, 503):
            raise Failed(f"{one.gid} at {node}: status {status}: {answer}")
