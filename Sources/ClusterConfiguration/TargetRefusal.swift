// SPDX-License-Identifier: Apache-2.0

/// Why a branch call may not go to a target. The description is for the one who sent the URL.
package enum TargetRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// No entry of the allow list covers it.
    case notListed(host: String, port: Int)
    /// The text is neither a host name nor an address in its usual form.
    case invalidHost(String)
    /// Not 1…65535.
    case invalidPort(Int)
    /// A node of this cluster listens there.
    case ownPort(Int)
    case unspecified
    case linkLocal
    case metadataService
    /// Multicast, broadcast or reserved.
    case notAHost

    package var description: String {
        switch self {
        case .notListed(let host, let port):
            "\(host), port \(port), is not among the allowed targets ([calls] allow in cluster.conf)"
        case .invalidHost(let text):
            "“\(text.prefix(80))” is neither a host name nor an address (write IPv4 as four decimal numbers)"
        case .invalidPort(let port): "\(port) is not a port (1 to 65535)"
        case .ownPort(let port): "port \(port) there belongs to a node of this cluster; branches never call it"
        case .unspecified: "an unspecified address is never called"
        case .linkLocal: "link-local addresses are never called"
        case .metadataService: "the metadata service of a cloud is never called"
        case .notAHost: "multicast, broadcast and reserved addresses are never called"
        }
    }
}
