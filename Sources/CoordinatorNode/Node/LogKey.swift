// SPDX-License-Identifier: Apache-2.0

/// Keys of the metadata in the node's log lines.
enum LogKey {
    static let node = "node.id"
    static let cluster = "cluster.id"
    static let role = "raft.role"
    static let term = "raft.term"
    static let leader = "raft.leader"
    static let index = "raft.index"
    static let peer = "raft.peer"
    static let reason = "reason"
    static let address = "address"
    static let path = "path"
    static let gid = "tx.gid"
    static let live = "tx.live"
    static let applied = "raft.applied"
    static let milliseconds = "ms"
    static let bytes = "bytes"
    static let rows = "rows"
    static let nodes = "nodes"
    static let version = "version"
    static let format = "format"
}
