// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import Logging
import StrictJSON
import Transactions

extension NativeAPI {
    /// `POST /v1/transactions`
    func submit(_ body: [UInt8]) async throws(Problem) -> Answer {
        let root = try Self.parse(body)
        let request = try Self.fields { () throws(FieldError) in try NativeRequests.submission(root) }
        let submission = Submission(
            gid: request.terms.gid ?? self.gids.next(), kind: request.terms.kind,
            isConcurrent: request.terms.isConcurrent, timeoutMilliseconds: request.terms.timeoutMilliseconds,
            branches: request.branches, isGidFresh: request.terms.gid == nil || request.terms.isFresh)
        try Self.rules { () throws(SubmissionProblem) in try submission.validate() }
        for (position, branch) in submission.branches.enumerated() {
            try self.targets.check(branch, at: "/branches/\(position)")
        }
        return try await self.carryOut(.submit(submission), wait: request.wait, location: submission.gid)
    }

    /// `POST /v1/transactions/begin`
    func begin(_ body: [UInt8]) async throws(Problem) -> Answer {
        let root = try Self.parse(body)
        let terms = try Self.fields { () throws(FieldError) in try NativeRequests.beginning(root) }
        let beginning = Beginning(
            gid: terms.gid ?? self.gids.next(), kind: terms.kind, isConcurrent: terms.isConcurrent,
            timeoutMilliseconds: terms.timeoutMilliseconds, isGidFresh: terms.gid == nil || terms.isFresh)
        try Self.rules { () throws(SubmissionProblem) in try beginning.validate() }
        return try await self.carryOut(.begin(beginning), location: beginning.gid)
    }

    /// `POST /v1/transactions/{gid}/branches`
    func registerBranch(_ body: [UInt8], of gid: Gid) async throws(Problem) -> Answer {
        let root = try Self.parse(body)
        let (kind, branch) = try Self.fields { () throws(FieldError) in try NativeRequests.registration(root) }
        try Self.rules { () throws(SubmissionProblem) in try branch.validate(kind: kind, origin: .begun) }
        try self.targets.check(branch, at: "")
        return try await self.carryOut(.registerBranch(gid, branch), location: gid)
    }

    /// `POST /v1/transactions/{gid}/commit`
    func commit(_ body: [UInt8], of gid: Gid) async throws(Problem) -> Answer {
        let root = try Self.parseUnlessEmpty(body)
        let wait = try Self.fields { () throws(FieldError) in try NativeRequests.commit(root) }
        return try await self.carryOut(.commit(gid), wait: wait, location: gid, isCreation: false)
    }

    /// `POST /v1/transactions/{gid}/abort`
    func abort(_ body: [UInt8], of gid: Gid) async throws(Problem) -> Answer {
        let root = try Self.parseUnlessEmpty(body)
        let request = try Self.fields { () throws(FieldError) in try NativeRequests.abort(root) }
        return try await self.carryOut(
            .abort(gid, reason: request.reason), wait: request.wait, location: gid, isCreation: false)
    }

    /// Has a command committed, waits for the decision if asked to, and shows the transaction.
    /// - Parameter isCreation: whether something new came to be if the command was the first of its kind: then the
    /// answer
    ///   is 201.
    func carryOut(
        _ command: Command, wait: Duration = .zero, location gid: Gid, isCreation: Bool = true
    ) async throws(Problem) -> Answer {
        let committed: CommittedAnswer
        do {
            committed = try await self.coordinator.submit(command)
        } catch {
            throw self.problem(error, gid: gid)
        }
        var isNew = false
        switch committed.result {
        case .accepted(let wasNew): isNew = wasNew
        case .alreadyDone: break
        case .rejected(let rejection):
            var problem = Problem(rejection, gid: gid)
            problem.position = (committed.term, committed.index)
            throw problem
        }
        var reading = TransactionReading(
            transaction: committed.transaction, term: committed.term, index: committed.index)
        if let transaction = reading.transaction, transaction.decision == nil, wait > .zero {
            reading = await self.decided(gid, within: wait, from: reading)
        }
        guard let transaction = reading.transaction else {
            throw self.problem(.failed(reason: "an applied command left no transaction"), gid: gid)
        }
        let body = NativeAnswers.transaction(transaction, node: self.node, term: reading.term, index: reading.index)
        return Answer(body, status: isNew && isCreation ? .created : .ok, location: gid)
    }

    /// Waits for a decision. What is known already is never lost: if the wait fails, or this node is behind what was
    /// read, the older reading stands, which is what a wait without a decision gives anyway.
    private func decided(_ gid: Gid, within limit: Duration, from reading: TransactionReading) async
        -> TransactionReading
    {
        do {
            let later = try await self.coordinator.waitForDecision(gid, atMost: limit)
            return later.transaction == nil || later.index < reading.index ? reading : later
        } catch {
            self.logger.debug("Wait for a decision failed", metadata: ["tx.gid": "\(gid)", "error": "\(error)"])
            return reading
        }
    }

    // MARK: Reads

    /// `GET /v1/transactions/{gid}`
    func read(_ gid: Gid, query: Substring?) async throws(Problem) -> Answer {
        let parameters = try QueryParameters(query, known: ["consistency", "wait", "wait_ms"])
        let consistency =
            try parameters.choice("consistency", Consistency.allCases, word: \.rawValue) ?? .linearizable
        let wait = try parameters.wait(atMost: NativeRequests.waitMilliseconds.upperBound)
        var reading: TransactionReading
        do {
            reading = try await self.coordinator.transaction(gid, consistency: consistency)
        } catch {
            throw self.problem(error, gid: gid)
        }
        if let transaction = reading.transaction, transaction.decision == nil, wait > .zero {
            reading = await self.decided(gid, within: wait, from: reading)
        }
        guard let transaction = reading.transaction else {
            var problem = reading.isForgotten ? Problem(Rejection.forgotten, gid: gid) : Problem.unknown(gid)
            problem.position = (reading.term, reading.index)
            throw problem
        }
        return Answer(
            NativeAnswers.transaction(
                transaction, isHeld: reading.isHeld, node: self.node, term: reading.term, index: reading.index))
    }

    /// `GET /v1/transactions`
    func list(_ query: Substring?) async throws(Problem) -> Answer {
        let parameters = try QueryParameters(query, known: ["state", "limit", "after"])
        let state = try parameters.choice("state", TransactionState.allCases, word: \.name)
        let limit = try parameters.integer("limit", in: 1...1000) ?? 100
        var after: Gid?
        if let text = parameters.text("after") {
            after = Gid(rawValue: text)
            guard after != nil else {
                throw Problem(.invalidRequest, "The query parameter after must be a gid: \(NativeRequests.gidRule).")
            }
        }
        do {
            let page = try await self.coordinator.list(state: state, after: after, limit: limit)
            return Answer(NativeAnswers.page(page, node: self.node))
        } catch {
            throw self.problem(error, gid: nil)
        }
    }

    // MARK: Errors

    /// What the client is told; what only the operator may know is logged.
    func problem(_ error: CoordinatorError, gid: Gid?) -> Problem {
        if case .failed(let reason) = error {
            self.logger.error(
                "The coordinator failed", metadata: ["tx.gid": "\(gid?.rawValue ?? "")", "reason": "\(reason)"])
        }
        return Problem(error, gid: gid)
    }

    static func parse(_ body: [UInt8]) throws(Problem) -> JSONValue {
        do {
            return try JSONDocument(body).root
        } catch {
            throw Problem(error)
        }
    }

    static func parseUnlessEmpty(_ body: [UInt8]) throws(Problem) -> JSONValue? {
        body.isEmpty ? nil : try Self.parse(body)
    }

    static func fields<Value>(_ read: () throws(FieldError) -> Value) throws(Problem) -> Value {
        do {
            return try read()
        } catch {
            throw Problem(error)
        }
    }

    private static func rules(_ check: () throws(SubmissionProblem) -> Void) throws(Problem) {
        do {
            try check()
        } catch {
            throw Problem(error)
        }
    }
}
