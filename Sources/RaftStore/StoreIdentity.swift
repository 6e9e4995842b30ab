// SPDX-License-Identifier: Apache-2.0

internal import Bytes
package import Raft

/// Whose data folder it is.
package struct StoreIdentity: Hashable, Sendable {
    package let clusterID: ClusterID
    package let nodeID: NodeID
    /// This life of the folder.
    package let storageID: StorageID

    package init(clusterID: ClusterID, nodeID: NodeID, storageID: StorageID) {
        self.clusterID = clusterID
        self.nodeID = nodeID
        self.storageID = storageID
    }

    /// For people: which node of which cluster.
    package var name: String { Self.name(nodeID: self.nodeID, clusterID: self.clusterID) }

    static func name(nodeID: NodeID, clusterID: ClusterID?) -> String {
        guard let clusterID else { return "node \(nodeID.rawValue)" }
        return "node \(nodeID.rawValue) of cluster \(clusterID.hex)"
    }

    /// Bytes of the encoding: it has always the same length, so that a record of it stays in its place.
    static let encodedLength = 16 + 8 + NodeID.fieldLength

    func encode(into writer: inout ByteWriter) {
        writer.write(self.clusterID.high)
        writer.write(self.clusterID.low)
        writer.write(self.storageID.rawValue)
        self.nodeID.encodeField(into: &writer)
    }

    static func decode(from reader: inout ByteReader) throws(ByteError) -> StoreIdentity {
        let clusterID = ClusterID(high: try reader.read(), low: try reader.read())
        let storageID = StorageID(rawValue: try reader.read())
        guard let nodeID = try NodeID.decodeField(from: &reader) else {
            throw .invalidValue(offset: reader.offset, field: "node id")
        }
        return StoreIdentity(clusterID: clusterID, nodeID: nodeID, storageID: storageID)
    }
}

extension StorageID {
    /// A fresh one for a new data folder.
    package static func random() -> StorageID { StorageID(rawValue: .random(in: 1 ... .max)) }
}

extension ClusterID {
    /// 32 hexadecimal digits.
    package var hex: String {
        [self.high, self.low].map { half in
            let digits = String(half, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

extension NodeID {
    /// Bytes of a node id in a record of fixed length: its length, then its text, then zeros.
    static let fieldLength = 1 + NodeID.maximumLength

    func encodeField(into writer: inout ByteWriter) { Self.encodeField(self, into: &writer) }

    /// No node at all is a length of zero.
    static func encodeField(_ nodeID: NodeID?, into writer: inout ByteWriter) {
        let text = Array((nodeID?.rawValue ?? "").utf8.prefix(self.maximumLength))
        writer.write(UInt8(text.count))
        writer.writeRaw(text)
        writer.writeRaw([UInt8](repeating: 0, count: self.maximumLength - text.count))
    }

    static func decodeField(from reader: inout ByteReader) throws(ByteError) -> NodeID? {
        let start = reader.offset
        let length = Int(try reader.read(UInt8.self))
        guard length <= self.maximumLength else {
            throw .tooLong(offset: start, length: length, limit: self.maximumLength)
        }
        let field = try reader.readRaw(self.maximumLength)
        guard let text = String(validating: field.prefix(length), as: UTF8.self) else {
            throw .invalidText(offset: start)
        }
        return text.isEmpty ? nil : NodeID(rawValue: text)
    }
}
