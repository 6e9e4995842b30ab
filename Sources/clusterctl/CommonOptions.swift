// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

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
