// SPDX-License-Identifier: Apache-2.0

/// What the HTTP edge takes from a client before it says no.
package struct APILimits: Sendable {
    /// Bytes of a request's body.
    package var bodyBytes = 1 << 20
    /// Bytes of the bodies of all requests that are being carried out. Further ones get 429. A body whose length isn't
    /// told beforehand counts as the longest.
    package var bodyBytesInAll = 256 << 20
    /// Bytes of a request's line and headers.
    package var headerBytes = 16 << 10
    package var headerCount = 100
    /// Open connections. Further ones wait in the listener's queue.
    package var connections = 1024
    /// Requests that are being carried out at once, those included whose client has gone. Further ones get 429.
    package var requests = 1024
    /// From the first byte of a request to the end of its headers.
    package var headerTimeout: Duration = .seconds(5)
    /// From the end of the headers to the end of the body.
    package var bodyTimeout: Duration = .seconds(30)
    /// How long a client may leave an answer unread. Then the connection ends, and the answer is let go of.
    package var answerTimeout: Duration = .seconds(30)
    /// From the end of an answer, or the opening of the connection, to the next request.
    package var idleTimeout: Duration = .seconds(60)

    package init() {}
}
