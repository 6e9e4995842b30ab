// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient

/// Longer than any patience in these tests: a node that asks for this pause isn't asked again in the same call.
let forever = 3_600_000

/// A saga of one branch. Without a gid the client makes one.
let saga = Submission(
    protocol: .saga,
    branches: [.saga(action: "http://bank/out", compensate: "http://bank/back", payload: ["amount": 7])])

/// A client of these nodes, asked in this order, with short pauses.
func withClient(
    _ addresses: [CoordinatorClient.Address],
    patience: Duration = .seconds(30), attemptTimeout: Duration = .seconds(30), answerLimit: Int = 1 << 20,
    _ body: (CoordinatorClient) async throws -> Void
) async throws {
    var configuration = CoordinatorClient.Configuration()
    configuration.patience = patience
    configuration.attemptTimeout = attemptTimeout
    configuration.answerLimit = answerLimit
    configuration.shortestPause = .milliseconds(1)
    configuration.longestPause = .milliseconds(4)
    let client = CoordinatorClient(addresses: addresses, configuration: configuration)
    do {
        try await body(client)
    } catch {
        await client.shutdown()
        throw error
    }
    await client.shutdown()
}

/// The error that a call ends with; `nil` if it ends with an answer.
func failure<Answer>(
    of call: () async throws(CoordinatorClientError) -> Answer
) async -> CoordinatorClientError? {
    do {
        _ = try await call()
        return nil
    } catch {
        return error
    }
}
