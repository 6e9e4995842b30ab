// SPDX-License-Identifier: Apache-2.0

package import Bytes
package import Raft

/// Hears what the transport has to tell. Every call comes on the transport's event loop, from within its work: an
/// implementation may call the transport back.
package protocol PeerTransportDelegate: AnyObject {
    /// A connection to the peer stands; what was sent before may be lost.
    func peerConnected(_ peer: NodeID)
    /// The connection to the peer was lost, and the first attempt to connect anew has failed. `isRefused`: its machine
    /// says that nobody listens there, so its process is gone. Told again only when a mere loss turns out to be that.
    func peerDisconnected(_ peer: NodeID, isRefused: Bool)
    /// A message whose cluster, sender, storage id and receiver have been checked. A reply is a member's.
    func received(_ message: Message, group: GroupID, from peer: NodeID)
    /// A request, to be answered with `reply(to:_:)` at any time, or never.
    func receivedRequest(_ bytes: [UInt8], from peer: NodeID, token: ReplyToken)
    /// The peer was heard for the first time and is held to this storage id from now on. Make it durable.
    func learned(_ storage: StorageID, of peer: NodeID)
    /// A peer whose log is longer than this node's says that this node isn't a member at that index any more.
    func removed(at index: LogIndex, saidBy peer: NodeID)
    /// The cluster uses a format that this node's program doesn't know.
    func outdated(uses format: FormatLevel)
    /// All that one read of a socket brought has been given: the moment for a turn over it.
    func receiveBatchEnded()
}

extension PeerTransportDelegate {
    package func receiveBatchEnded() {}
    package func removed(at index: LogIndex, saidBy peer: NodeID) {}
    package func outdated(uses format: FormatLevel) {}
}

/// Names a request between the transport and who answers it.
package struct ReplyToken: Hashable, Sendable {
    /// The connection that the request came on, and that the reply goes back on.
    let connection: UInt64
    let request: UInt64
}
