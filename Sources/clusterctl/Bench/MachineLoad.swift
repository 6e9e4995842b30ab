// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What else the machine had to do during a measurement.
struct MachineLoad: Hashable, Sendable, Encodable {
    /// The load average of the last minute, as the kernel counts it.
    let loadAverage: Double?
    /// Processors that this process may use.
    let processors: Int

    static func current() -> MachineLoad {
        let text = SmallFile.read("/proc/loadavg", limit: 128).map { String(decoding: $0, as: UTF8.self) }
        return MachineLoad(
            loadAverage: text?.split(separator: " ").first.flatMap { Double($0) },
            processors: Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }

    /// Processor time of this process so far.
    static func ownTime() -> Duration {
        // POSIX fixes the unit of clock(): a million to the second. `timespec` isn't visible in an optimised build here.
        .microseconds(Int64(clock()))
    }
}
