// SPDX-License-Identifier: Apache-2.0

/*
 * One transaction with two branches, decided by three coordinator nodes whose leaders come and go.
 *
 * Raft is cut down to what a decision needs, and checked in every order of events: who wins an election and when, which
 * entry reaches whom, what is on disk when a leader crashes, who is told what. `scripts/model-check` runs this, and runs
 * it again with each planted error. Docs/faults.md says what that covers and what not.
 *
 * What is left out, and why nothing is lost by it:
 *
 * - The run begins when the first leader has the submission on a majority. Nobody is asked or told anything before, and
 *   what an earlier leader may have left in a log is older than all that follows. Nodes can be renamed, so that leader is
 *   node 0, its follower node 1, its term 1. The submission and a leader's start entry are one kind: neither decides.
 * - There are no channels: a node takes the next entry straight from a leader's log. Any step may wait for ever, which is
 *   a message that is late or lost. A message whose sender no longer leads might as well have come just before that.
 * - A message with many entries is many steps in a row; a repeated one would change nothing. A step compares both logs
 *   from the start, where the real one goes by previous index and term.
 * - An acknowledgement is counted at once. A leader that has not heard of it yet acts as one whose follower has not yet
 *   taken the entry.
 * - Standing for election, the other's vote and winning are one step: of three nodes, two are a majority. Until it wins,
 *   neither the candidate's log nor its voter's could change. An election that nobody wins, and PreVote, show only as
 *   messages that are lost.
 * - Crash and restart are one step, since a node that is down does nothing, as a slow one may. A vote, and an entry that
 *   a follower takes, are on disk in that step; the simulator and the disk drill check the order in which that happens.
 *   A leader that steps down writes what it still has to write before it promises anything else.
 * - Only leaders tell. What a follower knows to be committed, a leader knew before.
 * - A "no", a branch that never answers, a deadline and the client's own abort lead to the same proposal. So an abort may
 *   be proposed at any time. A yes stays a yes: the barrier gives the same answer when the next leader asks again.
 *
 * What is bounded is the number of leaders: TERMS, the first included. Four are needed for figure 8 of the Raft paper.
 */
#ifndef TERMS
#define TERMS 4
#endif

/* Kinds of entries. An outcome is a bit, so that two of them show in one number. */
#define COMMIT 1
#define ABORT 2
#define START 3

/* What a leader's machine says: nothing until the leader is established, then UNDECIDED or the outcome. */
#define UNKNOWN 0
#define UNDECIDED START

#define ENTRY(term, kind) ((term) * 4 + (kind))
#define TERM_OF(entry) ((entry) / 4)
#define KIND_OF(entry) ((entry) % 4)

typedef Node {
    byte term;
    byte length;
    byte log[3 * TERMS];  /* a leader adds its start entry, one commit and one abort at most; unused places are 0 */
    /* The rest is a leader's, and 0 in a follower. */
    bool leads;
    byte match[3];        /* how much of its log each node has on disk, itself included */
    byte view;            /* what its machine says, from the entries that it knows to be committed */
    byte proposed         /* outcomes that it has proposed */
};
Node node[3];

bool yes[2];     /* which branches have said yes */
byte heard[3];   /* outcomes that branch 0, branch 1 and the client have ever heard */
byte dead = 3;   /* the node that is down for good; 3 is none */
byte at, count;  /* used within a step, 0 between steps */

/* ---- The rules, and the planted errors that break them one by one ---------------------------------------------------- */

#define NEXT(n) (((n) + 1) % 3)
#define AFTER(n) (((n) + 2) % 3)
#define LESSER(a, b) ((a) < (b) -> (a) : (b))
#define GREATER(a, b) ((a) > (b) -> (a) : (b))
#define MIDDLE(a, b, c) GREATER(LESSER(a, b), LESSER(GREATER(a, b), c))

/* What counts as replicated is on the disks of a majority. */
#if defined(TOLD_BEFORE_MAJORITY)
#define REPLICATED(n) node[n].match[n]
#elif defined(COUNTED_BEFORE_SYNC)
#define REPLICATED(n) MIDDLE(node[n].length, node[n].match[NEXT(n)], node[n].match[AFTER(n)])
#else
#define REPLICATED(n) MIDDLE(node[n].match[0], node[n].match[1], node[n].match[2])
#endif

/* An entry of an older term is not committed by counting: only by one of this term behind it (Raft paper, 5.4.2).
   Before that a leader doesn't know what is decided, and is not established. */
#ifdef OLD_TERM_COUNTED
#define COUNTS(n, entry) true
#else
#define COUNTS(n, entry) (TERM_OF(entry) == node[n].term)
#endif

/* A vote goes only to a log that is at least as up to date as the voter's (Raft paper, 5.4.1). */
#define LAST_TERM(n) (node[n].length == 0 -> 0 : TERM_OF(node[n].log[node[n].length - 1]))
#ifdef VOTE_IGNORES_LOG
#define IS_UP_TO_DATE(candidate, voter) true
#else
#define IS_UP_TO_DATE(candidate, voter) \
    (LAST_TERM(candidate) > LAST_TERM(voter) \
        || (LAST_TERM(candidate) == LAST_TERM(voter) && node[candidate].length >= node[voter].length))
#endif

/* A node votes once in a term. Who was refused for its low term tries again in a higher one. */
#ifdef VOTES_TWICE
#define NEW_TERM(candidate, voter) GREATER(node[candidate].term + 1, node[voter].term)
#else
#define NEW_TERM(candidate, voter) (GREATER(node[candidate].term, node[voter].term) + 1)
#endif

/* A new leader has an entry of its own, so that it can commit what it found. */
#ifdef NO_START_ENTRY
#define HAS_START_ENTRY false
#else
#define HAS_START_ENTRY true
#endif

/* The machine reads the whole log, and the first decision in it wins. */
#ifdef DECIDES_ANEW
#define IS_READ(n, entry) (TERM_OF(entry) == node[n].term)
#else
#define IS_READ(n, entry) true
#endif
#ifdef DEADLINE_OVERTURNS
#define DECIDES(view, kind) ((view) == UNDECIDED || (kind) == ABORT)
#else
#define DECIDES(view, kind) ((view) == UNDECIDED)
#endif

/* Commit is proposed when all have said yes. */
#ifdef ONE_YES_IS_ENOUGH
#define ALL_SAID_YES (yes[0] || yes[1])
#else
#define ALL_SAID_YES (yes[0] && yes[1])
#endif

/* A leader carries out every decision that it knows, not only its own. */
#ifdef NOT_CARRIED_ON
#define CARRIES_OUT(n) ((node[n].proposed & node[n].view) != 0)
#else
#define CARRIES_OUT(n) true
#endif

/* A leader that hears of a higher term leads no more. */
#ifdef LEADS_FOR_EVER
#define STEPS_DOWN false
#else
#define STEPS_DOWN true
#endif

/* ---- Steps ----------------------------------------------------------------------------------------------------------- */

inline append(n, kind) {
    node[n].log[node[n].length] = ENTRY(node[n].term, kind);
    node[n].length++
}

inline cut(n, length_kept) {
    do
    :: node[n].length > length_kept -> node[n].length--; node[n].log[node[n].length] = 0
    :: else -> break
    od
}

/* What only a leader has is gone. */
inline follow(n) {
    node[n].leads = false;
    node[n].match[0] = 0;
    node[n].match[1] = 0;
    node[n].match[2] = 0;
    node[n].view = UNKNOWN;
    node[n].proposed = 0
}

/* The leader commits what it can, and its machine reads that. */
inline apply(n) {
    count = REPLICATED(n);
    if
    :: count > 0 && COUNTS(n, node[n].log[count - 1]) ->
        node[n].view = UNDECIDED;
        at = 0;
        do
        :: at < count ->
            if
            :: IS_READ(n, node[n].log[at]) && DECIDES(node[n].view, KIND_OF(node[n].log[at])) ->
                node[n].view = KIND_OF(node[n].log[at])
            :: else
            fi;
            at++
        :: else -> break
        od
    :: else
    fi;
    at = 0;
    count = 0
}

#define IS_UP(n) (dead != (n))
#define CAN_WIN(candidate, voter) \
    (IS_UP(candidate) && IS_UP(voter) && !node[candidate].leads && NEW_TERM(candidate, voter) <= TERMS \
        && IS_UP_TO_DATE(candidate, voter))

inline win(candidate, voter) {
    node[candidate].term = NEW_TERM(candidate, voter);
    node[voter].term = node[candidate].term;
    follow(voter);
    node[candidate].leads = true;
    printf("node %d leads term %d with the vote of node %d\n", candidate, node[candidate].term, voter);
    node[candidate].match[candidate] = node[candidate].length;
    if
    :: HAS_START_ENTRY -> append(candidate, START)
    :: else
    fi
}

#define CAN_TAKE(n, leader) \
    (IS_UP(n) && IS_UP(leader) && node[leader].leads && node[leader].term >= node[n].term \
        && node[leader].match[n] < node[leader].length)

/* The follower takes the first entry that it lacks, cuts off what contradicts it, and acknowledges. */
inline take(n, leader) {
    follow(n);
    node[n].term = node[leader].term;
    do
    :: at < node[n].length && at < node[leader].length && node[n].log[at] == node[leader].log[at] -> at++
    :: else -> break
    od;
    if
    :: at < node[leader].length ->
        cut(n, at);
        node[n].log[at] = node[leader].log[at];
        at++;
        node[n].length = at;
        printf("node %d takes from node %d entry %d: kind %d of term %d\n",
            n, leader, at, KIND_OF(node[n].log[at - 1]), TERM_OF(node[n].log[at - 1]))
    :: else
    fi;
    node[leader].match[n] = at;
    apply(leader)
}

#define CAN_SYNC(n) (IS_UP(n) && node[n].leads && node[n].match[n] < node[n].length)

inline sync(n) {
    node[n].match[n] = node[n].length;
    printf("node %d has its own log on disk through entry %d\n", n, node[n].length);
    apply(n)
}

#define MUST_FOLLOW(n, other) \
    (IS_UP(n) && IS_UP(other) && node[n].leads && node[n].term < node[other].term && STEPS_DOWN)

inline step_down(n) {
    follow(n);
    printf("node %d hears of a higher term and follows\n", n)
}

/* A branch that was told to undo says yes no more. */
#define CAN_ASK(n, branch) (IS_UP(n) && node[n].view == UNDECIDED && !yes[branch] && heard[branch] == 0)

inline ask(n, branch) {
    yes[branch] = true;
    printf("node %d asks branch %d, which says yes\n", n, branch)
}

#define CAN_PROPOSE(n, outcome) (IS_UP(n) && node[n].view == UNDECIDED && (node[n].proposed & (outcome)) == 0)

inline propose(n, outcome) {
    node[n].proposed = node[n].proposed | outcome;
    append(n, outcome);
    printf("node %d proposes in entry %d: kind %d\n", n, node[n].length, outcome)
}

#define CAN_TELL(n, hearer) \
    (IS_UP(n) && (node[n].view == COMMIT || node[n].view == ABORT) && (heard[hearer] & node[n].view) == 0 \
        && CARRIES_OUT(n))

inline tell(n, hearer) {
    heard[hearer] = heard[hearer] | node[n].view;
    printf("node %d tells hearer %d: kind %d\n", n, hearer, node[n].view)
}

proctype Coordinator(byte n) {
end:
    do
    :: d_step { CAN_WIN(n, NEXT(n)) -> win(n, NEXT(n)) }
    :: d_step { CAN_WIN(n, AFTER(n)) -> win(n, AFTER(n)) }
    :: d_step { CAN_TAKE(n, NEXT(n)) -> take(n, NEXT(n)) }
    :: d_step { CAN_TAKE(n, AFTER(n)) -> take(n, AFTER(n)) }
    :: d_step { CAN_SYNC(n) -> sync(n) }
    :: d_step { MUST_FOLLOW(n, NEXT(n)) || MUST_FOLLOW(n, AFTER(n)) -> step_down(n) }
    :: d_step { CAN_ASK(n, 0) -> ask(n, 0) }
    :: d_step { CAN_ASK(n, 1) -> ask(n, 1) }
    :: d_step { CAN_PROPOSE(n, COMMIT) && ALL_SAID_YES -> propose(n, COMMIT) }
    :: d_step { CAN_PROPOSE(n, ABORT) -> propose(n, ABORT) }
    :: d_step { CAN_TELL(n, 0) -> tell(n, 0) }
    :: d_step { CAN_TELL(n, 1) -> tell(n, 1) }
    :: d_step { CAN_TELL(n, 2) -> tell(n, 2) }
    od
}

/* The leader of the last term that fits the bound stays: by then failures have stopped. */
#define CAN_FAIL(n) !(node[n].leads && node[n].term == TERMS)
#define CAN_CRASH(n) (node[n].leads && CAN_FAIL(n))

/* A leader forgets that it led, and loses what is not on its disk. */
inline crash(n) {
    cut(n, node[n].match[n]);
    follow(n);
    printf("node %d crashes and comes back with %d entries\n", n, node[n].length)
}

/* At most one node is down for good. Where nothing has to end, that is one more node that does nothing. */
#ifdef DEATHS
#define CAN_DIE(n) (dead == 3 && CAN_FAIL(n))
#else
#define CAN_DIE(n) false
#endif

inline die(n) {
    dead = n;
    follow(n);
    printf("node %d is down for good\n", n)
}

init {
    d_step {
        node[0].term = 1;
        node[1].term = 1;
        append(0, START);
        append(1, START);
        node[0].leads = true;
        node[0].match[0] = 1;
        node[0].match[1] = 1;
        node[0].view = UNDECIDED
    }
    atomic {
        run Coordinator(0);
        run Coordinator(1);
        run Coordinator(2)
    }
end:
    do
    :: d_step { CAN_CRASH(0) -> crash(0) }
    :: d_step { CAN_CRASH(1) -> crash(1) }
    :: d_step { CAN_CRASH(2) -> crash(2) }
    :: d_step { CAN_DIE(0) -> die(0) }
    :: d_step { CAN_DIE(1) -> die(1) }
    :: d_step { CAN_DIE(2) -> die(2) }
    :: d_step { skip; skip }  /* a message is lost, any number of times in a row */
    od
}

/* ---- Claims ---------------------------------------------------------------------------------------------------------- */

/* No two outcomes are ever heard, whoever hears them. */
ltl one_outcome { [] ((heard[0] | heard[1] | heard[2]) != (COMMIT | ABORT)) }

/* Nobody hears commit unless all branches have said yes. */
ltl all_said_yes { [] (((heard[0] | heard[1] | heard[2]) & COMMIT) == 0 || (yes[0] && yes[1])) }

/* Everybody hears an outcome in the end, if no node that can go on waits for ever (weak fairness). */
ltl ends { <> (heard[0] != 0 && heard[1] != 0 && heard[2] != 0) }

/* Claims that must fail, or the others would say nothing: all can hear commit, all can hear abort, and the last leader can
   be the one that carries out what the first one proposed. */
ltl never_committed { [] !(heard[0] == COMMIT && heard[1] == COMMIT && heard[2] == COMMIT) }
ltl never_aborted { [] !(heard[0] == ABORT && heard[1] == ABORT && heard[2] == ABORT) }
ltl never_carried_on { [] !(node[2].term == TERMS && node[2].view == COMMIT && node[2].log[1] == ENTRY(1, COMMIT)) }
