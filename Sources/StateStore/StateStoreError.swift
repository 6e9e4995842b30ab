// SPDX-License-Identifier: Apache-2.0

package import Bytes
import SQLite

/// Why applied state could not be read or written.
package enum StateStoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file can't be opened or created: look at its folder and permissions.
    case cannotOpen(path: String, reason: String)
    /// The file belongs to another node, cluster or data folder. Nothing was changed.
    case wrongIdentity(path: String, expected: StateIdentity, found: StateIdentity)
    /// The file was written by another version of the program.
    case unsupportedFormat(path: String, found: Int64, supported: Int64)
    /// The file is of a cluster that uses a format which this program doesn't know. Nothing was changed.
    case newerFormat(path: String, used: FormatLevel, known: FormatLevel)
    /// A stored row isn't what was written. The node must not go on from it.
    case rot(path: String, table: String, row: String, reason: String)
    /// The disk is full; nothing was written. The same write may succeed later.
    case diskFull(path: String)
    /// Another connection was in the way for too long; nothing was written. The same write may succeed later.
    case busy(path: String)
    /// A checkpoint is older than the one that the file holds. Nothing was written.
    case outOfOrder(path: String, appliedIndex: UInt64, given: UInt64)
    /// Any other SQLite result; `code` is the extended one. A failed write or sync is among them: the process must end.
    case sqlite(path: String, code: Int32, message: String)

    /// The right case for what SQLite said. `table` is where it was reading or writing.
    init(_ error: SQLiteError, path: String, table: String) {
        if error.isFull {
            self = .diskFull(path: path)
        } else if error.isBusy {
            self = .busy(path: path)
        } else if error.isCorrupt {
            self = .rot(path: path, table: table, row: "?", reason: error.message)
        } else if error.cannotOpen {
            self = .cannotOpen(path: path, reason: error.message)
        } else {
            self = .sqlite(path: path, code: error.code, message: "\(error.message) (\(error.sql))")
        }
    }

    package var description: String {
        switch self {
        case .cannotOpen(let path, let reason):
            "\(path) can't be opened: \(reason)"
        case .wrongIdentity(let path, let expected, let found):
            "\(path) belongs to \(found), but this is \(expected)"
        case .unsupportedFormat(let path, let found, let supported):
            "\(path) has format \(found); this program reads format \(supported)"
        case .newerFormat(let path, let used, let known):
            """
            \(path) is of a cluster that uses format \(used), and this program knows formats up to \(known): run the version \
            that the other nodes run
            """
        case .rot(let path, let table, let row, let reason):
            "\(path) is damaged: table \(table), row \(row): \(reason)"
        case .diskFull(let path):
            "no room on the disk for \(path)"
        case .busy(let path):
            "\(path) is held by another process or by a long read"
        case .outOfOrder(let path, let appliedIndex, let given):
            "\(path) holds the state at index \(appliedIndex); a checkpoint at \(given) is older"
        case .sqlite(let path, let code, let message):
            "\(path): SQLite \(code): \(message)"
        }
    }
}
