// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Glibc

/// The process that runs a node of this machine, found by its pid file.
///
/// A pid file may be left over from a process that was killed, and its number may belong to any other process by now: so a
/// process counts only if it runs `verdictd` for this node and this configuration.
package enum NodeProcess: Hashable, Sendable {
    /// No pid file, or none of its process.
    case none
    case running(pid: Int32)
    /// The pid file names a process that is something else; it must be left alone.
    case other(pid: Int32, what: String)

    static let pidFileName = "verdictd.pid"
    static let executableName = "verdictd"

    var pid: Int32? {
        switch self {
        case .running(let pid): pid
        case .none, .other: nil
        }
    }

    /// - Parameters:
    ///   - data: the node's data folder.
    ///   - configuration: absolute path of the cluster's file.
    package static func find(
        node: String, data: String, configuration: String, in table: ProcessTable = ProcessTable()
    ) -> NodeProcess {
        guard let bytes = SmallFile.read(FilePath.join(data, Self.pidFileName), limit: 64),
            let pid = Self.pid(String(decoding: bytes, as: UTF8.self))
        else { return .none }
        return Self.judge(pid: pid, node: node, configuration: configuration, in: table)
    }

    /// Writes the pid file of a process that was only just started, so that nobody overlooks it until it writes its own.
    ///
    /// In place and never empty meanwhile, so that the process can write the same at the same time. That it can't be
    /// written is the process's to say: it needs the file itself.
    package static func note(pid: Int32, data: String) {
        let descriptor = open(FilePath.join(data, Self.pidFileName), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let text = Array("\(pid)\n".utf8)
        if pwrite(descriptor, text, text.count, 0) == text.count { ftruncate(descriptor, off_t(text.count)) }
    }

    /// Reads a pid file's text; process 1 and below are never ours.
    static func pid(_ text: String) -> Int32? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard text.dropFirst(digits.count).allSatisfy(\.isWhitespace), let pid = Int32(digits), pid > 1 else {
            return nil
        }
        return pid
    }

    static func judge(pid: Int32, node: String, configuration: String, in table: ProcessTable) -> NodeProcess {
        guard let executable = table.executable(of: pid) else { return .none }
        let arguments = table.arguments(of: pid)
        guard FilePath.name(of: executable) == Self.executableName else {
            return .other(pid: pid, what: executable)
        }
        guard Self.value(of: "--node", in: arguments) == node else {
            return .other(pid: pid, what: arguments.joined(separator: " "))
        }
        if let file = Self.value(of: "--config", in: arguments) {
            let path = FilePath.join(table.workingFolder(of: pid) ?? "/", file)
            guard Self.resolved(path) == Self.resolved(configuration) else {
                return .other(pid: pid, what: arguments.joined(separator: " "))
            }
        }
        return .running(pid: pid)
    }

    /// The value behind an option, written `--name value` or `--name=value`.
    private static func value(of name: String, in arguments: [String]) -> String? {
        for (position, argument) in arguments.enumerated() {
            if argument == name { return position + 1 < arguments.count ? arguments[position + 1] : nil }
            if argument.hasPrefix(name + "=") { return String(argument.dropFirst(name.count + 1)) }
        }
        return nil
    }

    private static func resolved(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}

extension ClusterContext {
    /// The process of a node of this machine.
    func process(of node: ClusterConfiguration.Node) -> NodeProcess {
        NodeProcess.find(node: node.id, data: node.data, configuration: self.path)
    }
}
