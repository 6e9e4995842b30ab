// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Foundation
import Testing
import clusterctl

@Suite("What a submission came to")
struct SubmissionReportTests {
    static func transaction(outcome: String?, state: String, reason: String? = nil) throws -> Transaction {
        func quoted(_ text: String?) -> String { text.map { "\"\($0)\"" } ?? "null" }
        let text = Self.json(outcome: quoted(outcome), state: state, reason: quoted(reason))
        return try JSONDecoder().decode(Transaction.self, from: Data(text.utf8))
    }

    /// - Parameters:
    ///   - outcome: as JSON.
    ///   - reason: as JSON.
    static func json(outcome: String, state: String, reason: String) -> String {
        """
            {"gid": "g-1", "protocol": "saga", "state": "\(state)",
             "outcome": \(outcome), "reason": \(reason), "timeout_ms": 60000, "concurrent": false,
             "created_at": "2026-01-31T00:00:00.000Z", "deadline": "2026-01-31T00:01:00.000Z",
             "branches": [{"id": "1", "state": "pending", "operation": "action", "attempts": 2, "last_error": "no answer",
                           "urls": {"action": "http://a/1", "compensate": "http://a/2"}}],
             "history": [{"time": "2026-01-31T00:00:00.000Z", "index": 12, "event": "submitted"},
                         {"time": "2026-01-31T00:00:00.500Z", "index": 13, "event": "failed", "branch": "1",
                          "operation": "action", "attempts": 1, "detail": "no \\u001b[31mmoney"}],
             "node": "n2", "term": 3, "index": 12}
        """
    }

    static let results: [(outcome: String?, isWaiting: Bool, code: Int32, shown: String?)] = [
        ("committed", true, 0, "committed"), ("committed", false, 0, "committed"), ("aborted", true, 3, "aborted"),
        ("aborted", false, 3, "aborted"), (nil, true, 4, "unknown"), (nil, false, 0, nil),
    ]

    @Test("The exit code tells the outcome", arguments: SubmissionReportTests.results)
    func codes(outcome: String?, isWaiting: Bool, code: Int32, shown: String?) throws {
        let report = SubmissionReport(
            try Self.transaction(outcome: outcome, state: "running"), isWaiting: isWaiting, took: .milliseconds(3))
        #expect(report.exitCode == code)
        #expect(report.outcome == shown)
        #expect(report.text.contains("transaction g-1"))
    }

    @Test("An abort says why")
    func reason() throws {
        let report = SubmissionReport(
            try Self.transaction(outcome: "aborted", state: "aborted", reason: "branch 1 refused"), isWaiting: true,
            took: .zero)
        #expect(report.text == "Aborted: transaction g-1 (branch 1 refused)")
    }

    @Test("One transaction is shown with its branches and its history")
    func details() throws {
        let text = TransactionText.details(of: try Self.transaction(outcome: nil, state: "running"))
        #expect(
            text == """
                gid       g-1
                protocol  saga
                state     running
                outcome   not decided
                created   2026-01-31T00:00:00.000Z
                deadline  2026-01-31T00:01:00.000Z
                read at   node n2, term 3, index 12

                BRANCH  STATE    DUE     CALLS  URL         LAST ERROR
                1       pending  action      2  http://a/1  no answer

                TIME                      INDEX  EVENT      BRANCH  CALL    DETAIL
                2026-01-31T00:00:00.000Z     12  submitted
                2026-01-31T00:00:00.500Z     13  failed     1       action  no ?[31mmoney
                """)
    }
}
