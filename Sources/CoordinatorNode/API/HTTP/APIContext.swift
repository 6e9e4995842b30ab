// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
package import Hummingbird
import NIOCore

/// What the server tells an adapter of a request besides the request. Routing is by the adapters' own tables.
package struct APIContext: InitializableFromSource {
    /// The client runs on the node's own machine.
    let isLocal: Bool

    package init(source: ApplicationRequestContextSource) {
        guard let client = source.channel.remoteAddress.flatMap({ ResolvedAddress($0) }) else {
            self.isLocal = false
            return
        }
        self.isLocal = client.isLoopback || client == source.channel.localAddress.flatMap { ResolvedAddress($0) }
    }
}
