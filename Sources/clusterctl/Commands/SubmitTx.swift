// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration
import CoordinatorClient
import Glibc

import struct Transactions.Gid

/// Submits a whole transaction.
struct SubmitTx: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit-tx",
        abstract: "Submit a global transaction and print its outcome.",
        discussion: """
            The transaction comes from a JSON file (as in Docs/openapi.yaml), from standard input (-), or from options. With
            options each branch begins with --step or --try; what follows belongs to it.

            EXAMPLES
              clusterctl submit-tx transfer.json
              make-transfer | clusterctl submit-tx -
              clusterctl submit-tx --saga \\
                --step http://127.0.0.1:7601/saga/debit --compensate http://127.0.0.1:7601/saga/debit/compensate \\
                --payload '{"account": "alice", "amount": 100}' \\
                --step http://127.0.0.1:7602/saga/credit --compensate http://127.0.0.1:7602/saga/credit/compensate \\
                --payload '{"account": "bob", "amount": 100}'
              clusterctl submit-tx --tcc --try URL --confirm URL --cancel URL --gid order-4711 --timeout 10s

            Submitting the same transaction with the same gid again does no harm: it finds the first one. Ends with 0 if it
            was committed, 3 if it was aborted, 4 if the outcome is not known.
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "A JSON file, or - for standard input.")
    var file: String?

    @OptionGroup(title: "Branches") var branches: BranchOptions

    @Option(name: .long, help: "The transaction's id, 1 to 128 bytes of printable ASCII. Default: a new one.")
    var gid: String?

    @Option(duration: "The time after which an undecided transaction is aborted. Default: 60s.")
    var timeout: DurationArgument?

    @Flag(inversion: .prefixedNo, help: "Wait for the outcome, or only until the transaction is recorded.")
    var wait = true

    @Option(duration: "How long to wait for the outcome. Default: the transaction's timeout and 5 s.")
    var waitFor: DurationArgument?

    @Option(duration: "How long to go on trying to have it recorded.")
    var patience = DurationArgument(.seconds(10))

    func validate() throws {
        let hasFlags = self.branches.isGiven
        guard self.file == nil || !hasFlags else {
            throw ValidationError("A transaction comes from a file or from options, not from both.")
        }
        guard self.file != nil || hasFlags else {
            throw ValidationError("Name a JSON file, - for standard input, or give branches with --saga or --tcc.")
        }
        guard self.file != nil || self.branches.saga != self.branches.tcc else {
            throw ValidationError("Say which protocol it is: --saga or --tcc.")
        }
        guard self.wait || self.waitFor == nil else {
            throw ValidationError("--wait-for and --no-wait contradict each other.")
        }
    }

    func run() async throws {
        let context = try ClusterContext(self.common)
        let submission = try self.submission()
        let timeout = Duration.milliseconds(submission.timeoutMilliseconds ?? 60_000)
        let wait = self.wait ? self.waitFor?.duration ?? timeout + .seconds(5) : .zero
        let begin = ContinuousClock.now
        let transaction = try await context.withClient { client throws(CommandFailure) in
            do throws(CoordinatorClientError) {
                return try await client.submit(submission, wait: wait, patience: self.patience.duration)
            } catch {
                throw Self.failure(error)
            }
        }
        let report = SubmissionReport(transaction, isWaiting: self.wait, took: begin.duration(to: .now))
        try self.common.output.result(report) { report.text }
        guard report.status == .success else { throw ExitCode(report.status.rawValue) }
    }

    private static func failure(_ error: CoordinatorClientError) -> CommandFailure {
        let failure = CommandFailure(error)
        guard failure.status == .unknown, let gid = error.gid else { return failure }
        return CommandFailure(
            error,
            message: """
                the outcome of transaction \(gid) is not known: \(error.detail)
                Find it out with: clusterctl tx show \(gid)
                """)
    }

    private func submission() throws(CommandFailure) -> Submission {
        var submission: Submission
        do throws(SubmissionBuilder.Problem) {
            if let file = self.file {
                let name = file == "-" ? "standard input" : file
                submission = try SubmissionFile.read(try Self.content(of: file), name: name)
            } else {
                submission = try SubmissionBuilder.build(
                    self.branches.saga ? .saga : .tcc, words: self.branches.words,
                    concurrent: self.branches.concurrent)
            }
        } catch {
            throw CommandFailure(.usage, error.message)
        }
        submission.gid = self.gid ?? submission.gid
        if let gid = submission.gid, Gid(rawValue: gid) == nil {
            throw CommandFailure(
                .usage, "a gid is 1 to \(Gid.maximumLength) bytes of printable ASCII, not \"\(Table.visible(gid))\"")
        }
        if let timeout = self.timeout {
            submission.timeoutMilliseconds = Int(clamping: timeout.duration.wholeMilliseconds)
        }
        return submission
    }

    /// One byte more than the limit is read, so that a larger file shows.
    private static func content(of file: String) throws(SubmissionBuilder.Problem) -> [UInt8] {
        let limit = SubmissionFile.maximumBytes + 1
        let bytes = file == "-" ? SmallFile.read(STDIN_FILENO, limit: limit) : SmallFile.read(file, limit: limit)
        guard let bytes else {
            throw SubmissionBuilder.Problem("\(file) can't be read: \(String(cString: strerror(errno)))")
        }
        return bytes
    }
}
