// SPDX-License-Identifier: Apache-2.0

import HummingbirdCore
import Logging
import NIOCore

/// A connection of the server whose requests are answered on the connection's own event loop.
///
/// The server answers on the global pool of threads. A request then changes threads for its head, its body and its
/// answer, and each change costs more than reading the request (14 to 18 µs against 5). Here a request stays on one
/// thread but for the coordinator's own work.
struct LoopBoundChannel: ServerChildChannel {
    let base: HTTP1Channel

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        self.base.setup(channel: channel, logger: logger)
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await withTaskExecutorPreference(EventLoopTaskExecutor(value.channel.eventLoop)) {
            await self.base.handle(value: value, logger: logger)
        }
    }
}
