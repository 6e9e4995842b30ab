// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix
import StateStore
import StrictJSON
import Transactions

/// Backups, and what a restore leaves behind.
extension NativeAPI {
    /// `GET /v1/cluster/backup`
    func backup() async throws(Problem) -> Answer {
        do {
            return Answer(try await self.coordinator.backup())
        } catch {
            throw self.problem(error, gid: nil)
        }
    }

    /// Payloads and headers, which the API never shows, stand in a backup. Until there are roles, it is for who may log in to
    /// the machine.
    static var notHere: Problem {
        Problem(
            .notPossible,
            "Nothing was changed: a backup holds payloads and headers, and is given to clients on the node's own machine alone."
        )
    }

    /// `GET /v1/cluster/audit`
    func audit() async throws(Problem) -> Answer {
        do {
            return Answer(NativeAnswers.audit(try await self.coordinator.notes(), node: self.node))
        } catch {
            throw self.problem(error, gid: nil)
        }
    }

    /// `POST /v1/cluster/lift-restore-mark`
    func liftMark(_ body: [UInt8]) async throws(Problem) -> Answer {
        let root = try Self.parse(body)
        let (actor, reason) = try Self.fields { () throws(FieldError) in try NativeRequests.answering(root) }
        let committed: CommittedAnswer
        do {
            committed = try await self.coordinator.submit(.liftMark(MarkLift(actor: actor, reason: reason)))
        } catch .outcomeUnknown {
            throw Problem(
                .outcomeUnknown, "The mark may or may not have been lifted; GET /v1/cluster/audit shows whether it was."
            )
        } catch {
            throw self.problem(error, gid: nil)
        }
        let isNew = committed.result == .accepted(isNew: true)
        return Answer(
            NativeAnswers.markLifted(isNew, node: self.node, term: committed.term, index: committed.index))
    }
}

extension NativeAPI {
    /// `POST /v1/transactions/{gid}/release`
    func release(_ body: [UInt8], of gid: Gid) async throws(Problem) -> Answer {
        let root = try Self.parse(body)
        let (actor, reason) = try Self.fields { () throws(FieldError) in try NativeRequests.answering(root) }
        return try await self.carryOut(
            .release(Release(gid: gid, actor: actor, reason: reason)), location: gid, isCreation: false)
    }
}

extension NativeRequests {
    /// What an operator answers for, while a restore is open: who says so, and why.
    static func answering(_ value: JSONValue) throws(FieldError) -> (actor: String, reason: String) {
        let object = try JSONObject(value, fields: ["actor", "reason"])
        let reason = try object.required("reason")
        let words = try reason.string()
        guard (1...Limits.textLength).contains(words.utf8.count) else {
            throw reason.error("expected why, in 1 to \(Limits.textLength) bytes")
        }
        let actor = try object.optional("actor")?.string() ?? ""
        guard actor.utf8.count <= Limits.textLength else {
            throw value.error("expected an actor of at most \(Limits.textLength) bytes")
        }
        return (actor, words)
    }
}

extension NativeAnswers {
    static func audit(_ reading: NotesReading, node: String) -> [UInt8] {
        var writer = JSONWriter(capacity: 256 + 256 * reading.notes.audit.count)
        writer.object { json in
            json.key("restore_mark")
            if let mark = reading.notes.mark {
                json.object { json in
                    json.field("source", mark.source.map { $0.hexadecimal }.joined())
                    json.field("index", mark.index)
                    json.field("certain", mark.certain)
                }
            } else {
                json.null()
            }
            json.key("audit")
            json.array(reading.notes.audit) { json, record in
                json.object { json in
                    json.field("event", record.kind.name)
                    json.field("time", record.time)
                    json.field("index", record.index)
                    json.field("actor", record.actor)
                    json.field("detail", record.detail)
                }
            }
            Self.position(node: node, term: reading.term, index: reading.index, to: &json)
        }
        return writer.bytes
    }

    static func markLifted(_ isNew: Bool, node: String, term: UInt64, index: UInt64) -> [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.object { json in
            json.field("lifted", isNew)
            Self.position(node: node, term: term, index: index, to: &json)
        }
        return writer.bytes
    }
}

extension UInt8 {
    fileprivate var hexadecimal: String { (self < 16 ? "0" : "") + String(self, radix: 16) }
}

extension Response {
    /// The file, piece by piece, with what it takes to know that all of it came.
    init(_ backup: BackupSource) {
        let snapshot = backup.snapshot
        var headers: HTTPFields = [.contentType: "application/vnd.sqlite3"]
        headers.add("Verdict-Checksum", "crc32c=\(snapshot.checksum)")
        headers.add("Verdict-Index", "\(snapshot.appliedIndex)")
        self.init(
            status: .ok, headers: headers,
            body: ResponseBody(contentLength: Int(snapshot.length)) { writer in
                var offset: UInt64 = 0
                while offset < snapshot.length {
                    let position = offset
                    let piece = try await NIOThreadPool.singleton.runIfActive { try backup.read(at: position) }
                    guard !piece.isEmpty else { throw ShortBackup() }
                    offset += UInt64(piece.count)
                    try await writer.write(ByteBuffer(bytes: piece))
                }
                try await writer.finish(nil)
            })
    }
}

/// The file is shorter than it was: the connection ends without the rest, and the client sees that.
private struct ShortBackup: Error {}

extension HTTPFields {
    fileprivate mutating func add(_ name: String, _ value: String) {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is no name of a field") }
        self[name] = value
    }
}
