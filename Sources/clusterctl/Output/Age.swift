// SPDX-License-Identifier: Apache-2.0

package import CoordinatorClient
package import Foundation

extension Duration {
    /// Short, for people: `245 ms`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 2 h`.
    package var shortText: String {
        let milliseconds = max(0, self.components.seconds * 1000 + self.components.attoseconds / 1_000_000_000_000_000)
        let seconds = milliseconds / 1000
        switch seconds {
        case 0: return "\(milliseconds) ms"
        case 1..<60: return "\(seconds) s"
        case 60..<3_600: return "\(seconds / 60) min \(seconds % 60) s"
        case 3_600..<86_400: return "\(seconds / 3_600) h \(seconds / 60 % 60) min"
        case _: return "\(seconds / 86_400) d \(seconds / 3_600 % 24) h"
        }
    }

    /// Milliseconds with their fraction.
    package var milliseconds: Double {
        Double(self.components.seconds) * 1000 + Double(self.components.attoseconds) / 1e15
    }
}

extension Timestamp {
    /// The time that has passed since then by this machine's clock; none if it is still to come.
    package func age(now: Date = Date()) -> Duration {
        .milliseconds(max(0, Int64(now.timeIntervalSince1970 * 1000) - self.milliseconds))
    }
}
