// SPDX-License-Identifier: Apache-2.0

package import Bytes

// A transaction as it is kept on disk: a version byte, then fixed fields, then branches and history.
// What decodes encodes to the same bytes again: nothing is normalised on the way in, what isn't canonical is refused.

extension GlobalTransaction {
    /// The version that is written. Others aren't read.
    package static let encodingVersion: UInt8 = 1

    /// - Parameter payloads: `.whole` only if all of them are in memory.
    package func encoded(payloads: PayloadForm = .whole) -> [UInt8] {
        var writer = ByteWriter(capacity: self.estimatedLength)
        self.encode(payloads, into: &writer)
        return writer.bytes
    }

    /// - Parameter payloads: as it was encoded.
    /// - Throws: `ByteError` if these bytes are not exactly one transaction.
    package init(decoding bytes: [UInt8], payloads: PayloadForm = .whole) throws(ByteError) {
        var reader = ByteReader(bytes)
        self = try GlobalTransaction(payloads, from: &reader)
        try reader.finish()
    }

    func encode(_ payloads: PayloadForm, into writer: inout ByteWriter) {
        writer.write(Self.encodingVersion)
        writer.write(self.gid.rawValue)
        writer.write(self.kind.rawValue)
        writer.write(self.origin.rawValue)
        writer.write(self.isConcurrent)
        writer.write(self.timeoutMilliseconds)
        writer.write(self.createdAt.rawValue)
        writer.write(self.acceptedIndex)
        writer.write(self.acceptedOrdinal)
        writer.write(self.deadline.rawValue)
        writer.write(self.state.rawValue)
        writer.writeOptional(self.decision) { $0.write($1.rawValue) }
        writer.writeOptional(self.reason) { $0.write($1) }
        writer.writeOptional(self.decidedAt) { $0.write($1.rawValue) }
        writer.writeOptional(self.finishedAt) { $0.write($1.rawValue) }
        writer.writeOptional(self.finishedIndex) { $0.write($1) }
        writer.writeList(self.branches) { $1.encode(payloads, into: &$0) }
        writer.writeList(self.history) { $1.encode(into: &$0) }
    }

    init(_ payloads: PayloadForm, from reader: inout ByteReader) throws(ByteError) {
        try reader.readVersion(Self.encodingVersion)
        self.gid = try reader.readGid()
        self.kind = try reader.readRaw("kind", TransactionKind.init(rawValue:))
        self.origin = try reader.readRaw("origin", Origin.init(rawValue:))
        self.isConcurrent = try reader.readBool("isConcurrent")
        self.timeoutMilliseconds = try reader.read()
        self.createdAt = try reader.readLogTime()
        self.acceptedIndex = try reader.read()
        self.acceptedOrdinal = try reader.read()
        self.deadline = try reader.readLogTime()
        let stateOffset = reader.offset
        self.state = try reader.readRaw("state", TransactionState.init(rawValue:))
        self.decision = try reader.readOptional("decision") { reader throws(ByteError) in
            try reader.readRaw("decision", Decision.init(rawValue:))
        }
        self.reason = try reader.readOptionalText("reason")
        self.decidedAt = try reader.readOptional("decidedAt") { reader throws(ByteError) in try reader.readLogTime() }
        self.finishedAt = try reader.readOptional("finishedAt") { reader throws(ByteError) in try reader.readLogTime() }
        self.finishedIndex = try reader.readOptional("finishedIndex") { reader throws(ByteError) in
            try reader.read(UInt64.self)
        }
        self.branches = try reader.readList(limit: Limits.branches) { reader throws(ByteError) in
            try Branch(payloads, from: &reader)
        }
        self.history = try reader.readList(limit: Limits.historyLength(branches: self.branches.count)) {
            reader throws(ByteError) in
            try HistoryEvent(from: &reader)
        }
        guard self.isConsistent else { throw .invalidValue(offset: stateOffset, field: "state") }
    }

    /// About how many bytes it has in memory.
    var estimatedLength: Int {
        self.branches.reduce(128 + 64 * self.history.count) { length, branch in
            length + branch.spec.estimatedLength + 16
        }
    }
}

extension Branch {
    func encode(_ payloads: PayloadForm, into writer: inout ByteWriter) {
        self.spec.encode(payloads, into: &writer)
        writer.write(self.state.rawValue)
        writer.write(self.attempts)
        writer.writeOptional(self.lastError) { $0.write($1) }
    }

    init(_ payloads: PayloadForm, from reader: inout ByteReader) throws(ByteError) {
        self.spec = try BranchSpec(payloads, from: &reader)
        self.state = try reader.readRaw("branch state", BranchState.init(rawValue:))
        self.attempts = try reader.read()
        self.lastError = try reader.readOptionalText("lastError")
    }
}

extension BranchSpec {
    func encode(_ payloads: PayloadForm = .whole, into writer: inout ByteWriter) {
        writer.write(self.id.rawValue)
        writer.writeList(self.targets) { writer, target in
            writer.write(target.operation.rawValue)
            writer.write(target.url)
        }
        writer.writeList(self.headers) { writer, header in
            writer.write(header.name)
            writer.write(header.value)
        }
        self.payload.encode(payloads, into: &writer)
    }

    init(_ payloads: PayloadForm = .whole, from reader: inout ByteReader) throws(ByteError) {
        let id = try reader.readBranchID()
        let targetsOffset = reader.offset
        let targets = try reader.readList(limit: Operation.allCases.count) { reader throws(ByteError) in
            Target(
                operation: try reader.readRaw("operation", Operation.init(rawValue:)),
                url: try reader.readString(limit: Limits.urlLength))
        }
        for (target, next) in zip(targets, targets.dropFirst())
        where target.operation.rawValue >= next.operation.rawValue {
            throw .invalidValue(offset: targetsOffset, field: "order of targets")
        }
        let headersOffset = reader.offset
        let headers = try reader.readList(limit: Limits.headers) { reader throws(ByteError) in
            Header(
                name: try reader.readString(limit: Limits.headerNameLength),
                value: try reader.readString(limit: Limits.headerValueLength))
        }
        for (header, next) in zip(headers, headers.dropFirst()) where BranchSpec.isOrdered(next, header) {
            throw .invalidValue(offset: headersOffset, field: "order of headers")
        }
        self.init(
            id: id, canonicalTargets: targets, canonicalHeaders: headers,
            payload: try Payload(payloads, from: &reader))
    }

    var estimatedLength: Int {
        112 + self.payload.memory + self.targets.reduce(0) { $0 + $1.url.utf8.count + 5 }
            + self.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 8 }
    }
}

extension HistoryEvent {
    func encode(into writer: inout ByteWriter) {
        writer.write(self.time.rawValue)
        writer.write(self.index)
        writer.write(self.kind.rawValue)
        writer.writeOptional(self.branchID) { $0.write($1.rawValue) }
        writer.writeOptional(self.operation) { $0.write($1.rawValue) }
        writer.write(self.attempts)
        writer.writeOptional(self.detail) { $0.write($1) }
    }

    init(from reader: inout ByteReader) throws(ByteError) {
        self.time = try reader.readLogTime()
        self.index = try reader.read()
        self.kind = try reader.readRaw("event", Kind.init(rawValue:))
        self.branchID = try reader.readOptional("branch") { reader throws(ByteError) in try reader.readBranchID() }
        self.operation = try reader.readOptional("operation") { reader throws(ByteError) in
            try reader.readRaw("operation", Operation.init(rawValue:))
        }
        self.attempts = try reader.read()
        self.detail = try reader.readOptionalText("detail")
    }
}
