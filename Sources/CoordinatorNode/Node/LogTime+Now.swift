// SPDX-License-Identifier: Apache-2.0

import Transactions

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension LogTime {
    /// This machine's wall clock. Only a leader's reading of it reaches the log.
    static var now: LogTime {
        var time = timespec()
        guard clock_gettime(CLOCK_REALTIME, &time) == 0, time.tv_sec > 0 else { return .zero }
        return min(LogTime(rawValue: UInt64(time.tv_sec) * 1_000 + UInt64(time.tv_nsec) / 1_000_000), .maximum)
    }
}
