// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Testing

@Suite("What is wrong with a cluster.conf")
struct ProblemTests {
    /// A text in front of one good node, and the only problem that it has.
    static let alone: [(text: String, problem: String)] = [
        (
            "[calls]\nallow = 127.0.0.1:*, 127.0.0.1:7401",
            """
            cluster.conf:2: allow = 127.0.0.1:*, 127.0.0.1:7401: 127.0.0.1:7401 can't be allowed: \
            port 7401 there belongs to a node of this cluster; branches never call it
            """
        ),
        (
            "[calls]\nallow = localhost:7501",
            """
            cluster.conf:2: allow = localhost:7501: localhost:7501 can't be allowed: \
            port 7501 there belongs to a node of this cluster; branches never call it
            """
        ),
        (
            "[calls]\nallow = 169.254.169.254:80",
            """
            cluster.conf:2: allow = 169.254.169.254:80: 169.254.169.254:80 can't be allowed: \
            the metadata service of a cloud is never called
            """
        ),
        ("heartbeat = 1ms", "cluster.conf:1: heartbeat = 1ms: stands before the first [section]"),
        (
            "[timing]\nheartbeet = 1ms",
            "cluster.conf:2: heartbeet = 1ms: [timing] has no such key; did you mean heartbeat?"
        ),
        ("[timing]\nname = x", "cluster.conf:2: name = x: [timing] has no such key"),
        (
            "[timing]\nheartbeat = 9ms\nheartbeat = 8ms",
            "cluster.conf:3: heartbeat = 8ms: the key is there already, in line 2"
        ),
        ("[timing]\n[limits]\n[timing]", "cluster.conf:3: the section [timing] is there already, in line 1"),
        ("[timings]", "cluster.conf:1: there is no section [timings]; did you mean timing?"),
        ("[timing x]", "cluster.conf:1: there is no section [timing x]; did you mean timing?"),
        ("[something]", "cluster.conf:1: there is no section [something]"),
        ("[node]", "cluster.conf:1: a node needs a name: [node n1]"),
        ("[node N1]", "cluster.conf:1: [node N1]: a node's name is 1 to 32 of a-z, 0-9 and -"),
        ("[node n_1]", "cluster.conf:1: [node n_1]: a node's name is 1 to 32 of a-z, 0-9 and -"),
        (
            "[]",
            "cluster.conf:1: the line is no section: write [cluster], [timing], [limits], [calls] or [node NAME]"
        ),
        (
            "[timing",
            "cluster.conf:1: the line is no section: write [cluster], [timing], [limits], [calls] or [node NAME]"
        ),
        ("[timing]\nheartbeat", "cluster.conf:2: the line is neither a [section] nor a key = value"),
        ("[timing]\n= 5ms", "cluster.conf:2: the line has no key before its ="),
        ("[timing]\nheartbeat =", "cluster.conf:2: heartbeat = : has no value"),
        ("[timing]\nheartbeat = \"5ms\"", "cluster.conf:2: heartbeat = \"5ms\": must be written without quotes"),
        ("[timing]\nheart\u{1}beat = 5ms", "cluster.conf:2: the line holds a control character"),
        (
            "[timing]\nheartbeat = 30",
            "cluster.conf:2: heartbeat = 30: must be a whole number with a unit (ms, s, min or h), such as 250ms"
        ),
        (
            "[timing]\nheartbeat = 1.5s",
            "cluster.conf:2: heartbeat = 1.5s: must be a whole number with a unit (ms, s, min or h), such as 250ms"
        ),
        ("[timing]\nheartbeat = 0ms", "cluster.conf:2: heartbeat = 0ms: must be from 1ms to 10s"),
        ("[timing]\nheartbeat = 1h", "cluster.conf:2: heartbeat = 1h: must be from 1ms to 10s"),
        (
            "[timing]\nheartbeat = 200ms",
            "cluster.conf:2: heartbeat = 200ms: must be under half of election-timeout-min (150ms)"
        ),
        (
            "[timing]\nheartbeat = 75ms",
            "cluster.conf:2: heartbeat = 75ms: must be under half of election-timeout-min (150ms)"
        ),
        (
            "[timing]\nelection-timeout-min = 60ms",
            "cluster.conf:2: election-timeout-min = 60ms: must be over twice heartbeat (30ms)"
        ),
        (
            "[timing]\nelection-timeout-max = 150ms",
            "cluster.conf:2: election-timeout-max = 150ms: must be over election-timeout-min (150ms)"
        ),
        (
            "[timing]\nelection-timeout-min = 300ms",
            "cluster.conf:2: election-timeout-min = 300ms: must be under election-timeout-max (300ms)"
        ),
        (
            "[limits]\nmax-connections = 1000001",
            "cluster.conf:2: max-connections = 1000001: must be a whole number from 1 to 1000000"
        ),
        (
            "[limits]\nmax-connections = +2",
            "cluster.conf:2: max-connections = +2: must be a whole number from 1 to 1000000"
        ),
        (
            "[limits]\nmax-body = 1048576",
            "cluster.conf:2: max-body = 1048576: must be a whole number with a unit (B, KiB, MiB or GiB), such as 64KiB"
        ),
        ("[limits]\nmax-body = 17MiB", "cluster.conf:2: max-body = 17MiB: must be from 1KiB to 16MiB"),
        (
            "[limits]\nmax-body = 2MiB\nmax-uncommitted = 1MiB",
            "cluster.conf:2: max-body = 2MiB: must be at most max-uncommitted (1MiB)"
        ),
        ("[limits]\ncalls-in-flight = 5", "cluster.conf:2: calls-in-flight = 5: must be at least call-window (128)"),
        ("[limits]\ncall-window = 2000", "cluster.conf:2: call-window = 2000: must be at most calls-in-flight (1024)"),
        ("[calls]\nretry-base = 20s", "cluster.conf:2: retry-base = 20s: must be at most retry-cap (10s)"),
        ("[calls]\nretry-cap = 50ms", "cluster.conf:2: retry-cap = 50ms: must be at least retry-base (100ms)"),
        ("[calls]\nallow = a:1, a:1", "cluster.conf:2: allow = a:1, a:1: a:1 is listed twice"),
        (
            "[calls]\nallow = a:1, bank",
            "cluster.conf:2: allow = a:1, bank: “bank” is no target: write host:port, address/length:port or [ipv6/length]:port, where * stands for every port"
        ),
        (
            "[calls]\nallow = a:1,",
            "cluster.conf:2: allow = a:1,: “” is no target: write host:port, address/length:port or [ipv6/length]:port, where * stands for every port"
        ),
        ("[cluster]\nname = a b", "cluster.conf:2: name = a b: must be 1 to 64 letters, digits, '.', '_' or '-'"),
        ("[cluster]\nid = 12", "cluster.conf:2: id = 12: must be 32 hex digits, not all zero"),
        (
            "[cluster]\nid = 00000000000000000000000000000000",
            "cluster.conf:2: id = 00000000000000000000000000000000: must be 32 hex digits, not all zero"
        ),
        ("[cluster]\nallow-plain = yes", "cluster.conf:2: allow-plain = yes: must be true or false"),
    ]

    @Test("Each mistake is one problem with its line, key, value and rule", arguments: ProblemTests.alone)
    func one(text: String, problem: String) {
        #expect(Sample.problems(text + "\n" + Sample.node) == [problem])
    }

    /// A second node behind the good one, and the only problem that it has.
    static let second: [(node: String, problem: String)] = [
        (
            "[node n1]\nlog = l", "cluster.conf:5: the section [node n1] is there already, in line 1"
        ),
        (
            "[node n2]\npeer = 127.0.0.1:2\nclient = 127.0.0.1:3",
            "cluster.conf:5: data: [node n2] must have it"
        ),
        (
            "[node n2]\npeer = 127.0.0.1\nclient = 127.0.0.1:3\ndata = d",
            "cluster.conf:6: peer = 127.0.0.1: must be host:port with a port from 1 to 65535 (an IPv6 address in brackets)"
        ),
        (
            "[node n2]\npeer = 0.0.0.0:7502\nclient = 127.0.0.1:3\ndata = d",
            "cluster.conf:6: peer = 0.0.0.0:7502: must be an address that the others can connect to"
        ),
        (
            "[node n2]\npeer = 127.0.0.1:7501\nclient = 127.0.0.1:3\ndata = d",
            "cluster.conf:6: peer = 127.0.0.1:7501: is node.n1.peer already; every address serves one purpose"
        ),
        (
            "[node n2]\npeer = localhost:7401\nclient = 127.0.0.1:3\ndata = d",
            "cluster.conf:6: peer = localhost:7401: is node.n1.client already; every address serves one purpose"
        ),
        (
            "[node n2]\npeer = 127.0.0.1:2\nclient = 127.0.0.1:2\ndata = d",
            "cluster.conf:7: client = 127.0.0.1:2: is node.n2.peer already; every address serves one purpose"
        ),
        (
            "[node n2]\npeer = 127.0.0.1:2\nclient = 127.0.0.1:3\ndata = x/../data/./n1/",
            "cluster.conf:8: data = x/../data/./n1/: is the data folder of n1 already"
        ),
        (
            "[node n2]\npeer = 127.0.0.2:2\nclient = 127.0.0.1:3\ndata = data/n1/n2",
            "cluster.conf:8: data = data/n1/n2: and the data folder of n1 lie one inside the other"
        ),
        (
            "[node n2]\npeer = 127.0.0.1:2\nclient = 127.0.0.1:3\ndata = d\nwal-checkpoint = 1KiB",
            "cluster.conf:9: wal-checkpoint = 1KiB: must be from 256KiB to 64MiB"
        ),
        (
            "[node n2]\npeer = 127.0.0.1:2\nclient = 127.0.0.1:3\ndata = d\nport = 5",
            "cluster.conf:9: port = 5: [node n2] has no such key"
        ),
    ]

    @Test("Each mistake of a node is one problem", arguments: ProblemTests.second)
    func node(node: String, problem: String) {
        #expect(Sample.problems(Sample.node + "\n" + node) == [problem])
    }

    @Test("Nodes on different machines may have the same path of a data folder")
    func samePathElsewhere() throws {
        let text = """
            [cluster]
            allow-plain = true
            [node n1]
            peer = 10.0.0.1:7501
            client = 10.0.0.1:7401
            data = /var/lib/verdict
            [node n2]
            peer = 10.0.0.2:7501
            client = 10.0.0.2:7401
            data = /var/lib/verdict
            """
        #expect(try Sample.parse(text).nodes.count == 2)
        let plain = Sample.problems(text.replacing("allow-plain = true", with: "allow-plain = false"))
        #expect(plain.count == 4)
        #expect(plain.allSatisfy { $0.contains("set allow-plain = true in [cluster]") })
        #expect(plain.first?.hasPrefix("cluster.conf:4: peer = 10.0.0.1:7501: is no loopback address") == true)
    }

    @Test("A file without a node, an empty one and one that is too large are each one problem")
    func wholeFile() {
        let none = "cluster.conf: has no [node …] section; a cluster needs a node"
        #expect(Sample.problems("[timing]") == [none])
        #expect(Sample.problems("") == [none])
        let large = String(repeating: "#\n", count: 600_000)
        #expect(Sample.problems(large).first == "cluster.conf: is larger than 1 MiB: no configuration")
    }

    @Test("More than fifteen nodes are refused")
    func tooMany() {
        let text = (1...16).map {
            "[node n\($0)]\npeer = 127.0.0.1:\(7500 + $0)\nclient = 127.0.0.1:\(7400 + $0)\ndata = data/n\($0)\n"
        }.joined()
        #expect(Sample.problems(text) == ["cluster.conf: has 16 nodes; at most 15 are possible"])
    }

    @Test("Bytes that are no UTF-8 are a problem of their line alone")
    func invalidUTF8() throws {
        let bytes = Array("[timing]\nheartbeat = ".utf8) + [0xff, 0x0a] + Array(Sample.node.utf8)
        let problems = try #require(throws: ConfigurationProblems.self) {
            try ClusterConfiguration.parse(bytes, file: "cluster.conf")
        }
        #expect(problems.description == "cluster.conf:2: the line is not valid UTF-8")
    }

    @Test("All problems are reported together, in the order of the lines")
    func together() {
        let text = """
            [timing]
            heartbeat = 200ms
            bad line
            [limits]
            max-connections = 0
            [node n1]
            peer = nowhere
            """
        #expect(
            Sample.problems(text, environment: ["VERDICT_NODE_N2_PEER": "x:1"], flags: ["x.y=1"]) == [
                "cluster.conf:2: heartbeat = 200ms: must be under half of election-timeout-min (150ms)",
                "cluster.conf:3: the line is neither a [section] nor a key = value",
                "cluster.conf:5: max-connections = 0: must be a whole number from 1 to 1000000",
                "cluster.conf:6: client: [node n1] must have it",
                "cluster.conf:6: data: [node n1] must have it",
                "cluster.conf:7: peer = nowhere: must be host:port with a port from 1 to 65535 (an IPv6 address in brackets)",
                "VERDICT_NODE_N2_PEER: there is no such setting; did you mean VERDICT_NODE_N1_PEER?",
                "--set x.y=1: there is no such setting",
            ])
    }

    @Test("A value that is refused doesn't also break the rules between settings")
    func noEcho() {
        let text = "[timing]\nheartbeat = soon\nelection-timeout-min = 50ms\n" + Sample.node
        #expect(Sample.problems(text).count == 1)
        let plain = "[cluster]\nallow-plain = maybe\n" + Sample.node.replacing("127.0.0.1", with: "10.0.0.1")
        #expect(Sample.problems(plain).count == 1)
    }

    @Test("A bad value of the environment or a flag is shown with its own name")
    func overrides() {
        #expect(
            Sample.problems(Sample.node, environment: ["VERDICT_TIMING_HEARTBEAT": "200ms"]) == [
                "VERDICT_TIMING_HEARTBEAT: heartbeat = 200ms: must be under half of election-timeout-min (150ms)"
            ])
        #expect(
            Sample.problems(Sample.node, flags: ["timing.heartbeat=fast"]) == [
                "--set timing.heartbeat=fast: heartbeat = fast: must be a whole number with a unit (ms, s, min or h), such as 250ms"
            ])
        #expect(
            Sample.problems(Sample.node, flags: ["heartbeat"]) == [
                "--set heartbeat: write it as section.key=value, such as timing.heartbeat=50ms"
            ])
        #expect(
            Sample.problems(Sample.node, flags: ["timing.heartbeat=5ms", "timing.heartbeat=6ms"]) == [
                "--set timing.heartbeat=6ms: the setting is given twice"
            ])
        #expect(
            Sample.problems(Sample.node, environment: ["VERDICT_CLUSTER_NAME": ""]) == [
                "VERDICT_CLUSTER_NAME: name = : has no value"
            ])
        #expect(
            Sample.problems(Sample.node, environment: ["VERDICT_NODE_N1_DATA": "a\nb"]) == [
                "VERDICT_NODE_N1_DATA: data = a?b: holds a control character"
            ])
    }

    @Test("An unknown variable of our shape is a problem, and variables of other kinds are none")
    func unknownVariable() {
        #expect(
            Sample.problems(Sample.node, environment: ["VERDICT_TIMING_HEARTBEET": "5ms"]) == [
                "VERDICT_TIMING_HEARTBEET: there is no such setting; did you mean VERDICT_TIMING_HEARTBEAT?"
            ])
        let others = [
            "VERDICT_ONLY": "x", "VERDICT_DOCS": "1", "VERDICT_PLANTED_BUGS": "1", "VERDICT_CONFIG": "x",
            "VERDICT_LOG_LEVEL": "debug", "VERDICT": "x", "OTHER_TIMING_HEARTBEAT": "x",
        ]
        #expect(Sample.problems(Sample.node, environment: others) == [])
    }

    @Test("A problem stays one short line, whatever the file holds")
    func shortened() {
        let long = String(repeating: "x", count: 100_000)
        for text in ["[timing]\n\(long) = \(long)", "[\(long)]", "[node \(long)]", "[calls]\nallow = \(long)"] {
            for problem in Sample.problems(text + "\n" + Sample.node) { #expect(problem.count < 500) }
        }
    }
}
