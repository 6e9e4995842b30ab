// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient

/// The codes that a command ends with. 1 is not among them: shells and libraries use it for anything.
enum ExitStatus: Int32, Hashable, Sendable, CaseIterable {
    /// Done. For a transaction: committed, or recorded if the outcome was not waited for.
    case success = 0
    /// The transaction was aborted.
    case aborted = 3
    /// The outcome is not known.
    case unknown = 4
    /// The command, its input or the configuration is wrong (EX_USAGE).
    case usage = 64
    /// No node answers, or none leads (EX_UNAVAILABLE).
    case noCluster = 69
    /// Anything else (EX_SOFTWARE).
    case failure = 70

    /// The word for it in JSON.
    var name: String {
        switch self {
        case .success: "success"
        case .aborted: "aborted"
        case .unknown: "unknown"
        case .usage: "usage"
        case .noCluster: "no-cluster"
        case .failure: "failure"
        }
    }
}

/// Why a command can't do what it was asked to.
struct CommandFailure: Error, Hashable, Sendable {
    let status: ExitStatus
    /// For people: what is wrong, and what to do about it.
    let message: String
    /// The transaction that it is about, if there is one.
    let gid: String?
    /// The code of the API, if it was a node that said no.
    let problem: String?
    /// The field of the request that the node means (RFC 6901).
    let pointer: String?

    init(_ status: ExitStatus, _ message: String, gid: String? = nil) {
        self.status = status
        self.message = message
        self.gid = gid
        self.problem = nil
        self.pointer = nil
    }

    /// - Parameters:
    ///   - status: by default the one that belongs to the error.
    ///   - message: by default the error's own words.
    init(_ error: CoordinatorClientError, status: ExitStatus? = nil, message: String? = nil) {
        self.status = status ?? ExitStatus(error.code)
        self.message = message ?? Self.sentence(for: error)
        self.gid = error.gid
        // One node's "certainly not" is not the word for an outcome that another attempt has left open.
        let isOfOneAttempt = ["no-leader", "overloaded"].contains(error.problem?.code)
        let problem = error.code == .outcomeUnknown && isOfOneAttempt ? nil : error.problem
        self.problem = problem?.code
        self.pointer = problem?.pointer
    }

    private static func sentence(for error: CoordinatorClientError) -> String {
        let place = error.pointer.map { $0.isEmpty ? "" : " at \($0)" } ?? ""
        return "\(error.code)\(place): \(error.detail)"
    }
}

extension ExitStatus {
    init(_ code: CoordinatorClientError.Code) {
        switch code {
        case .unavailable, .overloaded: self = .noCluster
        case .outcomeUnknown, .cancelled: self = .unknown
        case .invalidRequest, .targetNotAllowed, .tooLarge: self = .usage
        case _: self = .failure
        }
    }
}
