"""What must hold after a round: the promises of Docs/faults.md that a client can check."""

import asyncio
import datetime
import time

from .processes import Cluster, Failed, until
from .transfers import Crowd


def seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


async def read_everywhere(cluster: Cluster, gids: list[str]) -> dict:
    """Every transaction as every node's own applied state has it."""
    found: dict = {gid: {} for gid in gids}

    async def read(node: str, some: list[str]):
        for gid in some:
            status, answer = await cluster.pools[node].request(
                "GET", f"/v1/transactions/{gid}?consistency=local", timeout=20)
            if status == 404:
                found[gid][node] = None
            elif status == 200:
                found[gid][node] = answer
            else:
                raise Failed(f"reading {gid} at {node}: status {status}: {answer}")
    async with asyncio.TaskGroup() as group:
        for node in cluster.names:
            for part in range(8):
                group.create_task(read(node, gids[part::8]))
    return found


async def all_finished(cluster: Cluster, limit: float = 120.0):
    """The leader has no transaction that has not ended."""
    async def quiet():
        return await live(cluster, await cluster.leader()) == 0
    await until(quiet, "every transaction has ended", limit, pause=0.1)


async def live(cluster: Cluster, node: str) -> int:
    status, page = await cluster.pools[node].request("GET", "/v1/transactions?limit=1000", timeout=20)
    count = 0
    while True:
        count += sum(1 for one in page["transactions"] if one["finished_at"] is None)
        if page["next"] is None:
            return count
        status, page = await cluster.pools[node].request(
            "GET", f"/v1/transactions?limit=1000&after={page['next']}", timeout=20)


def judge(crowd: Crowd, found: dict, fault_at: float, may_abort: bool = False) -> dict:
    """Holds what clients were told against what the nodes say now; gives the round's numbers, or fails."""
    problems = []
    numbers = {"transactions": 0, "committed": 0, "aborted": 0, "unknown then found": 0, "lost": 0, "changed": 0,
               "undecided at the fault": 0, "decided, not yet told": 0, "told before the fault": 0}
    for one in crowd.transfers:
        if one.sent is None:
            continue
        numbers["transactions"] += 1
        views = found[one.gid]
        if any(view is None for view in views.values()):
            if one.told:
                numbers["lost"] += 1
                problems.append(f"{one.gid} was acknowledged and is unknown to "
                                f"{[node for node, view in views.items() if view is None]}")
            continue
        outcomes = {view["outcome"] for view in views.values()}
        states = {view["state"] for view in views.values()}
        if len(outcomes) != 1 or len(states) != 1:
            numbers["changed"] += 1
            problems.append(f"{one.gid}: the nodes differ: {outcomes} {states}")
            continue
        view = next(iter(views.values()))
        outcome = view["outcome"]
        if view["finished_at"] is None:
            problems.append(f"{one.gid} has not ended: {view['state']}")
        for answer in one.told:
            if answer.outcome and answer.outcome != outcome:
                numbers["changed"] += 1
                problems.append(f"{one.gid}: {answer.node} said {answer.outcome}, now it is {outcome}")
        if one.unknown:
            numbers["unknown then found"] += 1
        numbers["committed" if outcome == "committed" else "aborted"] += 1
        if outcome != "committed" and not may_abort:
            problems.append(f"{one.gid} is {outcome} although nothing was made to fail: {view.get('reason')}")
        decided = seconds(view["decided_at"])
        first_told = one.outcome_told
        if first_told and first_told.moment <= fault_at:
            numbers["told before the fault"] += 1
        elif decided <= fault_at:
            numbers["decided, not yet told"] += 1
        elif one.sent <= fault_at:
            numbers["undecided at the fault"] += 1
    if problems:
        raise Failed("\n".join(problems[:20] + ([f"... and {len(problems) - 20} more"] if len(problems) > 20 else [])))
    return numbers


def table(rows: list[tuple[str, object]]) -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)


def now() -> float:
    return time.time()
