// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import NIOCore
import NIOHTTP1
import NIOPosix

/// One host and port that calls go to, and the connections to it.
///
/// A call takes an unused connection or opens one of its own; the schedule's windows bound how many there are.
final class HTTPTarget {
    let authority: String
    private let host: Host
    private let port: Int
    private let caller: HTTPCaller
    /// In the order in which they became unused; the last one is taken first, so that the others can go.
    private var idle: [HTTPConnection] = []
    private var calls = 0
    /// Open connections, and those that are being opened.
    private var connections = 0

    init(authority: String, host: Host, port: Int, caller: HTTPCaller) {
        self.authority = authority
        self.host = host
        self.port = port
        self.caller = caller
    }

    var isUnused: Bool { self.calls == 0 && self.connections == 0 }

    func send(_ call: HTTPCall) {
        self.calls += 1
        guard let connection = self.idle.popLast() else { return self.connect(call) }
        self.caller.idleCount -= 1
        connection.send(call)
    }

    func callEnded() {
        self.calls -= 1
        self.caller.callEnded(self)
    }

    // MARK: Connections

    /// Opens a connection and sends the call on it.
    func connect(_ call: HTTPCall) {
        switch self.host {
        case .address(let address):
            self.connect(call, to: [address])
        case .name(let name):
            self.caller.names.addresses(of: name) { addresses in
                guard !addresses.isEmpty else {
                    return call.finish(.unreachable("the name \(name) is unknown"))
                }
                self.connect(call, to: addresses)
            }
        }
    }

    private func connect(_ call: HTTPCall, to addresses: [ResolvedAddress]) {
        var allowed: [SocketAddress] = []
        var refusal: TargetRefusal?
        for address in addresses {
            switch self.verdict(of: address) {
            case .allowed:
                if let address = SocketAddress(address, port: self.port) { allowed.append(address) }
            case .refused(let reason): refusal = refusal ?? reason
            }
        }
        if allowed.isEmpty, let refusal { return call.finish(.forbidden(refusal)) }
        let share = self.caller.configuration.callTimeout.nanoseconds / Int64(max(1, allowed.count))
        let timeout = max(TimeAmount.milliseconds(250), .nanoseconds(share))
        self.attempt(call, addresses: allowed[...], timeout: timeout, failure: nil)
    }

    /// Tries one address after the other.
    private func attempt(
        _ call: HTTPCall, addresses: ArraySlice<SocketAddress>, timeout: TimeAmount, failure: UnknownAnswer?
    ) {
        guard !call.isDone else { return }
        guard let address = addresses.first else {
            if case .name(let name) = self.host { self.caller.names.forget(name) }
            return call.finish(.unknown(failure ?? .closedEarly))
        }
        let connection = HTTPConnection(target: self, maximumAnswerBytes: self.caller.configuration.maximumAnswerBytes)
        let bound = NIOLoopBound(connection, eventLoop: self.caller.eventLoop)
        self.connections += 1
        self.caller.opens(connection)
        ClientBootstrap(group: self.caller.eventLoop)
            .connectTimeout(timeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    // The domain has checked every header and address that a client gave.
                    try pipeline.addHTTPClientHandlers(enableOutboundHeaderValidation: false)
                    try pipeline.addHandler(bound.value)
                }
            }
            .connect(to: address)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    if let failure = self.opened(connection, channel: channel, for: call) { call.finish(failure) }
                case .failure(let error):
                    self.closed(connection)
                    self.attempt(
                        call, addresses: addresses.dropFirst(), timeout: timeout,
                        failure: UnknownAnswer(error, connectingTo: address))
                }
            }
    }

    /// The connection stands: what address it really has decides whether a request goes out on it.
    /// - Returns: why not.
    private func opened(_ connection: HTTPConnection, channel: any Channel, for call: HTTPCall) -> BranchAnswer? {
        guard channel.isActive, let remote = channel.remoteAddress, let address = ResolvedAddress(remote) else {
            // Closed by the other side before this turn.
            connection.close()
            self.closed(connection)
            return .unknown(.closedEarly)
        }
        if case .refused(let refusal) = self.verdict(of: address) {
            connection.close()
            return .forbidden(refusal)
        }
        if self.caller.isShutDown {
            connection.close()
        } else if call.isDone {
            self.release(connection)
        } else {
            connection.send(call)
        }
        return nil
    }

    private func verdict(of address: ResolvedAddress) -> TargetVerdict {
        self.caller.allow.verdict(address: address, port: self.port, host: self.host.description)
    }

    /// The connection carries no call any more.
    func release(_ connection: HTTPConnection) {
        guard self.caller.mayKeepIdle else { return connection.close() }
        self.idle.append(connection)
        self.caller.keptIdle()
    }

    /// The connection is closed, whoever closed it, or didn't come about.
    func closed(_ connection: HTTPConnection) {
        guard self.caller.closed(connection) else { return }
        self.connections -= 1
        if let position = self.idle.lastIndex(where: { $0 === connection }) {
            self.idle.remove(at: position)
            self.caller.idleCount -= 1
        }
        self.caller.connectionEnded(self)
    }

    /// Closes the connections that have been unused since before a moment.
    func closeIdle(before moment: NIODeadline) {
        for connection in self.idle.prefix(while: { $0.idleSince < moment }) { connection.close() }
    }
}
