// SPDX-License-Identifier: Apache-2.0

/// What `cluster.conf`, the environment and the flags say, checked. Every node of a cluster reads the same file.
package struct ClusterConfiguration: Hashable, Sendable {
    package var cluster = Cluster()
    package var timing = Timing()
    package var limits = Limits()
    package var calls = Calls()
    /// In the order of the file; never empty.
    package var nodes: [Node] = []
    /// What is allowed but better otherwise; for the one who starts the cluster to read.
    package var warnings: [ConfigurationWarning] = []

    package init() {}

    package func node(_ id: String) -> Node? { self.nodes.first { $0.id == id } }

    /// `[cluster]`
    package struct Cluster: Hashable, Sendable {
        /// A name for people, 1…64 letters, digits, `.`, `_` and `-`. Default `verdict`.
        package var name = "verdict"
        /// The cluster's identity, drawn by `clusterctl init` unless the file gives it. Needed when the nodes are
        /// initialised on different machines.
        package var id: ClusterIdentifier?
        /// Allows nodes to talk unencrypted outside of one machine. Default false.
        package var allowsPlain = false
        package init() {}
    }

    /// `[timing]`
    package struct Timing: Hashable, Sendable {
        /// Time between the messages of an idle leader. Default 30 ms. At half of the shortest election timeout or more,
        /// followers would stand for election below a healthy leader.
        package var heartbeat: Duration = .milliseconds(30)
        /// A follower draws its election timeout from this to `electionTimeoutMaximum` (Raft paper, section 9.3).
        /// Default 150 ms.
        package var electionTimeoutMinimum: Duration = .milliseconds(150)
        /// Default 300 ms. Too near to the minimum: votes split.
        package var electionTimeoutMaximum: Duration = .milliseconds(300)
        /// How long a request waits while there is no leader, before it is refused. Default 3 s.
        package var leaderWait: Duration = .seconds(3)
        /// How long a stopping node finishes what it has begun. Default 10 s.
        package var stopGrace: Duration = .seconds(10)
        package init() {}
    }

    /// `[limits]`, each for one node.
    package struct Limits: Hashable, Sendable {
        /// The body of a request, in bytes. Default 1 MiB.
        package var maximumBody = 1 << 20
        /// Open connections of clients. Default 4,096.
        package var maximumConnections = 4_096
        /// Transactions that are not finished. Default 100,000.
        package var maximumLiveTransactions = 100_000
        /// Bytes in memory of transactions that are not finished; longer payloads leave it with the next checkpoint. Default
        /// 256 MiB; more are refused with 429.
        package var maximumLiveBytes = 256 << 20
        /// Bytes of their payloads, in memory or on the disk. Default 4 GiB; more are refused with 429.
        package var maximumLivePayload = 4 << 30
        /// Bytes that may stand in a leader's log without being committed. Default 64 MiB.
        package var maximumUncommitted = 64 << 20
        /// Bytes of applied entries that stay in the log for followers that were away for a moment. Default 16 MiB.
        package var retainedLog = 16 << 20
        /// Requests that wait for an answer of the cluster. Default 10,000; more are refused with 429.
        package var maximumWaitingRequests = 10_000
        /// Branch calls under way to one target (host and port). Default 128.
        package var callWindow = 128
        /// Branch calls under way in all. Default 1,024.
        package var callsInFlight = 1_024
        package init() {}
    }

    /// `[calls]`: calls to participants.
    package struct Calls: Hashable, Sendable {
        /// Where they may go. Default: loopback addresses, any port but the cluster's own.
        package var allow = AllowList(entries: Calls.defaultEntries)
        /// One call, from connecting to the end of the answer. Default 10 s.
        package var timeout: Duration = .seconds(10)
        /// The wait before the first retry; doubled each time, with jitter. Default 100 ms.
        package var retryBase: Duration = .milliseconds(100)
        /// The longest wait between two retries. Default 10 s.
        package var retryCap: Duration = .seconds(10)
        /// Bytes of an answer that are read; the rest is cut off. Default 64 KiB.
        package var maximumAnswer = 64 << 10
        package init() {}

        static let defaultEntries: [AllowEntry] = [
            AllowEntry(
                hosts: .addresses(prefix: ResolvedAddress(127, 0, 0, 1), length: 32), port: nil),
            ResolvedAddress(text: "::1").map { AllowEntry(hosts: .addresses(prefix: $0, length: 128), port: nil) },
            AllowEntry(hosts: .name("localhost"), port: nil),
        ].compactMap(\.self)
    }

    /// `[node NAME]`
    package struct Node: Hashable, Sendable {
        /// 1…32 of `[a-z0-9-]`. Never changes while the node is a member; its addresses may.
        package var id: String
        /// Where the other nodes reach it.
        package var peer: Endpoint
        /// Where clients reach it.
        package var client: Endpoint
        /// Its data folder. An absolute path if the file's own folder was given as one.
        package var data: String
        /// Its log file. Default `verdictd.log` in the data folder.
        package var log: String
        /// Bytes of write-ahead log at which the node checkpoints even when it is busy. Differs from node to node by
        /// default, so that they don't stall together.
        package var walCheckpoint: Int

        package init(id: String, peer: Endpoint, client: Endpoint, data: String, log: String, walCheckpoint: Int) {
            self.id = id
            self.peer = peer
            self.client = client
            self.data = data
            self.log = log
            self.walCheckpoint = walCheckpoint
        }

        /// The bound of the node at a position: spread evenly from 1 MiB (a checkpoint of 4 ms) to 4 MiB (10 ms), in whole
        /// pages of 4 KiB.
        package static func defaultWALCheckpoint(position: Int, of count: Int) -> Int {
            guard count > 1 else { return 1 << 20 }
            let spread = (3 << 20) * position / (count - 1)
            return (1 << 20) + spread / 4096 * 4096
        }
    }

    /// The most nodes that a cluster may have.
    package static let maximumNodes = 15
}

/// Something that works but that its operator should know.
package enum ConfigurationWarning: Hashable, Sendable, CustomStringConvertible {
    /// An even number of nodes survives no more losses than one node less.
    case evenNodeCount(Int)
    /// One node survives no loss at all.
    case singleNode

    package var description: String {
        switch self {
        case .evenNodeCount(let count):
            """
            \(count) nodes survive the loss of \((count - 1) / 2), as \(count - 1) nodes do; \
            an odd number of nodes is better
            """
        case .singleNode: "one node alone survives no loss; three nodes survive the loss of one"
        }
    }
}
