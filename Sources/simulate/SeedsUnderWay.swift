// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// The seeds that run right now, so that a trap inside the core (a broken `invariant` ends the process) still says which
/// seed replays it.
enum SeedsUnderWay {
    private static let slots = 64
    /// A seed plus one; zero is an empty slot. A signal handler may only read plain memory, hence no lock.
    nonisolated(unsafe) private static let memory: UnsafeMutablePointer<UInt64> = {
        let memory = UnsafeMutablePointer<UInt64>.allocate(capacity: Self.slots)
        memory.initialize(repeating: 0, count: Self.slots)
        return memory
    }()

    static func note(_ seed: UInt64, job: Int) { self.memory[job % self.slots] = seed &+ 1 }
    static func clear(job: Int) { self.memory[job % self.slots] = 0 }

    /// Names the seeds when the process traps, then lets it die as it would have.
    static func reportOnTrap() {
        _ = self.memory
        for number in [SIGILL, SIGTRAP, SIGABRT] {
            signal(number) { number in
                SeedsUnderWay.writeSeeds()
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    /// Uses nothing that a signal handler may not use.
    private static func writeSeeds() {
        Self.write("simulate: the process traps; seeds under way:")
        for slot in 0..<self.slots where self.memory[slot] != 0 {
            Self.write(" ")
            Self.write(self.memory[slot] &- 1)
        }
        Self.write("\n")
    }

    private static func write(_ text: StaticString) {
        _ = Glibc.write(2, text.utf8Start, text.utf8CodeUnitCount)
    }

    private static func write(_ number: UInt64) {
        var divisor: UInt64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            var digit = UInt8(ascii: "0") + UInt8(number / divisor % 10)
            _ = Glibc.write(2, &digit, 1)
            divisor /= 10
        }
    }
}
