// SPDX-License-Identifier: Apache-2.0

package import Raft
package import SQLite

/// What went wrong with a node's data folder. The cases differ in what the operator must do.
package enum StoreError: Error, Hashable, Sendable {
    /// No room on the disk. Nothing was written; reads go on, and the write is tried again when there is room.
    case diskFull(path: String)
    /// A stored log breaks a rule of recovery. The node must neither vote nor acknowledge.
    case rot(Rot, path: String)
    /// A file isn't what this node wrote and synced. `detail` names the frame, row or field.
    case corrupt(path: String, detail: String)
    /// Another process runs on the folder. `pid` is 0 if it didn't say.
    case locked(path: String, pid: Int32)
    /// There is no node in the folder yet.
    case notInitialised(path: String, detail: String)
    /// The folder cannot become a node's: there is something in it already.
    case notEmpty(path: String, found: [String])
    /// The folder is that of another node or cluster.
    case foreign(path: String, expected: String, found: String)
    /// The folder was written by a newer version.
    case unsupportedFormat(path: String, found: Int64, supported: Int64)
    /// The core asked for what can't follow the log as it stands: a mistake of the program. Nothing was written.
    case invalidBatch(sequence: UInt64, reason: String)
    /// Any other answer of SQLite. `code` is the extended result code.
    case sqlite(code: Int32, message: String, path: String)
    /// The operating system refused a call.
    case io(errno: Int32, call: String, path: String)
    /// The log was closed before.
    case closed(path: String)

    /// The node can't know what it promised: it comes back only as a new member with a new storage id. With any other
    /// damage it may fetch the log from its peers.
    package var isHardStateInDoubt: Bool {
        switch self {
        case .rot(.hardStateMissing, _), .rot(.hardStateDamaged, _), .corrupt: true
        case .rot, .diskFull, .locked, .notInitialised, .notEmpty, .foreign, .unsupportedFormat, .invalidBatch,
            .sqlite, .io, .closed:
            false
        }
    }

    /// What was stored is damaged, as opposed to: it could not be read or written just now.
    package var isDamage: Bool {
        switch self {
        case .rot, .corrupt: true
        case .diskFull, .locked, .notInitialised, .notEmpty, .foreign, .unsupportedFormat, .invalidBatch, .sqlite, .io,
            .closed:
            false
        }
    }

    /// - Parameter path: the database file that the statement was for.
    package init(_ error: SQLiteError, path: String) {
        if error.isFull {
            self = .diskFull(path: path)
        } else if error.isCorrupt || error.code == Self.shortRead {
            self = .corrupt(path: path, detail: "\(error.message) (\(error.code)) at: \(error.sql)")
        } else {
            self = .sqlite(code: error.code, message: "\(error.message) at: \(error.sql)", path: path)
        }
    }

    /// SQLITE_IOERR_SHORT_READ: the file ends where a page should be.
    private static let shortRead: Int32 = 522
}

extension StoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .diskFull(let path):
            "no room left on the disk of \(path)"
        case .rot(let rot, let path):
            "\(path) is damaged: \(rot.explanation). The node must not take part from it; restore it from its peers"
        case .corrupt(let path, let detail):
            "\(path) is damaged: \(detail). The node must not take part from it; restore it from its peers"
        case .locked(let path, let pid):
            "\(path) is in use by \(pid == 0 ? "another process" : "process \(pid)")"
        case .notInitialised(let path, let detail):
            "\(path) is not initialised (\(detail))"
        case .notEmpty(let path, let found):
            "\(path) is not empty (it holds \(found.prefix(5).joined(separator: ", ")))"
        case .foreign(let path, let expected, let found):
            "\(path) belongs to \(found), not to \(expected)"
        case .unsupportedFormat(let path, let found, let supported):
            "\(path) has format version \(found); this program knows versions up to \(supported)"
        case .invalidBatch(let sequence, let reason):
            "batch \(sequence) does not fit the log: \(reason)"
        case .sqlite(let code, let message, let path):
            "SQLite error \(code) on \(path): \(message)"
        case .io(let number, let call, let path):
            "\(call) failed on \(path): \(errorText(number)) (\(number))"
        case .closed(let path):
            "\(path) is closed"
        }
    }
}

extension Rot {
    /// The rule that is broken, in words.
    package var explanation: String {
        switch self {
        case .hardStateMissing: "the row of term and vote is missing"
        case .hardStateDamaged: "the row of term and vote fails its checksum"
        case .batchDamaged(let first, let last):
            "the row of entries \(first.rawValue) to \(last.rawValue) fails its checksum"
        case .batchMislabelled(let first, let last):
            "the row of entries \(first.rawValue) to \(last.rawValue) holds other entries"
        case .gap(let expected, let found):
            "entry \(expected.rawValue) should be next, \(found.rawValue) is"
        case .wrongEnd(let expected, let found):
            "the log ends at entry \(found.rawValue) and should end at \(expected.rawValue)"
        case .termOutOfOrder(let index, let term):
            "entry \(index.rawValue) has the term \(term.rawValue), which cannot stand there"
        case .membershipUnreadable(let index):
            "entry \(index.rawValue) names members in a form that this version doesn't know"
        }
    }
}
