// SPDX-License-Identifier: Apache-2.0

import Bytes
import ClusterConfiguration
import Raft
import RaftStore
import StrictJSON
import Transactions

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// What libFuzzer feeds: one parser for each name. A parser must end in a value or in an error, whatever the bytes; and what it
/// takes must come out again as the same bytes, where there is one way to write it.
enum FuzzTarget: String, CaseIterable {
    case message, entries, membership, commands, transaction, notes, json, configuration, wal
    case hardState = "hard-state"

    /// The one that `VERDICT_FUZZ_TARGET` names.
    static let chosen: FuzzTarget = {
        let name = getenv("VERDICT_FUZZ_TARGET").map { String(cString: $0) } ?? ""
        guard let target = FuzzTarget(rawValue: name) else {
            fatalError("VERDICT_FUZZ_TARGET is '\(name)', not one of \(FuzzTarget.allCases.map(\.rawValue))")
        }
        return target
    }()

    func take(_ bytes: [UInt8]) {
        switch self {
        case .message:
            guard let (header, message) = try? MessageCodec.decode(bytes) else { return }
            precondition(MessageCodec.encode(message, header: header) == bytes, "a message is written otherwise")
        case .entries:
            guard let entries = try? EntryCodec.decode(bytes) else { return }
            precondition(EntryCodec.encode(entries) == bytes, "entries are written otherwise")
        case .membership:
            guard let membership = try? MembershipCodec.decode(bytes) else { return }
            let again = try? MembershipCodec.decode(MembershipCodec.encode(membership))
            precondition(again == membership, "a membership is read otherwise")
        case .commands:
            guard let batch = try? CommandBatch(decoding: bytes) else { return }
            precondition((try? CommandBatch(decoding: batch.encoded())) == batch, "commands are read otherwise")
        case .transaction:
            guard let transaction = try? GlobalTransaction(decoding: bytes) else { return }
            precondition(
                (try? GlobalTransaction(decoding: transaction.encoded())) == transaction,
                "a transaction is read otherwise")
        case .notes:
            guard let notes = try? ClusterNotes(decoding: bytes) else { return }
            precondition((try? ClusterNotes(decoding: notes.encoded())) == notes, "notes are read otherwise")
        case .json: _ = try? JSONDocument(bytes)
        case .configuration:
            _ = try? ClusterConfiguration.parse(bytes, file: "cluster.conf", folder: "/", environment: [:], flags: [])
        case .wal: _ = try? WALInspection(bytes)
        case .hardState:
            guard let record = HardStateRecord.decode(bytes) else { return }
            precondition(record.encoded() == bytes, "a hard state is written otherwise")
        }
    }
}

/// libFuzzer's way in.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzTarget.chosen.take(Array(UnsafeBufferPointer(start: data, count: count)))
    return 0
}
