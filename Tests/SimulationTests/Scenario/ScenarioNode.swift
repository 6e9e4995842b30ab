// SPDX-License-Identifier: Apache-2.0

import Raft
import Simulation

/// A node of a scripted cluster: the production core, the simulator's disk, and a clock of its own.
struct ScenarioNode {
    let configuration: RaftConfiguration
    /// Nil while the process is down.
    var core: RaftCore?
    var disk = ModelledDisk()
    /// Who takes part, as its core said last.
    var membership: Membership?
    /// Nanoseconds.
    var clock: UInt64 = 0
    /// The disk takes nothing until the script says so.
    var isDiskHeld = false
    /// What waits for a turn of its own.
    var inbox: [RaftInput] = []
    var isGathering = false
    var appliedIndex = LogIndex.zero

    var id: NodeID { self.configuration.nodeID }
}

/// A message that is on its way.
struct ScenarioMessage {
    let sender: NodeID
    let receiver: NodeID
    let message: Message
}
