// SPDX-License-Identifier: Apache-2.0

/// Puts a configuration together from a file, the environment and flags, and gathers every problem on the way.
struct ConfigurationReader {
    /// A value that somebody gave, before it is understood.
    struct Given: Hashable, Sendable {
        let value: String
        let origin: ConfigurationProblem.Origin
    }

    let file: String
    /// Paths of the file are relative to this folder.
    let folder: String
    var problems: [ConfigurationProblem] = []
    /// The winning value of every setting that somebody gave: a flag before the environment, that before the file.
    var given: [SettingPath: Given] = [:]
    /// Settings whose value was refused: rules between settings leave them out.
    var refused: Set<SettingPath> = []
    /// Node ids in the order of the file, and the lines of their sections.
    var nodes: [(id: String, line: Int)] = []

    init(file: String, folder: String) {
        self.file = file
        self.folder = folder
    }

    mutating func read(
        _ bytes: [UInt8], environment: [String: String], flags: [String]
    ) -> ClusterConfiguration {
        let text = ConfigurationText(bytes, file: self.file)
        self.problems += text.problems
        self.gather(text.sections)
        self.gather(environment: environment)
        self.gather(flags: flags)

        var configuration = ClusterConfiguration()
        self.assign(to: &configuration.cluster, .cluster, Setting<ClusterConfiguration.Cluster>.all)
        self.assign(to: &configuration.timing, .timing, Setting<ClusterConfiguration.Timing>.all)
        self.assign(to: &configuration.limits, .limits, Setting<ClusterConfiguration.Limits>.all)
        self.assign(to: &configuration.calls, .calls, Setting<ClusterConfiguration.Calls>.all)
        configuration.nodes = self.makeNodes()
        configuration.calls.allow.ownEndpoints = Set(
            configuration.nodes.flatMap { [$0.peer.canonical, $0.client.canonical] })
        self.checkRules(configuration)
        configuration.warnings = Self.warnings(configuration)
        return configuration
    }

    mutating func complain(
        _ origin: ConfigurationProblem.Origin, _ key: String? = nil, _ value: String? = nil, _ rule: String
    ) {
        self.problems.append(ConfigurationProblem(origin: origin, key: key, value: value, rule: rule))
    }

    private mutating func gather(_ sections: [ConfigurationText.Section]) {
        var seen: [SectionPath: Int] = [:]
        for section in sections {
            guard let path = self.path(of: section) else { continue }
            if let line = seen[path] {
                let rule = "the section [\(path)] is there already, in line \(line)"
                self.complain(.file(self.file, line: section.line), nil, nil, rule)
            } else {
                seen[path] = section.line
                if case .node(let id) = path { self.nodes.append((id, section.line)) }
            }
            self.gather(section.entries, of: path)
        }
    }

    private mutating func gather(_ entries: [ConfigurationText.Entry], of section: SectionPath) {
        for entry in entries {
            let origin = ConfigurationProblem.Origin.file(self.file, line: entry.line)
            guard section.keys.contains(entry.key) else {
                let hint = NearestName.hint(for: entry.key, among: section.keys)
                self.complain(origin, entry.key, entry.value, "[\(section)] has no such key" + hint)
                continue
            }
            let path = SettingPath(section: section, key: entry.key)
            if case .file(_, .some(let line)) = self.given[path]?.origin {
                self.complain(origin, entry.key, entry.value, "the key is there already, in line \(line)")
                continue
            }
            self.given[path] = Given(value: entry.value, origin: origin)
        }
    }

    private mutating func path(of section: ConfigurationText.Section) -> SectionPath? {
        let origin = ConfigurationProblem.Origin.file(self.file, line: section.line)
        if section.name == "node" {
            guard let id = section.argument else {
                self.complain(origin, nil, nil, "a node needs a name: [node n1]")
                return nil
            }
            guard Self.isNodeID(id) else {
                let rule = "[node \(id.prefix(80))]: a node's name is 1 to 32 of a-z, 0-9 and -"
                self.complain(origin, nil, nil, rule)
                return nil
            }
            return .node(id)
        }
        guard let path = SectionPath(plain: section.name), section.argument == nil else {
            let names = SectionPath.plain.map(\.description) + ["node"]
            let hint = NearestName.hint(for: section.name, among: names)
            let shown = [section.name, section.argument].compactMap(\.self).joined(separator: " ").prefix(80)
            self.complain(origin, nil, nil, "there is no section [\(shown)]" + hint)
            return nil
        }
        return path
    }

    private static func isNodeID(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-")
            }
    }

    private mutating func gather(environment: [String: String]) {
        let settings = environment.filter { EnvironmentName.isSetting($0.key) }.sorted { $0.key < $1.key }
        guard !settings.isEmpty else { return }
        let known = Dictionary(
            self.allPaths().map { ($0.environmentName, $0) }, uniquingKeysWith: { first, _ in first })
        for (name, value) in settings {
            let origin = ConfigurationProblem.Origin.environment(name)
            guard let path = known[name] else {
                let hint = NearestName.hint(for: name, among: known.keys.sorted())
                self.complain(origin, nil, nil, "there is no such setting" + hint)
                continue
            }
            self.given[path] = Given(value: value, origin: origin)
        }
    }

    private mutating func gather(flags: [String]) {
        guard !flags.isEmpty else { return }
        let known = Dictionary(self.allPaths().map { ($0.description, $0) }, uniquingKeysWith: { first, _ in first })
        var seen: Set<SettingPath> = []
        for flag in flags {
            let origin = ConfigurationProblem.Origin.flag(flag)
            guard let equals = flag.firstIndex(of: "=") else {
                self.complain(origin, nil, nil, "write it as section.key=value, such as timing.heartbeat=50ms")
                continue
            }
            let name = String(flag[..<equals])
            guard let path = known[name] else {
                let hint = NearestName.hint(for: name, among: known.keys.sorted())
                self.complain(origin, nil, nil, "there is no such setting" + hint)
                continue
            }
            guard seen.insert(path).inserted else {
                self.complain(origin, nil, nil, "the setting is given twice")
                continue
            }
            self.given[path] = Given(value: String(flag[flag.index(after: equals)...]), origin: origin)
        }
    }

    private func allPaths() -> [SettingPath] {
        (SectionPath.plain + self.nodes.map { SectionPath.node($0.id) }).flatMap { section in
            section.keys.map { SettingPath(section: section, key: $0) }
        }
    }

    private mutating func assign<Section>(
        to section: inout Section, _ path: SectionPath, _ settings: [Setting<Section>]
    ) {
        for setting in settings {
            let path = SettingPath(section: path, key: setting.key)
            guard let given = self.given[path] else { continue }
            if let rule = Self.plainRule(given.value) ?? setting.assign(&section, given.value) {
                self.complain(given.origin, setting.key, given.value, rule)
                self.refused.insert(path)
            }
        }
    }

    /// What no value of any key may be.
    private static func plainRule(_ value: String) -> String? {
        if value.isEmpty { return "has no value" }
        if value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) { return "holds a control character" }
        if value.contains("\"") { return "must be written without quotes" }
        return nil
    }

    private mutating func makeNodes() -> [ClusterConfiguration.Node] {
        if self.nodes.isEmpty {
            self.complain(.file(self.file, line: nil), nil, nil, "has no [node …] section; a cluster needs a node")
        }
        if self.nodes.count > ClusterConfiguration.maximumNodes {
            let rule = "has \(self.nodes.count) nodes; at most \(ClusterConfiguration.maximumNodes) are possible"
            self.complain(.file(self.file, line: nil), nil, nil, rule)
        }
        var nodes: [ClusterConfiguration.Node] = []
        for (position, (id, line)) in self.nodes.enumerated() {
            var draft = NodeDraft()
            self.assign(to: &draft, .node(id), Setting<NodeDraft>.all)
            for key in ["peer", "client", "data"] where self.given[SettingPath(section: .node(id), key: key)] == nil {
                self.complain(.file(self.file, line: line), key, nil, "[node \(id)] must have it")
            }
            guard let peer = draft.peer, let client = draft.client, let data = draft.data else { continue }
            let folder = FilePath.join(self.folder, data)
            nodes.append(
                ClusterConfiguration.Node(
                    id: id, peer: peer, client: client, data: folder,
                    log: draft.log.map { FilePath.join(self.folder, $0) } ?? FilePath.join(folder, "verdictd.log"),
                    walCheckpoint: draft.walCheckpoint
                        ?? ClusterConfiguration.Node.defaultWALCheckpoint(position: position, of: self.nodes.count)))
        }
        return nodes
    }

    private static func warnings(_ configuration: ClusterConfiguration) -> [ConfigurationWarning] {
        let count = configuration.nodes.count
        if count == 1 { return [.singleNode] }
        return count > 0 && count.isMultiple(of: 2) ? [.evenNodeCount(count)] : []
    }
}
