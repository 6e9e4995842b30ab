#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks a history of calls for linearizability: whether the outcome of each gid looked like one thing at one place.

usage: linearizability.py HISTORY.jsonl...

A history has one JSON object a line, one for each call of a client:

  client     who called; after a call without an answer a client goes on under a new name. A name that ends in ' is the
             same client's second line for one call: an answer that also shows the value is a status of the same moments
  key        the gid
  call       when the call began, in ns of one monotonic clock
  return     when its answer was there; null if there was none
  operation  begin, register, decide or status
  argument   of begin: who may decide. "manual": clients alone; "timed": the cluster too may abort; "submitted": the cluster
             too may decide either way. Of decide: commit or abort. Else null or anything.
  answer     see below; null if there was none
  status     ok: it was answered. fail: it certainly had no effect, and never will. info: nobody knows; its effect may come
             at any time after the call, or never

Every call acts at one moment between its call and its return on one value, which is absent, then open, then committed or
aborted, and that for ever:

  begin      absent becomes open. Answers created or found; it answers created only if it was this call that did it. (A
             cluster that asks itself twice may find what it has just created.)
  register   changes nothing here. absent: says absent; open: registered, or known; decided: closed, or known
  decide     absent: says absent, no effect; open becomes what is asked for, and that is the answer; decided: says how
  status     says absent, open, committed or aborted

How it is decided, exactly and in linear time
---------------------------------------------

Each key is on its own (linearizability is local: a history is linearizable if and only if it is so for each key). The value
of a key changes at most twice, so a whole linearization comes down to three unknowns: the moment B at which the key begins,
the moment D >= B at which it is decided, and the outcome. Either moment may lie behind the end of everything.

Given these, a call can be placed if and only if its interval [call, return] meets the phase that its answer asks for:
(.., B] for absent, [B, D] for open, [D, ..) for decided. Calls at the very moment B or D can be put on the side that they
need, since calls that share a moment overlap and so may stand in any order. Two intervals [a, b] meet if and only if each
begins before the other one ends. So each answer asks one or two bounds of B and D, apart from each other:

  said absent                                   B >= call
  said anything else                            B <= return
  said open, or registered                      also D >= call
  said committed or aborted, or closed          also D <= return, and the outcome is this one

An open answer asks [B, D] and [call, return] to meet: B <= return and call <= D, and B <= D, which is asked anyway.

Somebody must have made each change. B must lie in the interval of a begin that may have been the one: not failed; if its
answer is unknown, from its call to for ever. If one says created, it was that one, and two of them can't be. D must lie in
the interval of a decide that asked for this outcome and may have been the one (its answer is this outcome, or unknown), or
anywhere if the cluster itself may decide so. A begin that says found, and a decide that says the outcome it asked for, may
have made the change or come after it: both ask B <= return, or D <= return, and nothing else. A call whose answer is unknown
and which isn't the one that made a change needs no place: it may never take effect.

Therefore: B may be any point of a union of intervals cut with one interval, and so may D, and B <= D must hold. It always can:
the greatest D that is allowed is the return of some call that said the outcome, or nothing bounds it; and such a call asks
B <= its return too, so that every allowed B comes before the greatest D. What is left to see is whether each of the two has a
point at all, by one look at each call. An undecided key has D behind everything; a key that nobody has seen begun needs no
B. The outcome is the one that was told; told two, there is none. So what is accepted has a linearization, and what is refused
has none: no search, and no bound on the number of clients.
"""

import collections
import dataclasses
import json
import sys

NEVER = float("inf")
OUTCOMES = ("committed", "aborted")
OUTCOME_OF = {"commit": "committed", "abort": "aborted"}
ANSWERS = {
    "begin": ("created", "found"),
    "register": ("absent", "registered", "known", "closed"),
    "decide": ("absent", *OUTCOMES),
    "status": ("absent", "open", *OUTCOMES),
}
# Who may decide beside the clients.
CLUSTER_DECIDES = {"manual": (), "timed": ("aborted",), "submitted": OUTCOMES}


@dataclasses.dataclass(frozen=True)
class Operation:
    client: str
    key: str
    call: int
    end: float  # NEVER if it is not known to have ended
    operation: str
    argument: str | None
    answer: str | None
    status: str
    node: str | None = None

    @staticmethod
    def read(line: dict) -> "Operation":
        status, end = line["status"], line["return"]
        if status not in ("ok", "fail", "info"):
            raise ValueError(f"no such status: {status}")
        if line["operation"] not in ANSWERS:
            raise ValueError(f"no such operation: {line['operation']}")
        if status == "ok" and (end is None or end < line["call"]):
            raise ValueError(f"an answer without a time, or before its question: {line}")
        if line["operation"] == "decide" and line["argument"] not in OUTCOME_OF:
            raise ValueError(f"no such decision: {line['argument']}")
        if line["operation"] == "begin" and line["argument"] not in CLUSTER_DECIDES:
            raise ValueError(f"a begin doesn't say who may decide: {line['argument']}")
        # The effect of a call without an answer may come at any time, whenever its client has given up.
        return Operation(line["client"], line["key"], line["call"], end if status == "ok" else NEVER, line["operation"],
                         line["argument"], line["answer"] if status == "ok" else None, status, line.get("node"))

    def __str__(self) -> str:
        end = "" if self.end == NEVER else f"{self.end:.0f}"
        what = f"{self.operation} {self.argument}" if self.argument else self.operation
        at = f" at {self.node}" if self.node else ""
        return f"[{self.call}..{end}] {self.client}{at}: {what} -> {self.answer or self.status}"


@dataclasses.dataclass(frozen=True)
class Violation:
    key: str
    reason: str
    operations: tuple

    def __str__(self) -> str:
        return "\n".join([f"{self.key}: {self.reason}"] + [f"    {operation}" for operation in self.operations])


class Bounds:
    """Where one of the two moments may lie, and which calls say so."""

    def __init__(self):
        self.low, self.high = -NEVER, NEVER
        self.low_by = self.high_by = None

    def from_(self, moment, by: Operation):
        if moment > self.low:
            self.low, self.low_by = moment, by

    def until(self, moment, by: Operation):
        if self.high_by is None or moment < self.high:
            self.high, self.high_by = moment, by

    @property
    def is_seen(self) -> bool:
        """Some answer says that the moment has passed."""
        return self.high_by is not None

    def cut(self, intervals) -> list:
        """The parts of the given intervals that are within the bounds."""
        parts = [(max(self.low, low), min(self.high, high)) for low, high in intervals]
        return [(low, high) for low, high in parts if low <= high]

    def witnesses(self) -> tuple:
        return tuple(by for by in (self.high_by, self.low_by) if by is not None)


def check_key(key: str, operations: list[Operation]) -> Violation | None:
    """Why these calls on one key have no linearization, or None if they have one."""
    def wrong(reason: str, *witnesses: Operation) -> Violation:
        return Violation(key, reason, tuple(dict.fromkeys(one for one in witnesses if one is not None)))

    begun, decided = Bounds(), Bounds()
    creator = None
    told: dict[str, Operation] = {}
    counted = [one for one in operations if one.status != "fail"]
    begins = [one for one in counted if one.operation == "begin"]
    if len({one.argument for one in operations if one.operation == "begin"}) > 1:
        raise ValueError(f"{key}: its begins differ in who may decide, so they ask for different transactions")
    for one in counted:
        if one.status == "info":
            continue
        answer = one.answer
        if answer not in ANSWERS[one.operation]:
            return wrong(f"{answer} is no answer to {one.operation}", one)
        if answer == "absent":
            begun.from_(one.call, one)
            continue
        begun.until(one.end, one)
        if answer == "created":
            if creator is not None:
                return wrong("created twice", creator, one)
            creator = one
        elif answer in ("open", "registered"):
            decided.from_(one.call, one)
        elif answer == "closed" or answer in OUTCOMES:
            decided.until(one.end, one)
        if answer in OUTCOMES:
            told.setdefault(answer, one)
    if len(told) > 1:
        return wrong("two outcomes were told", *told.values())
    if not begun.is_seen:
        return None

    if begun.low > begun.high:
        return wrong("absent after it was there: a lost begin, or a read from the past", *begun.witnesses())
    if not begun.cut((one.call, one.end) for one in ([creator] if creator else begins)):
        if not begins:
            return wrong("it is there, but no begin had a chance to make it", *begun.witnesses())
        return wrong("no begin was under way when it must have begun", *begun.witnesses(), creator)
    if not decided.is_seen:
        return None

    if decided.low > decided.high:
        return wrong("open after it was decided: a read from the past, or a lost decision", *decided.witnesses())
    possible = told or OUTCOMES
    by_cluster = {outcome for one in begins for outcome in CLUSTER_DECIDES[one.argument]}
    deciders = [one for one in counted if one.operation == "decide" and OUTCOME_OF[one.argument] in possible
                and (one.status == "info" or one.answer == OUTCOME_OF[one.argument])]
    intervals = [(one.call, one.end) for one in deciders]
    if by_cluster.intersection(possible):
        intervals.append((-NEVER, NEVER))
    if not decided.cut(intervals):
        return wrong("decided, but nobody who asked for this outcome was under way when it must have happened",
                     *decided.witnesses(), *told.values())
    return None


def check(history) -> list[Violation]:
    """Every key of a history that has no linearization. Takes lines as objects, in any order."""
    keys = collections.defaultdict(list)
    for line in history:
        one = Operation.read(line)
        keys[one.key].append(one)
    found = (check_key(key, operations) for key, operations in keys.items())
    return [violation for violation in found if violation is not None]


def most_clients(history) -> int:
    """How many clients had calls on one key under way at the same moment, at most; those never answered aside."""
    keys = collections.defaultdict(list)
    for line in history:
        if line["return"] is not None:
            keys[line["key"]] += [(line["call"], 1), (line["return"], -1)]
    most = 0
    for events in keys.values():
        now = 0
        for _, change in sorted(events):
            now += change
            most = max(most, now)
    return most


def main() -> int:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    failed = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            history = [json.loads(line) for line in file]
        violations = check(history)
        failed += len(violations)
        for violation in violations:
            print(violation)
        print(f"{path}: {len(history)} calls, {len({line['key'] for line in history})} keys, {len(violations)} violations")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
