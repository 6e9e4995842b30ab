// SPDX-License-Identifier: Apache-2.0

import Bytes
import Raft

/// Why a connection ended. The first reason counts.
enum CloseReason: Hashable, Sendable {
    /// The other side closed it, between two frames.
    case ended
    /// The socket failed.
    case failed(String)
    /// What came was no frame.
    case notFrames(FrameError)
    /// A whole frame that the other side should not have sent.
    case violation(String, firstBytes: [UInt8])
    case handshakeTimeout
    /// This node does not believe the other side's hello.
    case refused(Refusal)
    /// The other side does not believe this node's hello.
    case refusedByPeer(Refusal)
    /// The other side's answer is not the wanted peer's.
    case rejected(Refusal)
    /// Too many connections are in their handshake.
    case tooManyHandshakes
    /// Nothing has come for too long.
    case silent
    /// The same peer has connected anew.
    case replaced
    /// The peer is no member any more, or the member is another one.
    case noMember
    /// The cluster uses a format now that the peer's program doesn't know.
    case outdated
    /// This node closes its connections.
    case closing

    /// Whether someone should look at it: not what the comings and goings of processes and networks explain.
    var isRefusal: Bool {
        switch self {
        case .notFrames, .violation, .handshakeTimeout, .refused, .refusedByPeer, .rejected, .tooManyHandshakes: true
        case .ended, .failed, .silent, .replaced, .noMember, .outdated, .closing: false
        }
    }

    /// The node that a refusal of this node's concerns, as it has named itself.
    var subject: NodeID? {
        switch self {
        case .refused(.unknownNode(let node)), .refused(.wrongStorage(let node, _, _)), .refused(.removed(let node, _)):
            node
        case .refused, .ended, .failed, .notFrames, .violation, .handshakeTimeout, .refusedByPeer, .rejected,
            .tooManyHandshakes, .silent, .replaced, .noMember, .outdated, .closing:
            nil
        }
    }

    /// Refusals say who it is that can't take part any more: the cluster uses a format that its program doesn't know.
    var outdatedNode: (node: NodeID, uses: FormatLevel)? {
        switch self {
        case .refused(.outdated(let node, _, let uses)), .refusedByPeer(.outdated(let node, _, let uses)),
            .rejected(.outdated(let node, _, let uses)):
            (node, uses)
        case .refused, .refusedByPeer, .rejected, .ended, .failed, .notFrames, .violation, .handshakeTimeout,
            .tooManyHandshakes, .silent, .replaced, .noMember, .outdated, .closing:
            nil
        }
    }

    /// One word, the same for all reasons of a kind, so that log lines can be limited and counted by it.
    var word: String {
        switch self {
        case .ended: "ended"
        case .failed: "failed"
        case .notFrames(let error):
            switch error.reason {
            case .tooLong: "frame-too-long"
            case .unknownKind: "frame-kind"
            case .wrongChecksum: "frame-checksum"
            case .truncated: "frame-truncated"
            case .http: "http"
            case .tls: "tls"
            }
        case .violation: "violation"
        case .handshakeTimeout: "handshake-timeout"
        case .refused(let refusal): "refused-\(refusal.word)"
        case .refusedByPeer(let refusal): "refused-by-peer-\(refusal.word)"
        case .rejected(let refusal): "rejected-\(refusal.word)"
        case .tooManyHandshakes: "too-many-handshakes"
        case .silent: "silent"
        case .replaced: "replaced"
        case .noMember: "no-member"
        case .outdated: "outdated"
        case .closing: "closing"
        }
    }

    /// The reason in full, for people.
    var text: String {
        switch self {
        case .ended: "closed by the other side"
        case .failed(let reason): reason
        case .notFrames(let error): error.reason.description
        case .violation(let rule, _): rule
        case .handshakeTimeout: "handshake not finished in time"
        case .refused(let refusal), .rejected(let refusal): refusal.description
        case .refusedByPeer(let refusal): "the peer refuses this node: \(refusal)"
        case .tooManyHandshakes: "too many connections in their handshake"
        case .silent: "nothing heard for too long"
        case .replaced: "the peer has connected anew"
        case .noMember: "the peer is no member any more"
        case .outdated: "the cluster uses a format that the peer's program doesn't know"
        case .closing: "this node closes its connections"
        }
    }

    /// The beginning of what should not have come, if that is the reason.
    var firstBytesText: String? {
        switch self {
        case .notFrames(let error): error.firstBytesText
        case .violation(_, let bytes): FrameError.hexadecimal(bytes)
        case .ended, .failed, .handshakeTimeout, .refused, .refusedByPeer, .rejected, .tooManyHandshakes, .silent,
            .replaced, .noMember, .outdated, .closing:
            nil
        }
    }
}
