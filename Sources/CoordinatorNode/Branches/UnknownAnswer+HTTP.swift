// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Glibc
import NIOCore
import NIOHTTP1

extension UnknownAnswer {
    /// The allow list refuses the target.
    init(_ refusal: TargetRefusal) {
        self.init(kind: .targetForbidden, detail: "target forbidden: \(refusal)")
    }

    /// What broke a connection means this for the call that it carried.
    init(_ error: any Error) {
        switch error {
        case HTTPParserError.invalidEOFState: self = .closedEarly
        case is HTTPParserError, is NIOHTTPDecoderError:
            self.init(kind: .malformedAnswer, detail: "the answer is no HTTP/1.1: \(error)")
        case let error as IOError:
            self.init(kind: .connectionLost, detail: "connection lost: \(Self.reason(error))")
        default:
            self.init(kind: .connectionLost, detail: "connection lost: \(error)")
        }
    }

    /// No connection came about.
    init(_ error: any Error, connectingTo address: SocketAddress) {
        let reason: String
        switch error {
        case let error as IOError: reason = Self.reason(error)
        case ChannelError.connectTimeout: reason = "no connection in time"
        default: reason = "\(error)"
        }
        self.init(
            kind: .unreachable, detail: "\(address.ipAddress ?? "?"), port \(address.port ?? 0): \(reason)")
    }

    private static func reason(_ error: IOError) -> String {
        switch error.errnoCode {
        case ECONNREFUSED: "connection refused"
        case ECONNRESET: "connection reset"
        case EPIPE: "connection closed"
        case EHOSTUNREACH: "no route to the host"
        case ENETUNREACH: "no route to the network"
        case ETIMEDOUT: "no answer from the host"
        case EMFILE, ENFILE: "no file descriptor is free on this node"
        case EADDRNOTAVAIL: "no local port is free on this node"
        case _: error.description
        }
    }

    static let closedEarly = UnknownAnswer(
        kind: .connectionLost, detail: "connection lost: closed before a whole answer was there")
}

extension BranchAnswer {
    static let cancelled = BranchAnswer.unknown(UnknownAnswer(kind: .cancelled, detail: "the node is stopping"))

    static func unreachable(_ detail: String) -> BranchAnswer {
        .unknown(UnknownAnswer(kind: .unreachable, detail: detail))
    }

    static func forbidden(_ refusal: TargetRefusal) -> BranchAnswer { .unknown(UnknownAnswer(refusal)) }
}

/// Thrown between the parts of the HTTP branch alone.
extension UnknownAnswer: Error {}
