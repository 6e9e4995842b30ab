#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the linearizability checker: planted violations of each kind, and a search through all orders to compare with."""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True
from drill import linearizability  # noqa: E402


def line(call, end, operation, argument=None, answer=None, status="ok", key="g", client=None):
    return {"client": client or f"c{call}", "key": key, "call": call, "return": end, "operation": operation,
            "argument": argument, "answer": answer, "status": status}


def begin(call, end, answer="created", argument="manual"):
    return line(call, end, "begin", argument, answer)


def decide(call, end, argument, answer):
    return line(call, end, "decide", argument, answer)


def register(call, end, answer):
    return line(call, end, "register", "b", answer)


def status(call, end, answer):
    return line(call, end, "status", None, answer)


def unanswered(call, operation, argument=None, end=None):
    return line(call, end, operation, argument, None, "info")


def failed(call, end, operation, argument=None):
    return line(call, end, operation, argument, None, "fail")


class Verdicts(unittest.TestCase):
    def accept(self, *history):
        self.assertEqual([str(one) for one in linearizability.check(history)], [])

    def reject(self, words, *history):
        """The history has exactly one violation, of this kind, in whatever order its lines stand."""
        for shuffled in (history, history[::-1]):
            found = linearizability.check(shuffled)
            self.assertEqual(len(found), 1, "the planted violation was not found")
            self.assertIn(words, found[0].reason)
            self.assertEqual(found[0].key, "g")
            self.assertTrue(found[0].operations, "a violation must show the calls that contradict each other")


class Good(Verdicts):
    def test_nothing(self):
        self.accept()

    def test_a_whole_life(self):
        self.accept(status(0, 1, "absent"), begin(2, 3), status(4, 5, "open"), decide(6, 7, "commit", "committed"),
                    decide(8, 9, "abort", "committed"), status(10, 11, "committed"), begin(12, 13, "found"))

    def test_calls_that_overlap_see_either(self):
        self.accept(begin(0, 10), status(1, 2, "absent"), status(1, 9, "open"), status(3, 4, "open"),
                    decide(3, 20, "abort", "aborted"), status(5, 6, "open"), status(7, 8, "aborted"))

    def test_calls_that_touch_overlap(self):
        self.accept(begin(0, 5), status(5, 6, "absent"))

    def test_a_begin_without_an_answer_may_take_effect_late(self):
        self.accept(unanswered(0, "begin", "manual"), status(100, 101, "absent"), status(102, 103, "open"))

    def test_a_begin_without_an_answer_may_take_effect_after_its_client_gave_up(self):
        self.accept(unanswered(0, "begin", "manual", end=10), status(100, 101, "absent"), status(102, 103, "open"))

    def test_a_begin_without_an_answer_may_never_take_effect(self):
        self.accept(unanswered(0, "begin", "manual"), status(100, 101, "absent"))

    def test_a_decision_without_an_answer_may_take_effect_late_or_never(self):
        self.accept(begin(0, 1), unanswered(2, "decide", "commit"), status(90, 91, "open"), status(92, 93, "committed"))
        self.accept(begin(0, 1), unanswered(2, "decide", "commit"), status(90, 91, "open"))

    def test_of_two_unanswered_decisions_one_wins(self):
        for outcome in ("committed", "aborted"):
            self.accept(begin(0, 1), unanswered(2, "decide", "commit"), unanswered(2, "decide", "abort"),
                        status(90, 91, outcome))

    def test_a_timeout_aborts(self):
        self.accept(begin(0, 1, argument="timed"), status(2, 3, "open"), status(4, 5, "aborted"))

    def test_the_cluster_decides_what_was_submitted(self):
        for outcome in ("committed", "aborted"):
            self.accept(begin(0, 1, argument="submitted"), status(2, 3, "open"), status(4, 5, outcome))

    def test_a_failed_call_counts_for_nothing(self):
        self.accept(failed(0, 1, "begin", "manual"), status(2, 3, "absent"), begin(4, 5), failed(6, 7, "decide", "commit"),
                    status(8, 9, "open"))

    def test_register(self):
        self.accept(register(0, 1, "absent"), begin(2, 3), register(4, 5, "registered"), register(5, 6, "known"),
                    decide(7, 8, "commit", "committed"), register(9, 10, "closed"), register(9, 10, "known"))

    def test_a_decision_on_what_is_not_there_has_no_effect(self):
        self.accept(decide(0, 1, "commit", "absent"), begin(2, 3), status(4, 5, "open"))

    def test_keys_are_apart(self):
        self.accept(line(0, 1, "begin", "manual", "created", key="a"), line(2, 3, "status", None, "absent", key="b"))


class Planted(Verdicts):
    def test_stale_read_of_absent(self):
        self.reject("absent after it was there", begin(0, 1), status(2, 3, "absent"))

    def test_lost_begin(self):
        self.reject("absent after it was there", begin(0, 1, "found"), decide(5, 6, "commit", "absent"))

    def test_absent_after_another_had_read_it(self):
        self.reject("absent after it was there", unanswered(0, "begin", "manual"), status(1, 2, "open"),
                    status(3, 4, "absent"))

    def test_undecided_after_decided(self):
        self.reject("open after it was decided", begin(0, 1), decide(2, 3, "commit", "committed"), status(4, 5, "open"))

    def test_undecided_after_another_had_read_the_outcome(self):
        self.reject("open after it was decided", begin(0, 1), unanswered(2, "decide", "abort"), status(3, 4, "aborted"),
                    status(5, 6, "open"))

    def test_flip_of_the_outcome(self):
        self.reject("two outcomes", begin(0, 1), decide(2, 3, "commit", "committed"), status(4, 5, "aborted"))

    def test_decision_told_twice_differently(self):
        self.reject("two outcomes", begin(0, 1), decide(2, 9, "commit", "committed"), decide(2, 9, "abort", "aborted"))

    def test_flip_by_the_cluster(self):
        self.reject("two outcomes", begin(0, 1, argument="submitted"), status(2, 3, "committed"), status(2, 3, "aborted"))

    def test_begin_from_nowhere(self):
        self.reject("no begin had a chance", status(0, 1, "open"))

    def test_a_failed_begin_took_effect(self):
        self.reject("no begin had a chance", failed(0, 1, "begin", "manual"), status(2, 3, "open"))

    def test_it_was_there_before_its_begin(self):
        self.reject("no begin was under way", status(0, 1, "open"), begin(2, 3))

    def test_it_was_there_before_its_unanswered_begin(self):
        self.reject("no begin was under way", status(0, 1, "open"), unanswered(2, "begin", "manual"))

    def test_created_twice(self):
        self.reject("created twice", begin(0, 9), begin(0, 9))

    def test_created_after_it_was_found(self):
        self.reject("no begin was under way", begin(0, 1, "found"), begin(2, 3, "created"))

    def test_nobody_asked_for_this_outcome(self):
        self.reject("nobody who asked", begin(0, 1), status(2, 3, "aborted"))
        self.reject("nobody who asked", begin(0, 1), unanswered(1, "decide", "commit"), status(2, 3, "aborted"))

    def test_a_timeout_does_not_commit(self):
        self.reject("nobody who asked", begin(0, 1, argument="timed"), status(2, 3, "committed"))

    def test_a_failed_decision_took_effect(self):
        self.reject("nobody who asked", begin(0, 1), failed(2, 3, "decide", "commit"), status(4, 5, "committed"))

    def test_a_decision_took_effect_though_it_was_told_that_nothing_is_there(self):
        self.reject("nobody who asked", decide(0, 1, "commit", "absent"), begin(0, 3), status(4, 5, "committed"))

    def test_decided_before_it_was_asked_for(self):
        self.reject("nobody who asked", begin(0, 1), status(2, 3, "committed"), decide(4, 5, "commit", "committed"))

    def test_decided_after_its_decider_had_returned(self):
        # Open is read after the one decide has returned.
        self.reject("open after it was decided", begin(0, 1), decide(2, 3, "commit", "committed"), status(8, 9, "open"))

    def test_decided_before_it_began(self):
        self.reject("absent after it was there", begin(0, 9), decide(1, 2, "commit", "committed"), status(3, 4, "absent"))

    def test_registered_after_the_decision(self):
        self.reject("open after it was decided", begin(0, 1), decide(2, 3, "abort", "aborted"), register(4, 5, "registered"))

    def test_closed_while_open(self):
        self.reject("nobody who asked", begin(0, 1), register(2, 3, "closed"))
        self.reject("open after it was decided", begin(0, 1, argument="timed"), register(2, 3, "closed"),
                    status(4, 5, "open"))

    def test_an_answer_that_is_none(self):
        self.reject("is no answer", begin(0, 1, "absent"))
        self.reject("is no answer", begin(0, 1), decide(2, 3, "commit", "open"))

    def test_only_the_broken_key_is_named(self):
        good = [line(number, number + 1, "begin", "manual", "created", key=f"k{number}") for number in range(50)]
        self.reject("absent", begin(0, 1), *good, status(2, 3, "absent"))


class Wrong(unittest.TestCase):
    def test_a_history_that_makes_no_sense_is_an_error(self):
        for bad in (line(1, 0, "status", None, "open"), line(0, None, "status", None, "open"),
                    line(0, 1, "write", None, None), line(0, 1, "decide", "maybe", "committed"),
                    line(0, 1, "begin", None, "created"), line(0, 1, "status", None, "open", "maybe")):
            with self.assertRaises(ValueError):
                linearizability.check([bad])
        with self.assertRaises(ValueError):
            linearizability.check([begin(0, 1), begin(2, 3, "found", "timed")])

    def test_as_a_program(self):
        with tempfile.TemporaryDirectory() as folder:
            good, bad = os.path.join(folder, "good.jsonl"), os.path.join(folder, "bad.jsonl")
            for path, history in ((good, [begin(0, 1)]), (bad, [begin(0, 1), status(2, 3, "absent")])):
                with open(path, "w", encoding="utf-8") as file:
                    file.writelines(json.dumps(one) + "\n" for one in history)
            program = [sys.executable, str(SCRIPTS / "drill" / "linearizability.py")]
            self.assertEqual(subprocess.run(program + [good], capture_output=True).returncode, 0)
            done = subprocess.run(program + [good, bad], capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("absent after it was there", done.stdout)

    def test_most_clients(self):
        self.assertEqual(linearizability.most_clients([]), 0)
        self.assertEqual(linearizability.most_clients([begin(0, 5), status(1, 2, "absent"), status(2, 3, "open")]), 2)
        self.assertEqual(linearizability.most_clients([unanswered(0, "begin", "manual"), status(8, 9, "open")]), 1)


# The same rules as a machine of one step at a time, and all orders tried: slow, and written without a look at the checker.

def successors(state, one):
    """The states after `one` at `state`, given its answer; of an unanswered call, whatever it may do."""
    operation, argument = one["operation"], one["argument"]
    answer = one["answer"] if one["status"] == "ok" else None
    wanted = {"commit": "committed", "abort": "aborted"}.get(argument)
    if operation == "begin":
        possible = [("open", "created"), ("open", "found")] if state == "absent" else [(state, "found")]
    elif operation == "decide":
        possible = [(wanted, wanted)] if state == "open" else [(state, state)]
    elif operation == "register":
        possible = {"absent": [(state, "absent")], "open": [(state, "registered"), (state, "known")]}.get(
            state, [(state, "closed"), (state, "known")])
    else:
        possible = [(state, state)]
    return {after for after, said in possible if answer is None or said == answer}


def has_an_order(history) -> bool:
    calls = [one for one in history if one["status"] != "fail"]
    kind = next((one["argument"] for one in calls if one["operation"] == "begin"), "manual")
    itself = {"manual": (), "timed": ("aborted",), "submitted": ("committed", "aborted")}[kind]
    seen = set()

    def search(placed: frozenset, state: str) -> bool:
        if (placed, state) in seen:
            return False
        seen.add((placed, state))
        rest = [number for number in range(len(calls)) if number not in placed]
        if all(calls[number]["status"] == "info" for number in rest):
            return True
        if state == "open" and any(search(placed, outcome) for outcome in itself):
            return True
        # Next is a call that began before every call that is still to be placed has returned.
        first = min((calls[number]["return"] for number in rest if calls[number]["status"] == "ok"), default=float("inf"))
        return any(search(placed | {number}, after)
                   for number in rest if calls[number]["call"] <= first
                   for after in successors(state, calls[number]))
    return search(frozenset(), "absent")


def random_history(rng: random.Random):
    """A few calls with intervals and answers; mostly taken from a run that could be, then perhaps spoiled."""
    kind = rng.choice(("manual", "manual", "timed", "submitted"))
    width = rng.choice((4, 8, 16))
    calls = []
    for number in range(rng.randrange(1, 8)):
        operation = rng.choice(("begin", "begin", "decide", "decide", "status", "status", "status", "register"))
        argument = {"begin": kind, "decide": rng.choice(("commit", "abort"))}.get(operation)
        start = rng.randrange(width)
        calls.append(line(start, start + rng.randrange(0, 5), operation, argument, client=f"c{number}"))
    state = "absent"
    for one in sorted(calls, key=lambda one: rng.uniform(one["call"], one["return"])):
        if state == "open" and rng.random() < 0.2 and kind != "manual":
            state = rng.choice({"timed": ("aborted",), "submitted": ("committed", "aborted")}[kind])
        drawn = rng.random()
        if drawn < 0.1:
            one["status"] = "fail"
            continue
        if drawn < 0.3:
            one["status"] = "info"
            one["return"] = rng.choice((None, one["return"]))
            if rng.random() < 0.5:
                continue
        answers = {}
        for answer in linearizability.ANSWERS[one["operation"]]:
            for after in successors(state, one | {"answer": answer, "status": "ok"}):
                answers[answer] = after
        answer = rng.choice(sorted(answers))
        state = answers[answer]
        if one["status"] == "ok":
            one["answer"] = answer
    for one in calls:
        if one["status"] == "ok" and rng.random() < 0.15:
            one["answer"] = rng.choice(linearizability.ANSWERS[one["operation"]])
    return calls


class Compared(unittest.TestCase):
    def test_against_all_orders(self):
        count = int(os.environ.get("HISTORIES", "30000"))
        seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
        rng = random.Random(seed)
        good = bad = 0
        for _ in range(count):
            history = random_history(rng)
            says = not linearizability.check(history)
            self.assertEqual(says, has_an_order(history),
                             f"seed {seed}: the checker says {says} of\n" + "\n".join(json.dumps(one) for one in history))
            good, bad = good + says, bad + (not says)
        self.assertGreater(good, count // 10, "too few histories were good to compare anything")
        self.assertGreater(bad, count // 10, "too few histories were bad to compare anything")
        print(f"{count} random histories against all orders, {bad} of them bad; seed {seed}")


if __name__ == "__main__":
    unittest.main()
