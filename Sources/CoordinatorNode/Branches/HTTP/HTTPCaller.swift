// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import NIOCore
import NIOHTTP1
import Transactions

/// What stands behind an `HTTPBranch`, confined to its event loop: all calls under way and all connections.
final class HTTPCaller {
    let eventLoop: any EventLoop
    let configuration: HTTPBranchConfiguration
    let allow: AllowList
    let names: NameResolver

    private var targets: [String: HTTPTarget] = [:]
    /// In the order of their deadlines, since all have the same time; those that are done are skipped.
    private var calls = FirstInFirstOut<HTTPCall>()
    private var callsUnderWay = 0
    private var deadlineTimer: Scheduled<Void>?
    /// Connections that are open or being opened.
    private var open: [ObjectIdentifier: HTTPConnection] = [:]
    /// Connections that carry no call.
    var idleCount = 0
    private var idleTimer: Scheduled<Void>?
    private var stopped: EventLoopPromise<Void>?
    private var isStopTold = false

    init(
        eventLoop: any EventLoop, configuration: HTTPBranchConfiguration, allow: AllowList,
        resolve: @escaping @Sendable (String) -> [ResolvedAddress]
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.allow = allow
        self.names = NameResolver(eventLoop: eventLoop, resolve: resolve)
    }

    var isShutDown: Bool { self.stopped != nil }

    // MARK: Calls

    func call(_ request: BranchRequest, whenDone: @escaping (BranchAnswer) -> Void) {
        self.eventLoop.preconditionInEventLoop()
        guard !self.isShutDown else { return whenDone(.cancelled) }
        let location: HTTPLocation
        let target: HTTPTarget
        do throws(UnknownAnswer) {
            location = try HTTPLocation(request.call.url)
            target = try self.target(location.authority)
        } catch {
            return whenDone(.unknown(error))
        }
        guard let payload = request.call.payload.bytes else { return whenDone(.unknown(.payloadMissing)) }
        let call = HTTPCall(
            head: self.head(of: request, target: target, uri: location.uri),
            body: payload.isEmpty ? nil : ByteBuffer(bytes: payload), target: target,
            deadline: .now() + self.configuration.callTimeout, whenDone: whenDone)
        self.callsUnderWay += 1
        self.calls.append(call)
        if self.calls.count > 64, self.calls.count > 2 * self.callsUnderWay { self.calls.removeAll { $0.isDone } }
        self.armDeadlineTimer()
        target.send(call)
    }

    private func head(of request: BranchRequest, target: HTTPTarget, uri: String) -> HTTPRequestHead {
        let call = request.call
        var headers: [(String, String)] = []
        headers.reserveCapacity(call.headers.count + 9)
        headers.append(("Host", target.authority))
        headers.append(("Content-Length", String(call.payload.count)))
        if !call.payload.isEmpty { headers.append(("Content-Type", "application/json")) }
        headers.append(("Verdict-Gid", call.gid.rawValue))
        headers.append(("Verdict-Branch", call.branchID.rawValue))
        headers.append(("Verdict-Operation", call.operation.name))
        headers.append(("Verdict-Attempt", String(request.attempt)))
        headers.append(("Verdict-Cluster", self.configuration.clusterID))
        headers.append(("Verdict-Term", String(request.term)))
        for header in call.headers { headers.append((header.name, header.value)) }
        return HTTPRequestHead(version: .http1_1, method: .POST, uri: uri, headers: HTTPHeaders(headers))
    }

    /// The target that the authority names, if calls may go there.
    private func target(_ text: Substring) throws(UnknownAnswer) -> HTTPTarget {
        let authority = String(text)
        if let known = self.targets[authority] { return known }
        var hostText = text
        var port = 80
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            guard let number = Int(text[text.index(after: colon)...]) else {
                throw UnknownAnswer(kind: .invalidRequest, detail: "the URL can't be called: \(authority) has no port")
            }
            port = number
            hostText = text[..<colon]
        }
        if case .refused(let refusal) = self.allow.verdict(host: String(hostText), port: port) {
            throw UnknownAnswer(refusal)
        }
        guard let host = Host(hostText) else { throw UnknownAnswer(.invalidHost(String(hostText))) }
        let target = HTTPTarget(authority: authority, host: host, port: port, caller: self)
        self.targets[authority] = target
        return target
    }

    func callEnded(_ target: HTTPTarget) {
        self.callsUnderWay -= 1
        self.forgetIfUnused(target)
    }

    private func forgetIfUnused(_ target: HTTPTarget) {
        if target.isUnused, self.targets[target.authority] === target { self.targets[target.authority] = nil }
    }

    // MARK: Time

    private func armDeadlineTimer() {
        guard self.deadlineTimer == nil, let first = self.calls.first else { return }
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.deadlineTimer = self.eventLoop.scheduleTask(deadline: first.deadline) {
            bound.value.deadlineTimer = nil
            bound.value.expireCalls()
        }
    }

    private func expireCalls() {
        let now = NIODeadline.now()
        while let first = self.calls.first, first.isDone || first.deadline <= now {
            _ = self.calls.popFirst()
            guard !first.isDone else { continue }
            let connection = first.connection
            let time = "\(self.configuration.callTimeout.nanoseconds / 1_000_000) ms"
            first.finish(
                connection == nil
                    ? .unreachable("no connection within \(time)")
                    : .unknown(UnknownAnswer(kind: .timeout, detail: "no whole answer within \(time)")))
            connection?.abandon()
        }
        self.armDeadlineTimer()
    }

    // MARK: Connections

    func opens(_ connection: HTTPConnection) {
        self.open[ObjectIdentifier(connection)] = connection
    }

    /// - Returns: whether it was one of these as far as the caller knew.
    func closed(_ connection: HTTPConnection) -> Bool {
        self.open.removeValue(forKey: ObjectIdentifier(connection)) != nil
    }

    /// A connection is closed, or didn't come about.
    func connectionEnded(_ target: HTTPTarget) {
        self.forgetIfUnused(target)
        self.finishStop()
    }

    var mayKeepIdle: Bool { !self.isShutDown && self.idleCount < self.configuration.idleConnections }

    func keptIdle() {
        self.idleCount += 1
        self.armIdleTimer()
    }

    private func armIdleTimer() {
        guard self.idleTimer == nil, self.idleCount > 0 else { return }
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.idleTimer = self.eventLoop.scheduleTask(in: .nanoseconds(self.configuration.idleTimeout.nanoseconds / 2)) {
            let caller = bound.value
            caller.idleTimer = nil
            let moment = NIODeadline.now() - caller.configuration.idleTimeout
            // A connection that is closed here may take its target out of the table.
            for target in Array(caller.targets.values) { target.closeIdle(before: moment) }
            caller.armIdleTimer()
        }
    }

    // MARK: The end

    func shutDown() -> EventLoopFuture<Void> {
        if let stopped = self.stopped { return stopped.futureResult }
        let promise = self.eventLoop.makePromise(of: Void.self)
        self.stopped = promise
        self.deadlineTimer?.cancel()
        self.idleTimer?.cancel()
        while let call = self.calls.popFirst() {
            let connection = call.connection
            call.finish(.cancelled)
            connection?.abandon()
        }
        for connection in Array(self.open.values) { connection.close() }
        self.finishStop()
        return promise.futureResult
    }

    private func finishStop() {
        guard let promise = self.stopped, !self.isStopTold, self.open.isEmpty else { return }
        self.isStopTold = true
        promise.succeed()
    }
}
