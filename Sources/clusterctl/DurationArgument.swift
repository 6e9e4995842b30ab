// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration

/// A length of time on the command line: a whole number and a unit, such as `500ms` or `15s`.
///
/// Not `ExpressibleByArgument`, whose failure can't say what was wrong: an option takes it by one of the initialisers below.
struct DurationArgument: Hashable, Sendable {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    @Sendable
    fileprivate static func read(_ text: String) throws -> DurationArgument {
        guard let duration = DurationText.parse(text) else {
            throw ValidationError(
                "a length of time is a whole number and a unit (ms, s, min or h), such as 500ms or 15s")
        }
        return DurationArgument(duration)
    }
}

extension Option where Value == DurationArgument {
    /// - Parameter help: what the length of time is for; the default is added to it.
    init(wrappedValue: DurationArgument, duration help: String) {
        let shown = DurationText.format(wrappedValue.duration)
        self.init(
            wrappedValue: wrappedValue, name: .long, help: ArgumentHelp("\(help) (default: \(shown))"),
            transform: DurationArgument.read)
    }
}

extension Option where Value == DurationArgument? {
    /// - Parameter help: what the length of time is for, and what counts without it.
    init(duration help: String) {
        self.init(name: .long, help: ArgumentHelp(help), transform: DurationArgument.read)
    }
}
