// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A folder that goes away with its owner: for files of which no fault matters.
final class Scratch {
    let path: String

    init() {
        self.path = FileManager.default.temporaryDirectory.path + "/verdict-donor-\(UUID().uuidString)"
        try? FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }
}
