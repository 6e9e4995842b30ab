// SPDX-License-Identifier: Apache-2.0

package import Transactions

/// One command of the log in clear.
package struct CommandReport: Sendable, Encodable {
    package struct Branch: Sendable, Encodable {
        package let id: String
        package let urls: [String: String]
        package let headers: [String: String]?
        package let payload: String?

        init(_ spec: BranchSpec, showingPayloads: Bool) {
            self.id = spec.id.rawValue
            self.urls = Dictionary(spec.targets.map { ($0.operation.name, $0.url) }, uniquingKeysWith: { $1 })
            // A header may be a password of the participant's.
            self.headers =
                showingPayloads
                ? Dictionary(spec.headers.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }) : nil
            self.payload = showingPayloads ? String(decoding: spec.payload.bytes ?? [], as: UTF8.self) : nil
        }

        var text: String {
            let targets = self.urls.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let headers = (self.headers ?? [:]).sorted { $0.key < $1.key }.map { "header=\($0.key): \($0.value)" }
            let payload = self.payload.map { $0.isEmpty ? [] : ["payload=\($0)"] } ?? []
            return (["branch=\(self.id)"] + targets + headers + payload).joined(separator: " ")
        }
    }

    package let command: String
    package let gid: String?
    package private(set) var transactionProtocol: String?
    package private(set) var concurrent: Bool?
    package private(set) var timeoutMs: UInt64?
    package private(set) var branches: [Branch]?
    package private(set) var branch: String?
    package private(set) var operation: String?
    package private(set) var verdict: String?
    package private(set) var attempts: UInt32?
    package private(set) var detail: String?

    private enum CodingKeys: String, CodingKey {
        case command, gid, concurrent, timeoutMs, branches, branch, operation, verdict, attempts, detail
        case transactionProtocol = "protocol"
    }

    package init(_ command: Command, showingPayloads: Bool = false) {
        self.gid = command.gid?.rawValue
        switch command {
        case .submit(let submission):
            self.command = "submit"
            self.transactionProtocol = submission.kind.name
            self.concurrent = submission.isConcurrent
            self.timeoutMs = submission.timeoutMilliseconds
            self.branches = submission.branches.map { Branch($0, showingPayloads: showingPayloads) }
        case .begin(let beginning):
            self.command = "begin"
            self.transactionProtocol = beginning.kind.name
            self.concurrent = beginning.isConcurrent
            self.timeoutMs = beginning.timeoutMilliseconds
        case .registerBranch(_, let spec):
            self.command = "register-branch"
            self.branches = [Branch(spec, showingPayloads: showingPayloads)]
        case .commit:
            self.command = "commit"
        case .abort(_, let reason):
            self.command = "abort"
            self.detail = reason
        case .branchResult(let result):
            self.command = "branch-result"
            self.branch = result.branchID.rawValue
            self.operation = result.operation.name
            switch result.verdict {
            case .success: self.verdict = "success"
            case .failure: self.verdict = "failure"
            }
            self.attempts = result.attempts
            self.detail = result.detail
        case .attemptsFailed(let failed):
            self.command = "attempts-failed"
            self.branch = failed.branchID.rawValue
            self.operation = failed.operation.name
            self.attempts = failed.attempts
            self.detail = failed.lastError
        case .deadlineReached:
            self.command = "deadline-reached"
        case .liftMark(let lift):
            self.command = "lift-restore-mark"
            self.detail = lift.reason
        case .release(let release):
            self.command = "release"
            self.detail = release.reason
        case .raiseFormat(let format):
            self.command = "raise-format"
            self.detail = "to \(format)"
        #if NextFormat
            case .remark(let text):
                self.command = "remark"
                self.detail = text
        #endif
        }
    }

    /// One line: the command, its transaction, and what it says.
    package var text: String {
        var words = [self.command] + (self.gid.map { [$0] } ?? [])
        if let name = self.transactionProtocol { words.append(name) }
        if self.concurrent == true { words.append("concurrent") }
        if let timeout = self.timeoutMs { words.append("timeout=\(timeout)ms") }
        if let branch = self.branch { words.append("branch=\(branch)") }
        if let operation = self.operation { words.append(operation) }
        if let verdict = self.verdict { words.append(verdict) }
        if let attempts = self.attempts { words.append("attempts=\(attempts)") }
        if let detail = self.detail { words.append("(\(detail))") }
        for branch in self.branches ?? [] { words.append("[\(branch.text)]") }
        return words.joined(separator: " ")
    }
}
