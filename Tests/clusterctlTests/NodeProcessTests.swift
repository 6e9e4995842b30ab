// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import clusterctl

@Suite("Finding a node's process")
struct NodeProcessTests {
    /// A folder that looks like the kernel's list of processes.
    private struct Processes {
        let folder: TemporaryFolder
        var table: ProcessTable { ProcessTable(root: self.folder.path + "/proc") }
        var configuration: String { self.folder.path + "/cluster.conf" }
        var data: String { self.folder.path + "/data" }

        init() throws {
            self.folder = try TemporaryFolder()
            try self.folder.write("cluster.conf", "")
        }

        func add(_ pid: Int32, executable: String, arguments: [String], workingFolder: String = "/") throws {
            try self.folder.write("proc/\(pid)/cmdline", arguments.map { $0 + "\0" }.joined())
            for (name, target) in [("exe", executable), ("cwd", workingFolder)] {
                try FileManager.default.createSymbolicLink(
                    atPath: self.folder.path + "/proc/\(pid)/\(name)", withDestinationPath: target)
            }
        }

        func find(_ pidFile: String?) throws -> NodeProcess {
            if let pidFile { try self.folder.write("data/verdictd.pid", pidFile) }
            return NodeProcess.find(node: "n1", data: self.data, configuration: self.configuration, in: self.table)
        }
    }

    @Test("A process that runs verdictd for this node and this file is it")
    func running() throws {
        let processes = try Processes()
        let arguments = ["verdictd", "--config", processes.configuration, "--node", "n1"]
        try processes.add(42, executable: "/opt/bin/verdictd", arguments: arguments)
        #expect(try processes.find("42\n") == .running(pid: 42))
    }

    @Test("Its program may have been replaced, and its options be written in other ways")
    func spelling() throws {
        let processes = try Processes()
        try processes.add(
            42, executable: "/opt/bin/verdictd (deleted)",
            arguments: ["verdictd", "--node=n1", "--config=cluster.conf"],
            workingFolder: processes.folder.path)
        #expect(try processes.find("42") == .running(pid: 42))
    }

    @Test("No pid file, one of a process that has ended, and one that holds no number: no process")
    func none() throws {
        #expect(try Processes().find(nil) == NodeProcess.none)
        for text in ["42\n", "", "abc", "-7", "1", "0", "42 43", "99999999999"] {
            #expect(try Processes().find(text) == NodeProcess.none, "\(text)")
        }
    }

    @Test("A number that another process has by now is left alone")
    func reused() throws {
        let processes = try Processes()
        try processes.add(42, executable: "/bin/bash", arguments: ["bash", "--node", "n1"])
        #expect(try processes.find("42") == .other(pid: 42, what: "/bin/bash"))
    }

    @Test("Another node's process, and the same node's of another cluster, are left alone")
    func others() throws {
        let processes = try Processes()
        try processes.folder.write("other/cluster.conf", "")
        let other = processes.folder.path + "/other/cluster.conf"
        try processes.add(
            42, executable: "/bin/verdictd",
            arguments: ["verdictd", "--config", processes.configuration, "--node", "n2"])
        try processes.add(43, executable: "/bin/verdictd", arguments: ["verdictd", "--config", other, "--node", "n1"])
        #expect(
            try processes.find("42")
                == .other(pid: 42, what: "verdictd --config \(processes.configuration) --node n2"))
        #expect(try processes.find("43") == .other(pid: 43, what: "verdictd --config \(other) --node n1"))
    }

    @Test("A pid file is written over a longer one")
    func note() throws {
        let processes = try Processes()
        #expect(try processes.find("1234567\n") == NodeProcess.none)
        NodeProcess.note(pid: 42, data: processes.data)
        NodeProcess.note(pid: 42, data: processes.data)
        let path = processes.data + "/verdictd.pid"
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "42\n")
        // Without a folder there is no file, and no harm.
        NodeProcess.note(pid: 42, data: processes.data + "/none")
        #expect(!processes.folder.exists("data/none"))
    }

    @Test("This process is in the system's table, and a process that there can't be isn't")
    func system() {
        let table = ProcessTable()
        #expect(table.executable(of: getpid())?.isEmpty == false)
        #expect(table.arguments(of: getpid()).isEmpty == false)
        #expect(table.workingFolder(of: getpid()) == FileManager.default.currentDirectoryPath)
        #expect(table.executable(of: .max) == nil)
        #expect(table.arguments(of: .max).isEmpty)
    }

    @Test("An ended process tells its exit code or its signal")
    func endings() {
        #expect(ChildProcess.Ending(status: 0) == .exited(code: 0))
        #expect(ChildProcess.Ending(status: 3 << 8) == .exited(code: 3))
        #expect(ChildProcess.Ending(status: SIGKILL) == .killed(signal: 9))
        #expect(ChildProcess.Ending(status: SIGSEGV | 0x80) == .killed(signal: 11))
    }
}

@Suite("The end of a log file")
struct LogTailTests {
    @Test("The last lines behind a position, without control characters")
    func lines() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("log", "old 1\nold 2\n")
        let start = LogTail.end(of: path)
        #expect(start == 12)
        #expect(LogTail.lines(of: path, behind: start, count: 5) == [])
        try folder.write("log", "old 1\nold 2\nnew 1\nnew \u{1b}2\nnew 3")
        #expect(LogTail.lines(of: path, behind: start, count: 2) == ["new ?2", "new 3"])
        #expect(LogTail.lines(of: path, behind: 0, count: 9).count == 5)
    }

    @Test("A file that isn't there has no lines")
    func missing() throws {
        let path = try TemporaryFolder().path + "/none"
        #expect(LogTail.end(of: path) == 0)
        #expect(LogTail.lines(of: path, behind: 0, count: 3) == [])
    }

    @Test("A line of a node's log is shown in words, any other line as it is")
    func readable() {
        let line = #"{"time":"t","level":"critical","message":"Can't run","node.id":"n1","reason":"x\u001b","b":"2"}"#
        #expect(LogTail.readable(line) == "critical: Can't run; b=2; reason=x?")
        for other in ["Fatal error: x", "{}", #"{"level": 7, "message": "m"}"#, ""] {
            #expect(LogTail.readable(other) == other)
        }
    }

    @Test("Of a large file only the end is read")
    func large() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("log", String(repeating: "x\n", count: 200_000) + "last\n")
        #expect(LogTail.lines(of: path, behind: 0, count: 1) == ["last"])
    }
}
