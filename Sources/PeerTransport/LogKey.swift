// SPDX-License-Identifier: Apache-2.0

/// The names of the facts in the transport's log lines.
package enum LogKey {
    package static let peer = "peer.id"
    package static let address = "peer.address"
    package static let direction = "peer.direction"
    package static let reason = "peer.reason"
    /// The beginning of what a stranger sent, in hexadecimal.
    package static let firstBytes = "peer.first_bytes"
    /// How many lines of the same reason and address were left out before this one.
    package static let suppressed = "peer.suppressed"
    package static let storage = "peer.storage"
    package static let length = "peer.frame_length"
    package static let listenAddress = "peer.listen_address"
}
