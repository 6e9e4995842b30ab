// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ClusterConfiguration

/// What every command takes.
struct CommonOptions: ParsableArguments {
    @Option(name: .long, help: "The cluster's file. Default: VERDICT_CONFIG, else cluster.conf in this folder.")
    var config: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "Override one setting of the file, such as timing.heartbeat=50ms. May be repeated.",
            valueName: "section.key=value"))
    var settings: [String] = []

    @Flag(name: .long, help: "Write the result as JSON, for programs.")
    var json = false

    var output: Output { Output(isJSON: self.json) }
}

/// A length of time on the command line: a whole number and a unit, such as `500ms` or `15s`.
struct DurationArgument: ExpressibleByArgument, Hashable, Sendable {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        guard let duration = DurationText.parse(argument) else { return nil }
        self.duration = duration
    }

    var defaultValueDescription: String { DurationText.format(self.duration) }
}
