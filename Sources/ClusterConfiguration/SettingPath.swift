// SPDX-License-Identifier: Apache-2.0

/// A section of the configuration.
enum SectionPath: Hashable, Sendable, CustomStringConvertible {
    case cluster, timing, limits, calls
    case node(String)

    /// The sections that are there at most once.
    static let plain: [SectionPath] = [.cluster, .timing, .limits, .calls]

    init?(plain name: String) {
        guard let section = Self.plain.first(where: { $0.description == name }) else { return nil }
        self = section
    }

    /// As it stands between brackets.
    var description: String {
        switch self {
        case .cluster: "cluster"
        case .timing: "timing"
        case .limits: "limits"
        case .calls: "calls"
        case .node(let id): "node \(id)"
        }
    }

    var keys: [String] {
        switch self {
        case .cluster: Self.clusterKeys
        case .timing: Self.timingKeys
        case .limits: Self.limitsKeys
        case .calls: Self.callsKeys
        case .node: Self.nodeKeys
        }
    }

    private static let clusterKeys = Setting<ClusterConfiguration.Cluster>.all.map(\.key)
    private static let timingKeys = Setting<ClusterConfiguration.Timing>.all.map(\.key)
    private static let limitsKeys = Setting<ClusterConfiguration.Limits>.all.map(\.key)
    private static let callsKeys = Setting<ClusterConfiguration.Calls>.all.map(\.key)
    private static let nodeKeys = Setting<NodeDraft>.all.map(\.key)
}

/// One setting: `timing.heartbeat`, `node.n1.peer`.
struct SettingPath: Hashable, Sendable, CustomStringConvertible {
    let section: SectionPath
    let key: String

    /// As a flag names it.
    var description: String {
        "\(self.section)".split(separator: " ").joined(separator: ".") + ".\(self.key)"
    }

    /// As an environment variable names it: `VERDICT_TIMING_HEARTBEAT`, `VERDICT_NODE_N1_PEER`.
    var environmentName: String {
        let name = self.description.uppercased().map { $0 == "." || $0 == "-" ? "_" : $0 }
        return EnvironmentName.prefix + String(name)
    }
}

/// Names of environment variables that concern us.
enum EnvironmentName {
    static let prefix = "VERDICT_"

    /// Variables with our prefix that are no settings of `cluster.conf`.
    private static let others: Set<String> = [
        "VERDICT_ONLY", "VERDICT_DOCS", "VERDICT_PLANTED_BUGS", "VERDICT_CONFIG", "VERDICT_LOG_LEVEL",
    ]

    /// Whether a variable has the shape of a setting: `VERDICT_SECTION_KEY`.
    static func isSetting(_ name: String) -> Bool {
        guard name.hasPrefix(Self.prefix), !Self.others.contains(name) else { return false }
        let parts = name.dropFirst(Self.prefix.count).split(separator: "_", omittingEmptySubsequences: false)
        return parts.count >= 2
    }
}

/// Finds the name that somebody probably meant.
enum NearestName {
    /// “; did you mean heartbeat?”, or nothing if no name is near.
    static func hint(for name: String, among known: [String]) -> String {
        guard name.utf8.count <= 128 else { return "" }
        let nearest = known.map { (name: $0, distance: Self.distance(name, $0)) }.min { $0.distance < $1.distance }
        guard let nearest, nearest.distance <= max(1, name.count / 3) else { return "" }
        return "; did you mean \(nearest.name)?"
    }

    /// The fewest single-byte insertions, deletions and replacements that make one text of the other (Levenshtein).
    private static func distance(_ first: String, _ second: String) -> Int {
        let second = Array(second.utf8)
        var row = Array(0...second.count)
        for (position, character) in first.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = position + 1
            for column in second.indices {
                let replaced = diagonal + (character == second[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
            }
        }
        return row[second.count]
    }
}

/// The keys that a file may hold.
package enum ClusterConfigurationKeys {
    /// Every key of every section, in the order of the sections.
    package static let all: [String] = (SectionPath.plain + [.node("")]).flatMap(\.keys)
}
