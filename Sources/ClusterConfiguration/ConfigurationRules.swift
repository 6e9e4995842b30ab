// SPDX-License-Identifier: Apache-2.0

/// Rules between settings. One side of a rule may stand in the file and the other be a default: the problem is shown where
/// somebody gave a value.
extension ConfigurationReader {
    mutating func checkRules(_ configuration: ClusterConfiguration) {
        self.checkTiming(configuration.timing)
        self.checkCalls(configuration.calls, configuration.limits)
        self.checkAllow(configuration.calls.allow)
        self.checkNodes(configuration.nodes)
        self.checkPlain(configuration)
    }

    private mutating func checkTiming(_ timing: ClusterConfiguration.Timing) {
        func text(_ duration: Duration) -> String { DurationText.format(duration) }
        let heartbeat = SettingPath(section: .timing, key: "heartbeat")
        let minimum = SettingPath(section: .timing, key: "election-timeout-min")
        let maximum = SettingPath(section: .timing, key: "election-timeout-max")
        if timing.heartbeat * 2 >= timing.electionTimeoutMinimum {
            self.complain([
                (heartbeat, "must be under half of election-timeout-min (\(text(timing.electionTimeoutMinimum)))"),
                (minimum, "must be over twice heartbeat (\(text(timing.heartbeat)))"),
            ])
        }
        if timing.electionTimeoutMaximum <= timing.electionTimeoutMinimum {
            self.complain([
                (maximum, "must be over election-timeout-min (\(text(timing.electionTimeoutMinimum)))"),
                (minimum, "must be under election-timeout-max (\(text(timing.electionTimeoutMaximum)))"),
            ])
        }
    }

    private mutating func checkCalls(_ calls: ClusterConfiguration.Calls, _ limits: ClusterConfiguration.Limits) {
        let base = SettingPath(section: .calls, key: "retry-base")
        let cap = SettingPath(section: .calls, key: "retry-cap")
        if calls.retryBase > calls.retryCap {
            self.complain([
                (base, "must be at most retry-cap (\(DurationText.format(calls.retryCap)))"),
                (cap, "must be at least retry-base (\(DurationText.format(calls.retryBase)))"),
            ])
        }
        let window = SettingPath(section: .limits, key: "call-window")
        let total = SettingPath(section: .limits, key: "calls-in-flight")
        if limits.callWindow > limits.callsInFlight {
            self.complain([
                (window, "must be at most calls-in-flight (\(limits.callsInFlight))"),
                (total, "must be at least call-window (\(limits.callWindow))"),
            ])
        }
        let body = SettingPath(section: .limits, key: "max-body")
        let uncommitted = SettingPath(section: .limits, key: "max-uncommitted")
        if limits.maximumBody > limits.maximumUncommitted {
            self.complain([
                (body, "must be at most max-uncommitted (\(ByteSizeText.format(limits.maximumUncommitted)))"),
                (uncommitted, "must be at least max-body (\(ByteSizeText.format(limits.maximumBody)))"),
            ])
        }
    }

    /// An entry that is always refused would stay without effect and without a word.
    private mutating func checkAllow(_ allow: AllowList) {
        for entry in allow.entries {
            guard let refusal = allow.contradiction(of: entry) else { continue }
            self.complain([
                (SettingPath(section: .calls, key: "allow"), "\(entry) can't be allowed: \(refusal)")
            ])
        }
    }

    private mutating func checkNodes(_ nodes: [ClusterConfiguration.Node]) {
        var endpoints: [Endpoint: SettingPath] = [:]
        for node in nodes {
            for (key, endpoint) in [("peer", node.peer), ("client", node.client)] {
                let path = SettingPath(section: .node(node.id), key: key)
                if let other = endpoints[endpoint.canonical] {
                    self.complain([(path, "is \(other) already; every address serves one purpose")])
                } else {
                    endpoints[endpoint.canonical] = path
                }
            }
        }
        for (position, node) in nodes.enumerated() {
            let path = SettingPath(section: .node(node.id), key: "data")
            let neighbours = nodes[..<position].filter { Self.mayShareMachine($0, node) }
            if let other = neighbours.first(where: { $0.data == node.data }) {
                self.complain([(path, "is the data folder of \(other.id) already")])
            } else if let other = neighbours.first(where: {
                FilePath.isInside($0.data, node.data) || FilePath.isInside(node.data, $0.data)
            }) {
                self.complain([(path, "and the data folder of \(other.id) lie one inside the other")])
            }
        }
    }

    /// Two nodes with different hosts are taken for two machines: there, the same path is another folder.
    private static func mayShareMachine(_ first: ClusterConfiguration.Node, _ second: ClusterConfiguration.Node) -> Bool
    {
        let (first, second) = (first.peer.host, second.peer.host)
        return first == second || (first.isLoopback && second.isLoopback)
    }

    /// Until peers authenticate each other, nothing but this machine may reach them unless the operator says so.
    private mutating func checkPlain(_ configuration: ClusterConfiguration) {
        guard !configuration.cluster.allowsPlain,
            !self.refused.contains(SettingPath(section: .cluster, key: "allow-plain"))
        else { return }
        for node in configuration.nodes {
            for (key, endpoint) in [("peer", node.peer), ("client", node.client)] where !endpoint.host.isLoopback {
                let rule = """
                    is no loopback address, and its traffic would be neither encrypted nor authenticated; \
                    set allow-plain = true in [cluster] if the network is trusted
                    """
                self.complain([(SettingPath(section: .node(node.id), key: key), rule)])
            }
        }
    }

    /// Reports a broken rule once, at the first of its settings that somebody gave, and not at all if the value of one of
    /// them was refused already.
    private mutating func complain(_ sides: [(path: SettingPath, rule: String)]) {
        guard !sides.contains(where: { self.refused.contains($0.path) }) else { return }
        for (path, rule) in sides {
            guard let given = self.given[path] else { continue }
            self.complain(given.origin, path.key, given.value, rule)
            return
        }
        invariantFailure("the defaults break a rule: \(sides.map(\.rule))")
    }
}

/// Ends the process over a mistake of ours, with the facts in the sentence.
func invariantFailure(_ sentence: String) -> Never {
    fatalError(sentence)
}
