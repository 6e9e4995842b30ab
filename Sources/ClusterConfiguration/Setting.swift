// SPDX-License-Identifier: Apache-2.0

/// One key of a section: how its text becomes a value, and which values it takes.
struct Setting<Section>: Sendable {
    let key: String
    /// Sets the value, or says which rule the text breaks and leaves the section as it was.
    let assign: @Sendable (inout Section, String) -> String?

    static func duration(
        _ key: String, _ path: any WritableKeyPath<Section, Duration> & Sendable, in range: ClosedRange<Duration>
    ) -> Setting {
        Setting(key: key) { section, text in
            guard let value = DurationText.parse(text) else {
                return "must be a whole number with a unit (ms, s, min or h), such as 250ms"
            }
            guard range.contains(value) else {
                return
                    "must be from \(DurationText.format(range.lowerBound)) to \(DurationText.format(range.upperBound))"
            }
            section[keyPath: path] = value
            return nil
        }
    }

    static func bytes(
        _ key: String, _ path: any WritableKeyPath<Section, Int> & Sendable, in range: ClosedRange<Int>
    ) -> Setting {
        Setting(key: key) { section, text in
            guard let value = ByteSizeText.parse(text) else {
                return "must be a whole number with a unit (B, KiB, MiB or GiB), such as 64KiB"
            }
            guard range.contains(value) else {
                return
                    "must be from \(ByteSizeText.format(range.lowerBound)) to \(ByteSizeText.format(range.upperBound))"
            }
            section[keyPath: path] = value
            return nil
        }
    }

    static func count(
        _ key: String, _ path: any WritableKeyPath<Section, Int> & Sendable, in range: ClosedRange<Int>
    ) -> Setting {
        Setting(key: key) { section, text in
            guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(text), range.contains(value)
            else {
                return "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            }
            section[keyPath: path] = value
            return nil
        }
    }

    static func claim(_ key: String, _ path: any WritableKeyPath<Section, Bool> & Sendable) -> Setting {
        Setting(key: key) { section, text in
            guard let value = Bool(text) else { return "must be true or false" }
            section[keyPath: path] = value
            return nil
        }
    }
}

extension Setting<ClusterConfiguration.Cluster> {
    static let all: [Setting] = [
        Setting(key: "name") { section, text in
            guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy(Self.isNameCharacter) else {
                return "must be 1 to 64 letters, digits, '.', '_' or '-'"
            }
            section.name = text
            return nil
        },
        Setting(key: "id") { section, text in
            guard let id = ClusterIdentifier(text: text) else { return "must be 32 hex digits, not all zero" }
            section.id = id
            return nil
        },
        .claim("allow-plain", \.allowsPlain),
    ]

    private static func isNameCharacter(_ character: UInt8) -> Bool {
        switch character {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        case _: false
        }
    }
}

extension Setting<ClusterConfiguration.Timing> {
    static let all: [Setting] = [
        .duration("heartbeat", \.heartbeat, in: .milliseconds(1) ... .seconds(10)),
        .duration("election-timeout-min", \.electionTimeoutMinimum, in: .milliseconds(10) ... .seconds(60)),
        .duration("election-timeout-max", \.electionTimeoutMaximum, in: .milliseconds(10) ... .seconds(120)),
        .duration("leader-wait", \.leaderWait, in: .milliseconds(1) ... .seconds(60)),
        .duration("stop-grace", \.stopGrace, in: .milliseconds(100) ... .seconds(600)),
    ]
}

extension Setting<ClusterConfiguration.Limits> {
    static let all: [Setting] = [
        .bytes("max-body", \.maximumBody, in: 1 << 10...16 << 20),
        .count("max-connections", \.maximumConnections, in: 1...1_000_000),
        .count("max-live-transactions", \.maximumLiveTransactions, in: 1...10_000_000),
        .bytes("max-live-bytes", \.maximumLiveBytes, in: 64 << 10...64 << 30),
        .bytes("max-live-payload", \.maximumLivePayload, in: 64 << 10...1 << 40),
        .bytes("max-uncommitted", \.maximumUncommitted, in: 1 << 20...4 << 30),
        .bytes("retained-log", \.retainedLog, in: 64 << 10...16 << 30),
        .count("max-waiting-requests", \.maximumWaitingRequests, in: 1...1_000_000),
        .count("call-window", \.callWindow, in: 1...100_000),
        .count("calls-in-flight", \.callsInFlight, in: 1...100_000),
    ]
}

extension Setting<ClusterConfiguration.Calls> {
    static let all: [Setting] = [
        Setting(key: "allow") { section, text in
            var entries: [AllowEntry] = []
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                let trimmed = part.drop { $0 == " " || $0 == "\t" }
                let entryText = String(trimmed.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
                guard let entry = AllowEntry(entryText) else {
                    return """
                        “\(entryText.prefix(80))” is no target: write host:port, address/length:port or \
                        [ipv6/length]:port, where * stands for every port
                        """
                }
                guard !entries.contains(entry) else { return "\(entry) is listed twice" }
                entries.append(entry)
            }
            section.allow.entries = entries
            return nil
        },
        .duration("call-timeout", \.timeout, in: .milliseconds(10) ... .seconds(600)),
        .duration("retry-base", \.retryBase, in: .milliseconds(1) ... .seconds(60)),
        .duration("retry-cap", \.retryCap, in: .milliseconds(1) ... .seconds(3_600)),
        .bytes("max-answer", \.maximumAnswer, in: 1 << 10...1 << 20),
    ]
}

/// A node's settings while they are read: nothing is known to be there yet.
struct NodeDraft: Sendable {
    var peer: Endpoint?
    var client: Endpoint?
    var data: String?
    var log: String?
    var walCheckpoint: Int?
}

extension Setting<NodeDraft> {
    static let all: [Setting] = [
        .address("peer", \.peer),
        .address("client", \.client),
        .path("data", \.data),
        .path("log", \.log),
        Setting(key: "wal-checkpoint") { draft, text in
            let range = 256 << 10...64 << 20
            guard let bytes = ByteSizeText.parse(text), range.contains(bytes) else {
                return "must be from 256KiB to 64MiB"
            }
            draft.walCheckpoint = bytes
            return nil
        },
    ]

    private static func address(
        _ key: String, _ path: any WritableKeyPath<NodeDraft, Endpoint?> & Sendable
    ) -> Setting {
        Setting(key: key) { draft, text in
            guard let endpoint = Endpoint(text) else {
                return "must be host:port with a port from 1 to 65535 (an IPv6 address in brackets)"
            }
            if case .address(let address) = endpoint.host,
                address.isUnspecified || address.isMulticast || address.isReserved
            {
                return "must be an address that the others can connect to"
            }
            draft[keyPath: path] = endpoint
            return nil
        }
    }

    private static func path(_ key: String, _ path: any WritableKeyPath<NodeDraft, String?> & Sendable) -> Setting {
        Setting(key: key) { draft, text in
            guard text.utf8.count <= 1_024 else { return "must be a path of at most 1024 bytes" }
            draft[keyPath: path] = text
            return nil
        }
    }
}
