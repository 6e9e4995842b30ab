// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration

extension ClusterConfiguration {
    /// The allow list with the cluster's own addresses in it, which are never called.
    func targets(on machine: Machine) -> AllowList {
        var list = self.calls.allow
        list.ownEndpoints.formUnion(self.nodes.flatMap { [$0.peer, $0.client] })
        list.ownAddresses.formUnion(self.ownAddresses(on: machine))
        return list
    }
}
