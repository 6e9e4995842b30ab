// SPDX-License-Identifier: Apache-2.0

import SQLite
import Transactions

extension StateDatabase {
    /// Reads the whole file and checks all of it: pages, indexes, every row, and how many there are.
    ///
    /// A read checks the row that it finds, but rot in an index can make a row look as if it weren't there: only this
    /// finds that. Takes as long as reading the file does.
    /// - Throws: `rot`, with the first thing that is wrong.
    package func verify() throws(StateStoreError) {
        let state = try self.load()
        try self.verifyPages()
        let live = Set(state.live.map(\.gid.rawValue))
        var count: UInt64 = 0
        var last = ""
        while true {
            let page = try self.archivedRows(after: last, limit: 256)
            for row in page {
                try self.recovery.check(row, appliedIndex: state.appliedIndex)
                guard !live.contains(row.gid) else { throw self.rot("archive", row.gid, "is live as well") }
            }
            count += UInt64(page.count)
            guard let next = page.last?.gid else { break }
            last = next
        }
        guard count == state.archivedCount else {
            throw .rot(
                path: self.path, table: "archive", row: "*",
                reason: "\(count) rows where \(state.archivedCount) were written")
        }
    }

    /// Bytes of the database file.
    package func fileLength() throws(StateStoreError) -> UInt64 {
        do {
            let pages = try self.database.firstInteger("PRAGMA page_count") ?? 0
            return UInt64(pages) * UInt64(try self.database.firstInteger("PRAGMA page_size") ?? 0)
        } catch {
            throw self.failure(error, table: "?")
        }
    }

    /// Takes a damaged file out of the way, as `<path>.damaged` or with a number behind that, so that the log can fill a new
    /// one. It must not be open.
    package static func setAside(path: String) throws(StateStoreError) {
        try DataFolder.rename(path, to: DataFolder.unused(path + ".damaged"))
        try RotNote.remove(statePath: path)
    }

    private func verifyPages() throws(StateStoreError) {
        let answer: String?
        do {
            answer = try self.database.firstText("PRAGMA integrity_check(1)")
        } catch {
            throw self.failure(error, table: "?")
        }
        guard answer == "ok" else {
            throw .rot(path: self.path, table: "?", row: "?", reason: answer ?? "the check gives no answer")
        }
    }

    private func rot(_ table: String, _ gid: String, _ reason: String) -> StateStoreError {
        .rot(path: self.path, table: table, row: gid, reason: reason)
    }
}
