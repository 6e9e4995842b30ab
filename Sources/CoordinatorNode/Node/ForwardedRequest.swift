// SPDX-License-Identifier: Apache-2.0

import Bytes
import Transactions

/// What a node asks another one on behalf of a client; it travels as a request of the peer transport.
enum ForwardedRequest: Sendable {
    /// Commit this. Asked of the leader.
    case command(Command)
    /// At which index is a read that arrives now linearizable? Asked of the leader.
    case readIndex
    /// How are you? Asked of any node.
    case status

    private enum Tag: UInt8 {
        case command = 1
        case readIndex = 2
        case status = 3
    }

    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 16)
        switch self {
        case .command(let command):
            writer.write(Tag.command.rawValue)
            writer.writeRaw(command.encoded())
        case .readIndex: writer.write(Tag.readIndex.rawValue)
        case .status: writer.write(Tag.status.rawValue)
        }
        return writer.bytes
    }

    init(decoding bytes: [UInt8]) throws(ByteError) {
        var reader = ByteReader(bytes)
        switch Tag(rawValue: try reader.read()) {
        case .command: self = .command(try Command(decoding: try reader.readRaw(reader.remaining)))
        case .readIndex: self = .readIndex
        case .status: self = .status
        case nil: throw .invalidValue(offset: 0, field: "request")
        }
        try reader.finish()
    }
}

/// The answer to a `ForwardedRequest`.
enum ForwardedReply: Sendable {
    /// The command was committed and applied.
    case committed(CommittedAnswer)
    case readIndex(UInt64)
    case status(Vitals)
    /// The node that was asked doesn't lead; the command is certainly not in its log.
    case notLeader
    /// The leader takes no more for now; the command is certainly not in its log.
    case overloaded
    /// The command was in a log and was cut off there; nobody knows whether it lives on in another one.
    case unknown

    private enum Tag: UInt8 {
        case committed = 1
        case readIndex = 2
        case status = 3
        case notLeader = 4
        case overloaded = 5
        case unknown = 6
    }

    /// The longest answer of a command, in bytes: far above any transaction's.
    private static let longestResult = 1 << 20

    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 64)
        switch self {
        case .committed(let answer):
            writer.write(Tag.committed.rawValue)
            writer.write(answer.term)
            writer.write(answer.index)
            writer.write(answer.result.encoded())
            writer.write(answer.transaction != nil)
            if let transaction = answer.transaction { writer.writeRaw(transaction.encoded()) }
        case .readIndex(let index):
            writer.write(Tag.readIndex.rawValue)
            writer.write(index)
        case .status(let vitals):
            writer.write(Tag.status.rawValue)
            vitals.encode(into: &writer)
        case .notLeader: writer.write(Tag.notLeader.rawValue)
        case .overloaded: writer.write(Tag.overloaded.rawValue)
        case .unknown: writer.write(Tag.unknown.rawValue)
        }
        return writer.bytes
    }

    init(decoding bytes: [UInt8]) throws(ByteError) {
        var reader = ByteReader(bytes)
        switch Tag(rawValue: try reader.read()) {
        case .committed:
            let term: UInt64 = try reader.read()
            let index: UInt64 = try reader.read()
            let result = try CommandResult(decoding: try reader.readBytes(limit: Self.longestResult))
            let hasTransaction = try reader.readBool("transaction")
            let transaction =
                hasTransaction ? try GlobalTransaction(decoding: try reader.readRaw(reader.remaining)) : nil
            self = .committed(CommittedAnswer(result: result, transaction: transaction, term: term, index: index))
        case .readIndex: self = .readIndex(try reader.read())
        case .status: self = .status(try Vitals(from: &reader))
        case .notLeader: self = .notLeader
        case .overloaded: self = .overloaded
        case .unknown: self = .unknown
        case nil: throw .invalidValue(offset: 0, field: "reply")
        }
        try reader.finish()
    }
}
