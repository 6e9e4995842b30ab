// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Foundation

import class StrictJSON.JSONDocument
import struct StrictJSON.JSONSyntaxError

/// JSON that a person has written, taken as strictly as a node takes it: what a node would refuse is said here, with line
/// and column.
enum WrittenJSON {
    /// What a node's limit of depth leaves for a payload: it stands in a branch, that in a list, that in the transaction.
    static let payloadDepthLimit = JSONDocument.depthLimit - 3

    /// - Throws: what is wrong and where.
    static func value(
        _ bytes: [UInt8], depthLimit: Int = JSONDocument.depthLimit
    ) throws(SubmissionBuilder.Problem) -> JSONValue {
        do throws(JSONSyntaxError) {
            _ = try JSONDocument(bytes, depthLimit: depthLimit)
        } catch {
            // A key may hold anything as an escape.
            throw SubmissionBuilder.Problem(Table.visible(error.description))
        }
        do {
            return try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        } catch {
            // The text is JSON, so this is the one thing that the client can't hold.
            throw SubmissionBuilder.Problem("\(Self.place(of: error)) a number is beyond 64 bits")
        }
    }

    private static func place(of error: any Error) -> String {
        guard case .typeMismatch(_, let context) = error as? DecodingError, let first = context.codingPath.first else {
            return "somewhere"
        }
        return "in /\(first.stringValue)"
    }
}
