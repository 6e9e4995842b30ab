// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Raft
import RaftStore
import StateStore
import Transactions

extension StateBackup {
    /// What the log of a node that begins with it follows.
    var position: LogPosition {
        LogPosition(index: LogIndex(rawValue: self.appliedIndex), term: Term(rawValue: self.appliedTerm))
    }

    /// Puts it into a folder that is being made, as the applied state of the folder's node.
    func restore(
        to folder: String, as identity: StoreIdentity, _ kind: AuditRecord.Kind, certain: Certain? = nil
    ) throws(StoreError) {
        do throws(StateStoreError) {
            try self.restore(
                to: FilePath.join(folder, DataFolder.Names.state), as: StateIdentity(identity), kind, certain: certain)
        } catch {
            throw .notInitialised(path: folder, detail: error.description)
        }
    }
}

extension StateIdentity {
    init(_ identity: StoreIdentity) {
        self.init(
            clusterID: identity.clusterID.bytes, nodeID: identity.nodeID.rawValue,
            storageID: identity.storageID.rawValue)
    }
}
