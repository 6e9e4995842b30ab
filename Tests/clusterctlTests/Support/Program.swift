// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// Runs the built programs as processes, as a person does.
enum Program {
    struct Result: Sendable {
        let code: Int32
        let output: String
        let errors: String

        /// A value of the JSON object that was printed.
        func json(_ key: String) throws -> String? {
            let object = try JSONSerialization.jsonObject(with: Data(self.output.utf8)) as? [String: Any]
            return object?[key].map { "\($0)" }
        }

        /// The members of the error that was printed as JSON.
        func error() throws -> [String: String] {
            let object = try JSONSerialization.jsonObject(with: Data(self.output.utf8)) as? [String: Any]
            return (object?["error"] as? [String: Any] ?? [:]).mapValues { "\($0)" }
        }
    }

    struct TooSlow: Error, CustomStringConvertible {
        let description: String
    }

    private static let environment: [String: String] = {
        // What ThreadSanitizer is told to overlook counts for the programs, too.
        let options = ProcessInfo.processInfo.environment["TSAN_OPTIONS"].map { ["TSAN_OPTIONS": $0] } ?? [:]
        return options.merging(["PATH": "/usr/bin:/bin"]) { $1 }
    }()

    /// The folder of the built programs: that of the tests.
    static let folder: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let beside = (own as NSString).deletingLastPathComponent
        if FileManager.default.fileExists(atPath: beside + "/clusterctl") { return beside }
        // A helper of the toolchain loads the tests: it is told where they are.
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        return (bundle as NSString).deletingLastPathComponent
    }()

    /// - Parameter deadline: seconds after which the process is killed and the test fails.
    static func clusterctl(
        _ arguments: [String], environment: [String: String] = [:], input: String = "", deadline: Double = 60
    ) async throws -> Result {
        try await Self.run("clusterctl", arguments, environment: environment, input: input, deadline: deadline)
    }

    /// - Parameter name: one of the built programs.
    static func run(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], input: String = "",
        deadline: Double = 60
    ) async throws -> Result {
        let files = try TemporaryFolder()
        let inputPath = try files.write("in", input)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: self.folder + "/" + name)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: files.path)
        process.environment = Self.environment.merging(environment) { $1 }
        process.standardInput = FileHandle(forReadingAtPath: inputPath)
        process.standardOutput = FileHandle(forWritingAtPath: try files.write("out", ""))
        process.standardError = FileHandle(forWritingAtPath: try files.write("err", ""))
        try await Self.run(process, deadline: deadline)
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: URL(fileURLWithPath: files.path + "/" + name)), as: UTF8.self)
        }
        return Result(code: process.terminationStatus, output: try text("out"), errors: try text("err"))
    }

    private static func run(_ process: Process, deadline: Double) async throws {
        let ended = AsyncStream.makeStream(of: Bool.self)
        process.terminationHandler = { _ in ended.continuation.yield(true) }
        try process.run()
        let timer = DispatchSource.makeTimerSource()
        timer.schedule(deadline: .now() + deadline)
        timer.setEventHandler { ended.continuation.yield(false) }
        timer.resume()
        defer { timer.cancel() }
        for await isInTime in ended.stream {
            guard !isInTime else { return }
            kill(process.processIdentifier, SIGKILL)
            let name = process.executableURL?.lastPathComponent ?? ""
            throw TooSlow(description: "\(name) took longer than \(deadline) s")
        }
    }
}
