// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import NIOCore
import NIOHTTP1

/// Answers the bank's requests. It reads and checks; what happens to money is the writer's.
final class LedgerResponder: Sendable {
    /// Accounts on one page of GET /accounts, if the query doesn't say.
    private static let pageLimit: Int64 = 1000

    private let name: String
    /// `nil`: every branch call is answered 200 at once and nothing is kept.
    private let writer: LedgerWriter?
    private let faults: Faults

    init(name: String, writer: LedgerWriter?, faults: Faults) {
        self.name = name
        self.writer = writer
        self.faults = faults
    }

    /// - Returns: what to send; the future belongs to this event loop and never fails.
    func answer(_ request: LedgerRequest, on eventLoop: any EventLoop) -> EventLoopFuture<Delivery> {
        do throws(LedgerRequestError) {
            return try self.route(request, on: eventLoop)
        } catch {
            let problem = LedgerAnswer.problem(.badRequest, "invalid-request", error.description)
            return eventLoop.makeSucceededFuture(.answer(problem))
        }
    }

    private func route(
        _ request: LedgerRequest, on eventLoop: any EventLoop
    ) throws(LedgerRequestError) -> EventLoopFuture<Delivery> {
        let answer: LedgerAnswer
        switch LedgerRoute(method: request.head.method, uri: request.head.uri) {
        case .branch(let direction, let operation):
            return try self.branch(request, direction, operation, on: eventLoop)
        case .account(let id):
            return self.perform(.account(id: id), on: eventLoop)
        case .putAccount(let id):
            try requireAccountID(id)
            let balance = try request.body.decoded(as: BalanceBody.self).balance
            try requireBalance(balance)
            return self.perform(.putAccount(id: id, balance: balance), on: eventLoop)
        case .accounts(let after, let limit):
            return self.perform(try self.accounts(after, limit), on: eventLoop)
        case .createAccounts:
            return self.perform(try request.body.decoded(as: AccountsBody.self).command(), on: eventLoop)
        case .sum:
            return self.perform(.total, on: eventLoop)
        case .faults:
            answer = .json(self.faults.settings)
        case .setFaults:
            let settings = try request.body.decoded(as: FaultSettings.self)
            self.faults.set(settings)
            answer = .json(settings)
        case .health:
            answer = .json(["bank": self.name, "status": "ok"])
        case .methodNotAllowed(let allowed):
            answer = .problem(
                .methodNotAllowed, "method-not-allowed", "\(request.head.uri) takes \(allowed)",
                additionalHeaders: ["Allow": allowed])
        case .unknown:
            answer = .problem(.notFound, "not-found", "there is nothing at \(request.head.uri)")
        }
        return eventLoop.makeSucceededFuture(.answer(answer))
    }

    private func accounts(_ after: String?, _ limit: String?) throws(LedgerRequestError) -> LedgerCommand {
        let limitOrNil = limit.map { Int64($0) } ?? Self.pageLimit
        guard let limit = limitOrNil, (1...100_000).contains(limit) else {
            throw .invalid("limit is \(limit ?? ""); it is 1 to 100000")
        }
        return .accounts(after: after ?? "", limit: limit)
    }

    private func perform(_ command: LedgerCommand, on eventLoop: any EventLoop) -> EventLoopFuture<Delivery> {
        guard let writer = self.writer else {
            let problem = LedgerAnswer.problem(.notFound, "not-found", "an instant bank keeps no accounts")
            return eventLoop.makeSucceededFuture(.answer(problem))
        }
        let promise = eventLoop.makePromise(of: LedgerReply.self)
        writer.perform(command) { promise.succeed($0) }
        return promise.futureResult.map { .answer(self.answer(to: $0)) }
    }

    // MARK: Branch calls

    private func branch(
        _ request: LedgerRequest, _ direction: Movement.Direction, _ operation: BranchOperation,
        on eventLoop: any EventLoop
    ) throws(LedgerRequestError) -> EventLoopFuture<Delivery> {
        // An instant bank doesn't even look at the call.
        let call =
            self.writer == nil
            ? nil
            : BranchCall(
                try Self.context(request.head, operation),
                try request.body.decoded(as: MovementBody.self).movement(direction))
        let plan = self.faults.next(operation)
        guard let delay = plan.delay else { return self.carryOut(call, plan, on: eventLoop) }
        let delayed = eventLoop.flatScheduleTask(in: TimeAmount(delay)) { self.carryOut(call, plan, on: eventLoop) }
        return delayed.futureResult
    }

    private static func context(
        _ head: HTTPRequestHead, _ operation: BranchOperation
    ) throws(LedgerRequestError) -> BranchContext {
        let context: BranchContext
        do throws(BranchContextError) {
            context = try BranchContext { head.headers[$0] }
        } catch {
            throw .invalid(error.description)
        }
        guard context.operation == operation else {
            throw .invalid(
                "the header \(BranchContext.headerNames.operation) says \(context.operation.rawValue), "
                    + "and \(head.uri) is for \(operation.rawValue)")
        }
        return context
    }

    private func carryOut(
        _ call: BranchCall?, _ plan: FaultPlan, on eventLoop: any EventLoop
    ) -> EventLoopFuture<Delivery> {
        if plan.failure == .error, plan.death == nil {
            return eventLoop.makeSucceededFuture(.answer(Self.toldToFail))
        }
        let refusal = plan.failure == .refusal ? "this bank was told to refuse" : nil
        guard let writer = self.writer, var call else {
            if plan.death != nil { crash() }
            let verdict = refusal.map { BranchVerdict.failure(reason: $0) } ?? .success
            return eventLoop.makeSucceededFuture(self.delivery(of: .verdict(verdict), plan.failure))
        }
        call.refusal = refusal
        call.death = plan.death
        let promise = eventLoop.makePromise(of: LedgerReply.self)
        writer.perform(.branch(call)) { promise.succeed($0) }
        return promise.futureResult.map { self.delivery(of: $0, plan.failure) }
    }

    private func delivery(of reply: LedgerReply, _ failure: FaultSettings.Failure?) -> Delivery {
        switch failure {
        case .errorAfterCommit: .answer(Self.toldToFail)
        case .garbage: .garbage
        case .hangUp: .hangUp
        case .error, .refusal, nil: .answer(self.answer(to: reply))
        }
    }

    private static let toldToFail = LedgerAnswer.problem(
        .internalServerError, "told-to-fail", "this bank was told to fail")

    private func answer(to reply: LedgerReply) -> LedgerAnswer {
        switch reply {
        case .verdict(.success): return .done
        case .verdict(.failure(let reason)): return .problem(.conflict, "refused", reason)
        case .contradiction(let detail): return .problem(.conflict, "contradiction", detail)
        case .account(let account): return .json(account)
        case .accounts(let accounts, let isFull): return .json(AccountsAnswer(self.name, accounts, isFull: isFull))
        case .total(let total): return .json(SumBody(self.name, total))
        case .created(let count): return .json(["created": count])
        case .noSuchAccount: return .problem(.notFound, "no-such-account", "no such account")
        case .unavailable(let reason):
            return .problem(.serviceUnavailable, "unavailable", reason, additionalHeaders: ["Retry-After": "1"])
        }
    }
}
