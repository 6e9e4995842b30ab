// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation

/// Who answers for what a command does, and why: it stands in a history for good.
struct AnsweringOptions: ParsableArguments {
    @Option(name: .long, help: "Why that is right.")
    var reason: String

    @Option(name: .customLong("actor"), help: "Who says so. Default: the name of the login.")
    private var namedActor: String?

    var actor: String { self.namedActor ?? ProcessInfo.processInfo.userName }
}
