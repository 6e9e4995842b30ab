// SPDX-License-Identifier: Apache-2.0

/// Whose state a file holds. A file of another node, cluster or life of a data folder is never believed.
package struct StateIdentity: Hashable, Sendable, CustomStringConvertible {
    /// The cluster's random id: 16 bytes.
    package let clusterID: [UInt8]
    package let nodeID: String
    /// Random bits of this life of the data folder.
    package let storageID: UInt64

    package init(clusterID: [UInt8], nodeID: String, storageID: UInt64) {
        self.clusterID = clusterID
        self.nodeID = nodeID
        self.storageID = storageID
    }

    package var description: String {
        let cluster = self.clusterID.map { hexadecimal(UInt64($0), digits: 2) }.joined()
        return "node \(self.nodeID) of cluster \(cluster), storage \(hexadecimal(self.storageID, digits: 16))"
    }
}

private func hexadecimal(_ value: UInt64, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}
