// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Where a command's words go: results to standard output, anything else to standard error.
struct Output: Sendable {
    /// Standard output holds JSON and nothing else.
    let isJSON: Bool

    /// A line for people; with `--json` there is none.
    func line(_ text: String = "") {
        guard !self.isJSON else { return }
        print(text)
        fflush(nil)
    }

    /// What somebody should know though it isn't the result.
    func note(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    /// The result for programs: one line.
    func json(_ value: some Encodable) throws(CommandFailure) {
        print(try Self.encoded(value))
    }

    /// The result in the form that was asked for.
    func result(_ value: some Encodable, _ text: () -> String) throws(CommandFailure) {
        if self.isJSON {
            try self.json(value)
        } else {
            print(text())
        }
    }

    func failure(_ failure: CommandFailure) {
        self.note("clusterctl: \(failure.message)")
        guard self.isJSON else { return }
        let report = FailureReport(
            error: FailureReport.Error(
                code: failure.status.name, exitCode: failure.status.rawValue, message: failure.message,
                gid: failure.gid, problem: failure.problem, pointer: failure.pointer))
        if let text = try? Self.encoded(report) { print(text) }
    }

    /// Keys in `snake_case` and sorted, so that equal results are equal texts.
    static func encoded(_ value: some Encodable) throws(CommandFailure) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        do {
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        } catch {
            throw CommandFailure(.failure, "the result can't be written as JSON: \(error)")
        }
    }
}

private struct FailureReport: Encodable {
    struct Error: Encodable {
        let code: String
        let exitCode: Int32
        let message: String
        let gid: String?
        let problem: String?
        let pointer: String?
    }

    let error: Error
}
