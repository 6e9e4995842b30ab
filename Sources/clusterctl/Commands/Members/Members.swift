// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import CoordinatorClient

/// Who takes part in the cluster.
struct Members: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show who takes part in the cluster, and change it while the cluster serves.",
        discussion: """
            The cluster's own log says who takes part; the file says where nodes of this machine live. A new node joins as a
            learner, which gets the log and has no vote, and becomes a voter once it has caught up.

            EXAMPLES
              clusterctl members list
              clusterctl members add n4                            on the machine of n4; the file has [node n4]
              clusterctl members add n4 --join 10.0.0.1:7401       its file needn't know the others
              clusterctl members remove n1
              clusterctl members replace n3                        its disk was lost
            """,
        subcommands: [List.self, Add.self, Promote.self, Remove.self, Replace.self, GoBack.self])

    struct List: ClusterCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show every member, as the leader's log says.",
            discussion: """
                EXAMPLES
                  clusterctl members list
                  clusterctl members list --join 10.0.0.1:7401
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var cluster: MembersOptions

        func run() async throws {
            let desk = try MembersDesk(self.common, self.cluster)
            let members = try await desk.withClient { client throws(CommandFailure) in try await desk.members(client) }
            try desk.show(members)
        }
    }

    struct Promote: ClusterCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a learner a voter, once its log has caught up.",
            discussion: """
                EXAMPLES
                  clusterctl members promote n4
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var cluster: MembersOptions
        @Argument(help: "The learner.") var node: String

        func run() async throws {
            let desk = try MembersDesk(self.common, self.cluster)
            try desk.show(
                try await desk.withClient { client throws(CommandFailure) in try await desk.promote(self.node, client) }
            )
        }
    }

    struct Remove: ClusterCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a node take part no longer, alive or not. It stops by itself.",
            discussion: """
                Its data folder stays, and can be deleted. The leader may be removed too: another node leads then.

                EXAMPLES
                  clusterctl members remove n1
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var cluster: MembersOptions
        @Argument(help: "The member.") var node: String

        func run() async throws {
            let desk = try MembersDesk(self.common, self.cluster)
            let members = try await desk.withClient { client throws(CommandFailure) in
                try await desk.remove(self.node, client)
            }
            if let local = desk.context.configuration.node(self.node) { await desk.waitForEnd(of: local) }
            try desk.show(members)
            self.common.output.note(
                "Take [node \(self.node)] out of the configuration files, so that no client asks it any more.")
        }
    }

    struct GoBack: ClusterCommand {
        static let configuration = CommandConfiguration(
            commandName: "go-back",
            abstract: "Take back a change that isn't over yet, while the old and the new majority live.",
            discussion: """
                EXAMPLES
                  clusterctl members go-back
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var cluster: MembersOptions

        func run() async throws {
            let desk = try MembersDesk(self.common, self.cluster)
            try desk.show(
                try await desk.withClient { client throws(CommandFailure) in
                    guard try await !desk.members(client).settled else {
                        throw CommandFailure(.usage, "no change is under way; nothing was changed")
                    }
                    return try await desk.change(.goBack, client) { $0.settled }
                })
        }
    }
}

/// What the commands about members have in common.
struct MembersOptions: ParsableArguments {
    @Option(name: .long, help: "Where a node of the cluster serves its clients, host:port, if the file doesn't say.")
    var join: String?

    @Option(duration: "How long the change, and a learner's way to the end of the log, may take.")
    var timeout = DurationArgument(.seconds(60))
}
