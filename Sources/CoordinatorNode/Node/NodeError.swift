// SPDX-License-Identifier: Apache-2.0

package import Bytes
package import RaftStore
package import StateStore

/// Why a node doesn't start. Each case says what the operator must do.
package enum NodeError: Error, Sendable, CustomStringConvertible {
    /// The configuration has no node of this name.
    case unknownNode(String, known: [String])
    /// The log's folder can't be used.
    case log(StoreError)
    /// The applied state can't be used.
    case state(StateStoreError)
    /// The node was removed from its cluster at an entry of the log.
    case removed(path: String, node: String, UInt64)
    /// The applied state is of another history than the log: one of the two was lost or exchanged.
    case stateNotInLog(path: String, appliedIndex: UInt64, appliedTerm: UInt64, lastIndex: UInt64)
    /// The applied state is older than the log's beginning, or was lost: a snapshot must take its place.
    case stateTooOld(path: String, appliedIndex: UInt64, first: UInt64)
    /// The cluster uses a format that this program doesn't know.
    case outdated(uses: FormatLevel, knows: FormatLevel)
    /// The process's id can't be written down.
    case pidFile(path: String, reason: String)

    package var description: String {
        switch self {
        case .unknownNode(let name, let known):
            "the configuration has no node '\(name)'; it has \(known.joined(separator: ", "))"
        case .log(let error): error.description
        case .state(let error): error.description
        case .removed(let path, let node, let index):
            """
            \(node) was removed from the cluster (as of entry \(index)), so nothing starts on \(path) any more. Remove the \
            folder, or keep it elsewhere; clusterctl members add \(node) makes a new one
            """
        case .stateNotInLog(let path, let appliedIndex, let appliedTerm, let lastIndex):
            """
            \(path) stands at entry \(appliedIndex) of term \(appliedTerm), which is not in this node's log (it ends \
            at \(lastIndex)): one of the two files was lost or exchanged
            """
        case .stateTooOld(let path, let appliedIndex, let first):
            "\(path) stands at entry \(appliedIndex), and this node's log begins behind entry \(first)"
        case .outdated(let used, let known):
            """
            the cluster uses format \(used), and this program knows formats up to \(known): run the version that the other \
            nodes run
            """
        case .pidFile(let path, let reason): "can't write \(path): \(reason)"
        }
    }

    /// Whether another flag or configuration puts it right.
    package var isUsage: Bool {
        switch self {
        case .unknownNode, .removed: true
        case .log, .state, .stateNotInLog, .stateTooOld, .outdated, .pidFile: false
        }
    }

    /// Whether the disk itself is to blame, rather than what was asked of the node.
    package var isDamage: Bool {
        switch self {
        case .log(let error): error.isDamage
        case .stateNotInLog, .stateTooOld: true
        case .state, .unknownNode, .removed, .outdated, .pidFile: false
        }
    }
}
