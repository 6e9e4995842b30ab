// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Testing

/// What a test says about a configuration: its text, and what may override it.
struct Sample {
    static let node = """
        [node n1]
        peer = 127.0.0.1:7501
        client = 127.0.0.1:7401
        data = data/n1
        """

    static func parse(
        _ text: String, environment: [String: String] = [:], flags: [String] = [], folder: String = "/etc/verdict"
    ) throws -> ClusterConfiguration {
        try ClusterConfiguration.parse(
            Array(text.utf8), file: "cluster.conf", folder: folder, environment: environment, flags: flags)
    }

    /// The problems as text, one each; empty if there are none.
    static func problems(
        _ text: String, environment: [String: String] = [:], flags: [String] = []
    ) -> [String] {
        do {
            _ = try ClusterConfiguration.parse(
                Array(text.utf8), file: "cluster.conf", environment: environment, flags: flags)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }
}

@Suite("Reading cluster.conf")
struct ParsingTests {
    @Test("A value counts in this order: flag, environment, file, default")
    func precedence() throws {
        let text = "[timing]\nheartbeat = 20ms\nleader-wait = 1s\nstop-grace = 2s\n" + Sample.node
        let environment = ["VERDICT_TIMING_LEADER_WAIT": "4s", "VERDICT_TIMING_STOP_GRACE": "5s", "PATH": "/bin"]
        let configuration = try Sample.parse(text, environment: environment, flags: ["timing.stop-grace=6s"])
        #expect(configuration.timing.heartbeat == .milliseconds(20))
        #expect(configuration.timing.leaderWait == .seconds(4))
        #expect(configuration.timing.stopGrace == .seconds(6))
    }

    @Test("A node's settings are overridden by its name")
    func nodeOverrides() throws {
        let text = Sample.node.replacing("[node n1]", with: "[node east-1]")
        let configuration = try Sample.parse(
            text, environment: ["VERDICT_NODE_EAST_1_PEER": "127.0.0.1:9001", "VERDICT_NODE_EAST_1_DATA": "elsewhere"],
            flags: ["node.east-1.data=/absolute/./path"])
        #expect(configuration.nodes.first?.peer.description == "127.0.0.1:9001")
        #expect(configuration.nodes.first?.data == "/absolute/path")
    }

    @Test("Comments, blank lines, spaces, tabs, carriage returns and a byte order mark change nothing")
    func layout() throws {
        let plain = try Sample.parse("[timing]\nheartbeat = 20ms\n" + Sample.node)
        let text = "\u{FEFF}# first\r\n\r\n\t[timing]   # note\r\n  heartbeat=20ms\t# why\r\n"
        let laidOut = try Sample.parse(text + Sample.node.replacing("\n", with: "\r\n\t"))
        #expect(laidOut == plain)
    }

    @Test("A # inside a value belongs to it")
    func hash() throws {
        let configuration = try Sample.parse(Sample.node.replacing("data/n1", with: "data/n#1 # note"))
        #expect(configuration.nodes.first?.data == "/etc/verdict/data/n#1")
    }

    @Test("Paths are relative to the file, and the log lies in the data folder unless it is named")
    func paths() throws {
        let configuration = try Sample.parse(
            Sample.node.replacing("data/n1", with: "../data//n1/") + "\nlog = log/n1.log")
        #expect(configuration.nodes.first?.data == "/etc/data/n1")
        #expect(configuration.nodes.first?.log == "/etc/verdict/log/n1.log")
        let other = try Sample.parse(Sample.node, folder: "")
        #expect(other.nodes.first?.log == "data/n1/verdictd.log")
    }

    @Test("Every key of every section reaches its own value")
    func everyKey() throws {
        let text = """
            [cluster]
            name = east
            id = 00000000000000010000000000000002
            allow-plain = true
            [timing]
            heartbeat = 10ms
            election-timeout-min = 100ms
            election-timeout-max = 200ms
            leader-wait = 4s
            stop-grace = 5s
            [limits]
            max-body = 2MiB
            max-connections = 6
            max-live-transactions = 7
            max-live-bytes = 9MiB
            max-live-payload = 11MiB
            max-uncommitted = 8MiB
            retained-log = 3MiB
            max-waiting-requests = 9
            call-window = 10
            calls-in-flight = 11
            [calls]
            allow = bank.example:80 ,10.0.0.0/8:*
            call-timeout = 12s
            retry-base = 13ms
            retry-cap = 14s
            max-answer = 15KiB
            [node n1]
            peer = n1.example:1
            client = [fd00::1]:2
            data = /d
            log = /l
            wal-checkpoint = 16MiB
            """
        let configuration = try Sample.parse(text)
        #expect(configuration.cluster.name == "east")
        #expect(configuration.cluster.id == ClusterIdentifier(high: 1, low: 2))
        #expect(configuration.cluster.allowsPlain)
        let timing = configuration.timing
        #expect(timing.heartbeat == .milliseconds(10))
        #expect(timing.electionTimeoutMinimum == .milliseconds(100))
        #expect(timing.electionTimeoutMaximum == .milliseconds(200))
        #expect(timing.leaderWait == .seconds(4))
        #expect(timing.stopGrace == .seconds(5))
        let limits = configuration.limits
        #expect(limits.maximumBody == 2 << 20)
        #expect(limits.maximumConnections == 6)
        #expect(limits.maximumLiveTransactions == 7)
        #expect(limits.maximumLiveBytes == 9 << 20)
        #expect(limits.maximumLivePayload == 11 << 20)
        #expect(limits.maximumUncommitted == 8 << 20)
        #expect(limits.retainedLog == 3 << 20)
        #expect(limits.maximumWaitingRequests == 9)
        #expect(limits.callWindow == 10)
        #expect(limits.callsInFlight == 11)
        let calls = configuration.calls
        #expect(calls.allow.entries.map(\.description) == ["bank.example:80", "10.0.0.0/8:*"])
        #expect(calls.timeout == .seconds(12))
        #expect(calls.retryBase == .milliseconds(13))
        #expect(calls.retryCap == .seconds(14))
        #expect(calls.maximumAnswer == 15 << 10)
        let expected = ClusterConfiguration.Node(
            id: "n1", peer: try #require(Endpoint("n1.example:1")), client: try #require(Endpoint("[fd00::1]:2")),
            data: "/d", log: "/l", walCheckpoint: 16 << 20)
        #expect(configuration.nodes == [expected])
        #expect(calls.allow.ownEndpoints == [expected.peer, expected.client])
    }

    @Test("Checkpoint bounds differ from node to node, from 1 MiB to 4 MiB")
    func checkpointBounds() {
        for count in 1...ClusterConfiguration.maximumNodes {
            let bounds = (0..<count).map { ClusterConfiguration.Node.defaultWALCheckpoint(position: $0, of: count) }
            #expect(Set(bounds).count == count)
            #expect(bounds.allSatisfy { (1 << 20...4 << 20).contains($0) && $0.isMultiple(of: 4096) })
        }
    }

    @Test("An even number of nodes and a single one are allowed with a warning")
    func warnings() throws {
        func nodes(_ count: Int) -> String {
            (1...count).map {
                "[node n\($0)]\npeer = 127.0.0.1:\(7500 + $0)\nclient = 127.0.0.1:\(7400 + $0)\ndata = data/n\($0)\n"
            }.joined()
        }
        #expect(try Sample.parse(nodes(1)).warnings == [.singleNode])
        #expect(try Sample.parse(nodes(2)).warnings == [.evenNodeCount(2)])
        #expect(try Sample.parse(nodes(3)).warnings == [])
        #expect(try Sample.parse(nodes(4)).warnings == [.evenNodeCount(4)])
        let four = ConfigurationWarning.evenNodeCount(4)
        #expect("\(four)" == "4 nodes survive the loss of 1, as 3 nodes do; an odd number of nodes is better")
    }

    @Test("The file is the flag's, else VERDICT_CONFIG's, else cluster.conf")
    func whichFile() {
        #expect(ClusterConfiguration.path(flag: "a", environment: ["VERDICT_CONFIG": "b"]) == "a")
        #expect(ClusterConfiguration.path(flag: nil, environment: ["VERDICT_CONFIG": "b"]) == "b")
        #expect(ClusterConfiguration.path(flag: nil, environment: ["VERDICT_CONFIG": ""]) == "cluster.conf")
        #expect(ClusterConfiguration.path(flag: nil, environment: [:]) == "cluster.conf")
    }
}
