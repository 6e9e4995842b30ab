// SPDX-License-Identifier: Apache-2.0

extension CoordinatorClient {
    /// How long the client tries and how much it does at once.
    public struct Configuration: Sendable {
        /// How long one call goes on trying, over all nodes, before it gives up: after that no attempt begins any more. A
        /// time that the caller asks to wait for the outcome comes on top. Default 10 s; a change of leader takes well under
        /// one.
        public var patience: Duration = .seconds(10)
        /// How long one node has to answer one attempt before the next node is asked. A node that was stopped or cut
        /// off takes this long; under the time that a node itself waits for a leader, requests are sent twice for
        /// nothing. Default 4 s.
        public var attemptTimeout: Duration = .seconds(4)
        /// How long a connection may take to be made. Default 1 s.
        public var connectTimeout: Duration = .seconds(1)
        /// The longest time that one request is held by a node that waits for the outcome; a longer wait becomes
        /// several requests. Default 10 s; a node refuses more than 60 s.
        public var longestHold: Duration = .seconds(10)
        /// First pause before a node that refused is asked again; it doubles to `longestPause`, with jitter. Default 20
        /// ms.
        public var shortestPause: Duration = .milliseconds(20)
        /// The longest pause before a node that refused is asked again. Default 500 ms.
        public var longestPause: Duration = .milliseconds(500)
        /// Connections kept to one node; calls beyond that wait for one. Default 256.
        public var connectionsPerNode: Int = 256
        /// The largest answer that is read, in bytes. Default 16 MiB.
        public var answerLimit: Int = 16 << 20

        /// The defaults.
        public init() {}
    }
}
