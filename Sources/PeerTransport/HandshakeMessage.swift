// SPDX-License-Identifier: Apache-2.0

package import Bytes
import NIOCore
package import Raft

/// What two nodes say to each other before anything else.
package enum HandshakeMessage: Hashable, Sendable {
    /// The connecting node's ids, and the node that it wants to reach.
    case hello(PeerIdentity, target: NodeID)
    /// The accepting node's ids.
    case welcome(PeerIdentity)
    case refusal(Refusal)

    /// The first four bytes of every handshake message: "VDCT". A stranger's frame does not have them.
    package static let magic: UInt32 = 0x5443_4456
    /// The version of frames and handshake. It stands next in every hello, so that any two versions understand that they
    /// differ. What nodes say to each other later may change without it, by formats: see `FormatLevel`.
    package static let version: UInt16 = 4

    var kind: Frame.Kind {
        switch self {
        case .hello: .hello
        case .welcome: .welcome
        case .refusal: .refusal
        }
    }
}

/// Why a node does not talk to another: said to the refused side, so that both logs name the mistake.
package enum Refusal: Hashable, Sendable, CustomStringConvertible {
    case version(refuser: UInt16, refused: UInt16)
    /// The two nodes are of different clusters.
    case wrongCluster(refuser: ClusterID, refused: ClusterID)
    /// The refusing node has no such peer in its configuration; its own name is no peer either.
    case unknownNode(NodeID)
    /// The node's data folder is not the one that the refusing node knows: its disk was lost or exchanged.
    case wrongStorage(NodeID, expected: StorageID, given: StorageID)
    /// The node was a member once; by the refusing node's log it isn't at this index any more.
    case removed(NodeID, at: LogIndex)
    /// The address leads to another node than the one that was wanted.
    case notMe(wanted: NodeID, actual: NodeID)
    /// The node was restored from another backup than the refusing one, or only one of the two was.
    case otherBeginning(NodeID)
    /// The node's program doesn't know the format that the cluster uses.
    case outdated(NodeID, knows: FormatLevel, uses: FormatLevel)

    package var description: String {
        switch self {
        case .version(let refuser, let refused):
            "wrong protocol version: \(refused) meets \(refuser)"
        case .wrongCluster(let refuser, let refused):
            "wrong cluster: a node of \(Self.text(refused)) meets one of \(Self.text(refuser))"
        case .unknownNode(let node):
            "unknown node: \(node) is not a peer of the refusing node"
        case .wrongStorage(let node, let expected, let given):
            "wrong storage: \(node) comes with data folder \(Self.text(given)), known is \(Self.text(expected))"
        case .removed(let node, let index):
            "removed: \(node) is no member of the cluster any more (as of entry \(index))"
        case .notMe(let wanted, let actual):
            "not me: \(wanted) was wanted, this is \(actual)"
        case .otherBeginning(let node):
            "other beginning: \(node) began with other state than the refusing node; each machine must restore the same file"
        case .outdated(let node, let knows, let uses):
            "outdated: \(node) runs a program that knows formats up to \(knows), and the cluster uses format \(uses)"
        }
    }

    /// One word for the reason, so that log lines can be counted and limited by it.
    package var word: String {
        switch self {
        case .version: "version"
        case .wrongCluster: "wrong-cluster"
        case .unknownNode: "unknown-node"
        case .wrongStorage: "wrong-storage"
        case .removed: "removed"
        case .notMe: "not-me"
        case .otherBeginning: "other-beginning"
        case .outdated: "outdated"
        }
    }

    private static func text(_ cluster: ClusterID) -> String { self.hex(cluster.high) + self.hex(cluster.low) }
    private static func text(_ storage: StorageID) -> String { self.hex(storage.rawValue) }
    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Why the body of a handshake frame could not be read.
package enum HandshakeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The other side does not begin as a node of Verdict does.
    case magic(UInt32)
    /// The other side speaks another version of the protocol.
    case version(UInt16)
    case malformed(ByteError)
    /// A frame of this kind has no place in a handshake.
    case unexpectedKind(Frame.Kind)

    package var description: String {
        switch self {
        case .magic(let magic): "the other side is no node: it begins with \(String(magic, radix: 16))"
        case .version(let version): "the other side speaks version \(version), this node \(HandshakeMessage.version)"
        case .malformed(let error): "unreadable handshake: \(error)"
        case .unexpectedKind(let kind): "a frame of kind \(kind) has no place in a handshake"
        }
    }
}

extension HandshakeMessage {
    private enum RefusalTag: UInt8 {
        case version = 1
        case wrongCluster = 2
        case unknownNode = 3
        case wrongStorage = 4
        case notMe = 5
        case removed = 6
        case outdated = 7
        case otherBeginning = 8
    }

    package var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 128)
        writer.write(Self.magic)
        writer.write(Self.version)
        switch self {
        case .hello(let identity, let target):
            MessageCodec.encode(target, into: &writer)
            Self.encode(identity, into: &writer)
        case .welcome(let identity):
            Self.encode(identity, into: &writer)
        case .refusal(let refusal):
            Self.encode(refusal, into: &writer)
        }
        return writer.bytes
    }

    /// Reads the body of a handshake frame.
    package init(_ frame: Frame) throws(HandshakeError) {
        let read: HandshakeMessage?
        let magic: UInt32
        let version: UInt16
        do throws(ByteError) {
            var reader = ByteReader(Array(frame.body.readableBytesView))
            magic = try reader.read()
            version = try reader.read()
            read = magic == Self.magic ? try Self.read(frame.kind, version: version, from: &reader) : nil
        } catch {
            throw .malformed(error)
        }
        if let read {
            self = read
        } else if magic != Self.magic {
            throw .magic(magic)
        } else if version == Self.version {
            throw .unexpectedKind(frame.kind)
        } else {
            throw .version(version)
        }
    }

    /// Nil for what only a newer version could read, and for frames of other kinds.
    ///
    /// The refusal for a version is the same in all versions, so that the refused side can always say why.
    private static func read(
        _ kind: Frame.Kind, version: UInt16, from reader: inout ByteReader
    ) throws(ByteError) -> HandshakeMessage? {
        let message: HandshakeMessage
        switch kind {
        case .hello where version == self.version:
            let target = try MessageCodec.decodeNode(from: &reader)
            let identity = try self.decodeIdentity(from: &reader)
            message = .hello(identity, target: target)
            // A program of a later format may have more to say of itself.
            if identity.knows > .newest { return message }
        case .welcome where version == self.version:
            let identity = try self.decodeIdentity(from: &reader)
            message = .welcome(identity)
            if identity.knows > .newest { return message }
        case .refusal where version == self.version:
            message = .refusal(try self.decodeRefusal(from: &reader))
        case .refusal:
            guard let refusal = try? self.decodeRefusal(from: &reader), case .version = refusal else { return nil }
            message = .refusal(refusal)
        case .hello, .welcome, .message, .request, .reply, .ping, .pong:
            return nil
        }
        try reader.finish()
        return message
    }

    private static func encode(_ identity: PeerIdentity, into writer: inout ByteWriter) {
        MessageCodec.encode(identity.cluster, into: &writer)
        MessageCodec.encode(identity.node, into: &writer)
        writer.write(identity.storage.rawValue)
        writer.writeOptional(identity.listing) { $0.write($1.rawValue) }
        writer.writeOptional(identity.founding) { $0.write($1) }
        writer.write(identity.knows.rawValue)
        writer.write(identity.uses.rawValue)
    }

    private static func decodeIdentity(from reader: inout ByteReader) throws(ByteError) -> PeerIdentity {
        let cluster = try MessageCodec.decodeCluster(from: &reader)
        let node = try MessageCodec.decodeNode(from: &reader)
        let start = reader.offset
        let storage = StorageID(rawValue: try reader.read())
        // Nobody may be trusted on first use with an id that stands for "not known".
        guard storage != .unknown else { throw .invalidValue(offset: start, field: "storage id") }
        let listing = try reader.readOptional("listing") { reader throws(ByteError) in
            LogIndex(rawValue: try reader.read())
        }
        let founding = try reader.readOptional("founding") { reader throws(ByteError) in try reader.read(UInt64.self) }
        return PeerIdentity(
            cluster: cluster, node: node, storage: storage, listing: listing, founding: founding,
            knows: FormatLevel(rawValue: try reader.read()), uses: FormatLevel(rawValue: try reader.read()))
    }

    private static func encode(_ refusal: Refusal, into writer: inout ByteWriter) {
        switch refusal {
        case .version(let refuser, let refused):
            writer.write(RefusalTag.version.rawValue)
            writer.write(refuser)
            writer.write(refused)
        case .wrongCluster(let refuser, let refused):
            writer.write(RefusalTag.wrongCluster.rawValue)
            MessageCodec.encode(refuser, into: &writer)
            MessageCodec.encode(refused, into: &writer)
        case .unknownNode(let node):
            writer.write(RefusalTag.unknownNode.rawValue)
            MessageCodec.encode(node, into: &writer)
        case .wrongStorage(let node, let expected, let given):
            writer.write(RefusalTag.wrongStorage.rawValue)
            MessageCodec.encode(node, into: &writer)
            writer.write(expected.rawValue)
            writer.write(given.rawValue)
        case .removed(let node, let index):
            writer.write(RefusalTag.removed.rawValue)
            MessageCodec.encode(node, into: &writer)
            writer.write(index.rawValue)
        case .notMe(let wanted, let actual):
            writer.write(RefusalTag.notMe.rawValue)
            MessageCodec.encode(wanted, into: &writer)
            MessageCodec.encode(actual, into: &writer)
        case .otherBeginning(let node):
            writer.write(RefusalTag.otherBeginning.rawValue)
            MessageCodec.encode(node, into: &writer)
        case .outdated(let node, let knows, let uses):
            writer.write(RefusalTag.outdated.rawValue)
            MessageCodec.encode(node, into: &writer)
            writer.write(knows.rawValue)
            writer.write(uses.rawValue)
        }
    }

    private static func decodeRefusal(from reader: inout ByteReader) throws(ByteError) -> Refusal {
        let start = reader.offset
        guard let tag = RefusalTag(rawValue: try reader.read()) else {
            throw .invalidValue(offset: start, field: "refusal")
        }
        switch tag {
        case .version:
            return .version(refuser: try reader.read(), refused: try reader.read())
        case .wrongCluster:
            let refuser = try MessageCodec.decodeCluster(from: &reader)
            return .wrongCluster(refuser: refuser, refused: try MessageCodec.decodeCluster(from: &reader))
        case .unknownNode:
            return .unknownNode(try MessageCodec.decodeNode(from: &reader))
        case .wrongStorage:
            let node = try MessageCodec.decodeNode(from: &reader)
            let expected = StorageID(rawValue: try reader.read())
            return .wrongStorage(node, expected: expected, given: StorageID(rawValue: try reader.read()))
        case .removed:
            let node = try MessageCodec.decodeNode(from: &reader)
            return .removed(node, at: LogIndex(rawValue: try reader.read()))
        case .notMe:
            let wanted = try MessageCodec.decodeNode(from: &reader)
            return .notMe(wanted: wanted, actual: try MessageCodec.decodeNode(from: &reader))
        case .otherBeginning:
            return .otherBeginning(try MessageCodec.decodeNode(from: &reader))
        case .outdated:
            let node = try MessageCodec.decodeNode(from: &reader)
            let knows = FormatLevel(rawValue: try reader.read())
            return .outdated(node, knows: knows, uses: FormatLevel(rawValue: try reader.read()))
        }
    }
}
