// SPDX-License-Identifier: Apache-2.0

package import CoordinatorClient
import Foundation

/// What a load run sends, prepared before it begins: a request differs from the one before in its gid alone.
package struct BenchPlan: Sendable {
    /// A request as it goes over the wire, with a gid to be filled in.
    package struct Template: Sendable {
        package let bytes: [UInt8]
        /// Where the gid stands; it has always the same length.
        package let gidOffset: Int

        package func request(gid: String) -> [UInt8] {
            var request = self.bytes
            request.replaceSubrange(self.gidOffset..<self.gidOffset + BenchPlan.gidLength, with: gid.utf8)
            return request
        }
    }

    package static let gidLength = 26

    package let nodes: [CoordinatorClient.Address]
    package let participants: [String]
    package let payload: String?
    package let isConcurrent: Bool
    /// How long a node may hold an answer until the outcome is there.
    package let wait: Duration

    package init(
        nodes: [CoordinatorClient.Address], participants: [String], payload: String?, isConcurrent: Bool,
        wait: Duration
    ) {
        self.nodes = nodes
        self.participants = participants
        self.payload = payload
        self.isConcurrent = isConcurrent
        self.wait = wait
    }

    /// The transaction of one client's turn: two branches, on the next two participants in turn.
    /// - Parameters:
    ///   - client: counts from 0; stands for `%c` in the payload.
    ///   - turn: counts from 0.
    /// - Throws: what is wrong with the payload.
    package func submission(client: Int, turn: Int) throws(SubmissionBuilder.Problem) -> Submission {
        var payload: JSONValue?
        if let text = self.payload {
            let filled = text.replacingOccurrences(of: "%c", with: String(client))
            payload = try WrittenJSON.value(Array(filled.utf8), depthLimit: WrittenJSON.payloadDepthLimit)
        }
        let branches = (0..<2).map { branch in
            let url = self.participants[(2 * turn + branch) % self.participants.count]
            return BranchRequest.saga(action: url, compensate: url + "/compensate", payload: payload)
        }
        return Submission(protocol: .saga, concurrent: self.isConcurrent ? true : nil, branches: branches)
    }

    /// The requests of one client, to be sent in turn over and over.
    package func templates(client: Int) throws -> [Template] {
        let pairs = self.participants.count < 3 ? 1 : self.participants.count
        return try (0..<pairs).map { turn in
            var submission = try self.submission(client: client, turn: turn)
            submission.gid = Self.placeholder
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            // The time to wait is no part of the transaction; it goes into the same object.
            var body = Array(try encoder.encode(submission).dropLast())
            body += Array(",\"wait_ms\":\(self.wait.components.seconds * 1000)}".utf8)
            let node = self.nodes[client % self.nodes.count]
            let head = """
                POST /v1/transactions HTTP/1.1\r\nHost: \(node)\r\nContent-Type: application/json\r\n\
                Content-Length: \(body.count)\r\n\r\n
                """
            let bytes = Array(head.utf8) + body
            guard let offset = bytes.firstRange(of: Array(Self.placeholder.utf8))?.lowerBound else {
                throw CommandFailure(.failure, "the request has no place for a gid")
            }
            return Template(bytes: bytes, gidOffset: offset)
        }
    }

    /// A gid that no payload or URL holds by chance.
    private static let placeholder = "~~gid~gid~gid~gid~gid~gid~"
}
