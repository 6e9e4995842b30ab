// SPDX-License-Identifier: Apache-2.0

package import ClusterConfiguration
package import NIOCore

/// What an `HTTPBranch` needs to know beside the allow list.
package struct HTTPBranchConfiguration: Sendable {
    /// The cluster's id in 32 hexadecimal digits, for `Verdict-Cluster`.
    package let clusterID: String
    /// The time for one call, from the look-up of the name to the last byte of the answer.
    package let callTimeout: TimeAmount
    /// The longest answer that is read; the rest is cut off, together with the connection.
    package let maximumAnswerBytes: Int
    /// Unused connections that are kept, to all targets together.
    package let idleConnections: Int
    /// How long a connection may stay unused.
    package let idleTimeout: TimeAmount

    package init(
        clusterID: String, callTimeout: TimeAmount = .seconds(10), maximumAnswerBytes: Int = 64 << 10,
        idleConnections: Int = 1_024, idleTimeout: TimeAmount = .seconds(30)
    ) {
        self.clusterID = clusterID
        self.callTimeout = callTimeout
        self.maximumAnswerBytes = maximumAnswerBytes
        self.idleConnections = max(1, idleConnections)
        self.idleTimeout = idleTimeout
    }
}

/// Calls participants over HTTP/1.1: a POST whose status is the verdict (`BranchVerdictTable`).
///
/// It never follows a redirect, unpacks nothing, reads a bounded answer in a bounded time, and goes only where the allow
/// list says: the URL is judged before anything is resolved, and the address that the connection really has before a
/// request is written to it. Connections stay open and are used again, one call at a time on each; how many calls are
/// under way is the schedule's business.
///
/// All of it runs on one event loop. On the executor's own loop a call changes no thread, and it costs 17 to 19 µs of that
/// thread (release build, loopback, keep-alive, 1 to 64 calls at a time); AsyncHTTPClient costs 72 to 183 µs there, which is
/// why this isn't it.
package final class HTTPBranch: BranchTransport {
    private let eventLoop: any EventLoop
    private let caller: NIOLoopBoundBox<HTTPCaller>

    /// `shutDown` must be called before the event loop ends.
    /// - Parameter resolve: gives the addresses of a name, empty if nobody knows it; it may block its thread.
    package init(
        eventLoop: any EventLoop, configuration: HTTPBranchConfiguration, allow: AllowList,
        resolve: @escaping @Sendable (String) -> [ResolvedAddress] = Machine.current().resolve
    ) {
        self.eventLoop = eventLoop
        self.caller = .makeBoxSendingValue(
            HTTPCaller(eventLoop: eventLoop, configuration: configuration, allow: allow, resolve: resolve),
            eventLoop: eventLoop)
    }

    package func call(_ request: BranchRequest, whenDone: @escaping @Sendable (BranchAnswer) -> Void) {
        if self.eventLoop.inEventLoop {
            self.caller.value.call(request, whenDone: whenDone)
        } else {
            self.eventLoop.execute { self.caller.value.call(request, whenDone: whenDone) }
        }
    }

    /// Calls in flight end with `cancelled`. Returns when every connection is closed.
    package func shutDown() async {
        // The closing of a channel doesn't fail.
        try? await self.eventLoop.flatSubmit { self.caller.value.shutDown() }.get()
    }
}
