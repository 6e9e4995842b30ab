// SPDX-License-Identifier: Apache-2.0

import Foundation
import Raft
import RaftStore
import Testing
import clusterctl

@Suite("What the doctor says of a folder")
struct DoctorTests {
    private static func examined(
        _ folder: TemporaryFolder, as node: String = "n1", clusterID: String? = nil
    ) -> FolderExamination {
        FolderExamination(node: node, data: "\(folder.path)/n1", clusterID: clusterID)
    }

    private static func initialise(_ folder: TemporaryFolder) throws {
        try DataFolder.initialise(
            path: "\(folder.path)/n1", clusterID: ClusterID(high: 1, low: 2),
            nodeID: NodeID(rawValue: "n1"),
            members: ["n1", "n2", "n3"].map { Member(nodeID: NodeID(rawValue: $0), storageID: .unknown) },
            reserveBytes: 1 << 16)
    }

    private static func problems(_ examination: FolderExamination) -> [Finding] {
        examination.findings.filter { $0.grade == .problem }
    }

    @Test("A whole folder has nothing wrong with it") func whole() throws {
        let folder = try TemporaryFolder()
        try Self.initialise(folder)
        let findings = Self.examined(folder, clusterID: "00000000000000010000000000000002").findings
        #expect(findings.allSatisfy { $0.grade != .problem }, "\(findings)")
        #expect(findings.first == .ok("log", "no entries, term 0, every row and frame as it was written"))
        #expect(findings.map(\.subject) == ["log", "state", "disk"])
    }

    @Test("No folder, and another thing in its place") func folders() throws {
        let folder = try TemporaryFolder()
        #expect(Self.examined(folder).findings.first?.text.contains("holds no node yet") == true)
        try folder.write("n1/holiday.jpg", "")
        let problems = Self.problems(Self.examined(folder))
        #expect(problems.first?.text.contains("holds something else: holiday.jpg") == true)
        #expect(problems.count == 1)
    }

    @Test("Another node's folder, and one of another cluster") func foreign() throws {
        let folder = try TemporaryFolder()
        try Self.initialise(folder)
        #expect(Self.problems(Self.examined(folder, as: "n2")).first?.text.contains("not of node n2") == true)
        let other = Self.problems(Self.examined(folder, clusterID: "0000000000000001000000000000000f"))
        #expect(other.first?.text.contains("is of cluster 00000000000000010000000000000002") == true)
    }

    @Test("A removed node's folder") func removed() throws {
        let folder = try TemporaryFolder()
        try Self.initialise(folder)
        try DataFolder.noteRemoved(path: "\(folder.path)/n1", at: 17)
        let problem = try #require(Self.problems(Self.examined(folder)).first)
        #expect(problem.text == "n1 was removed from the cluster at entry 17; it doesn't start again")
        #expect(problem.advice?.contains("clusterctl members add n1") == true)
    }

    @Test("A flipped bit in the log leads to a replacement, one in the applied state to nothing that has to be done")
    func rot() throws {
        let folder = try TemporaryFolder()
        try Self.initialise(folder)
        try folder.write("n1/state.db", String(repeating: "no database ", count: 400))
        let state = try #require(Self.examined(folder).findings.first { $0.subject == "state" })
        #expect(state.grade == .note, "\(state)")
        #expect(state.advice?.contains("nothing to do") == true)

        // In both: each row stands in the file and in the write-ahead log.
        let urls = ["raft.db", "raft.db-wal"].map { URL(fileURLWithPath: "\(folder.path)/n1/\($0)") }
        for url in urls {
            var bytes = try Data(contentsOf: url)
            for position in stride(from: 4_096, to: bytes.count, by: 7) { bytes[position] ^= 0x10 }
            try bytes.write(to: url)
        }
        let before = try urls.map { try Data(contentsOf: $0) }
        let problem = try #require(Self.problems(Self.examined(folder)).first)
        #expect(problem.subject == "log")
        #expect(problem.advice?.contains("clusterctl members replace n1") == true)
        #expect(try urls.map { try Data(contentsOf: $0) } == before)
    }

    @Test("A cluster that was never begun has notes and advice, and the command succeeds") func command() async throws {
        let cluster = try SampleCluster()
        let before = try await Program.clusterctl(["doctor", "--config", cluster.path])
        #expect(before.code == 0, "\(before.errors)")
        #expect(before.output.contains("n3 holds no node yet"))
        _ = try await Program.clusterctl(["init", "--config", cluster.path])
        try cluster.folder.write("data/n2/REMOVED", "9\n")
        let after = try await Program.clusterctl(["doctor", "--config", cluster.path])
        #expect(after.code == 70)
        #expect(after.output.contains("WRONG  folder: n2 was removed from the cluster at entry 9"), "\(after.output)")
    }
}
