// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Foundation
import Testing

@Suite("The cluster.conf that is shipped")
struct ShippedFileTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func shipped() throws -> [UInt8] {
        Array(try Data(contentsOf: Self.root.appending(path: "cluster.conf")))
    }

    @Test("CHANGELOG.md begins with the version of the programs")
    func version() throws {
        let text = String(decoding: try Data(contentsOf: Self.root.appending(path: "CHANGELOG.md")), as: UTF8.self)
        let newest = try #require(text.split(separator: "\n").first { $0.hasPrefix("## ") })
        #expect(newest.hasPrefix("## \(Version.current)"))
    }

    @Test("It says exactly the defaults, and three nodes of one machine")
    func defaults() throws {
        let configuration = try ClusterConfiguration.parse(try self.shipped(), file: "cluster.conf", folder: "/srv")
        var expected = ClusterConfiguration()
        expected.calls.allow.ownEndpoints = configuration.calls.allow.ownEndpoints
        #expect(configuration.cluster == expected.cluster)
        #expect(configuration.timing == expected.timing)
        #expect(configuration.limits == expected.limits)
        #expect(configuration.calls == expected.calls)
        #expect(configuration.warnings == [])
        #expect(configuration.nodes.map(\.id) == ["n1", "n2", "n3"])
        #expect(configuration.nodes.map(\.peer.description) == (1...3).map { "127.0.0.1:750\($0)" })
        #expect(configuration.nodes.map(\.client.description) == (1...3).map { "127.0.0.1:740\($0)" })
        #expect(configuration.nodes.map(\.data) == (1...3).map { "/srv/data/n\($0)" })
        #expect(configuration.nodes.map(\.log) == (1...3).map { "/srv/data/n\($0)/verdictd.log" })
        #expect(configuration.nodes.map(\.walCheckpoint) == [1 << 20, 5 << 19, 4 << 20])
    }

    @Test("Every key that exists stands in it, and every comment that shows a key shows a real one")
    func complete() throws {
        let text = try #require(String(bytes: try self.shipped(), encoding: .utf8))
        for key in ClusterConfigurationKeys.all {
            let isShown = text.split(separator: "\n").contains { line in
                let words = line.drop { $0 == "#" || $0 == " " }.split(separator: " ")
                return words.first == Substring(key)
            }
            #expect(isShown, "\(key) is missing")
        }
        let uncommented = text.replacing("# id = ", with: "id = ")
        #expect(uncommented != text)
        let configuration = try ClusterConfiguration.parse(Array(uncommented.utf8), file: "cluster.conf")
        #expect(configuration.cluster.id?.description == "0123456789abcdef0123456789abcdef")
    }

    @Test("It is found and read from its place, with absolute paths")
    func loaded() throws {
        let configuration = try ClusterConfiguration.load(
            path: Self.root.appending(path: "cluster.conf").path(percentEncoded: false), environment: [:])
        #expect(configuration.nodes.allSatisfy { $0.data.hasPrefix("/") && $0.data.hasSuffix("/data/\($0.id)") })
    }

    @Test("A file that isn't there is one problem that names it")
    func absent() throws {
        let missing = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        let problems = try #require(throws: ConfigurationProblems.self) {
            try ClusterConfiguration.load(path: missing, environment: [:])
        }
        #expect("\(problems)" == "\(missing): there is no such file")
    }

    @Test("A problem names the file by the path that was given")
    func place() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("[timing]\nheartbeat = 1h\n".utf8).write(to: file)
        let problems = try #require(throws: ConfigurationProblems.self) {
            try ClusterConfiguration.load(path: file.path, environment: [:])
        }
        #expect("\(problems)".hasPrefix("\(file.path):2: heartbeat = 1h: must be from"), "\(problems)")
    }
}
