// SPDX-License-Identifier: Apache-2.0

/// The small file beside a state that says that rot was found in it: whoever starts next fills the state anew, and need not
/// read all of it to find the rot again.
package enum RotNote {
    /// Behind the state's own name.
    private static let suffix = ".rot"
    private static let longest = 4 << 10

    /// Notes what was found, for good: it is on the disk when this returns.
    package static func write(_ error: StateStoreError, statePath: String) throws(StateStoreError) {
        let file = try SnapshotFile(creating: statePath + self.suffix)
        try file.write(Array("\(error)\n".utf8.prefix(self.longest)), at: 0)
        try file.sync()
        try DataFolder.syncFolder(of: statePath)
    }

    /// What was found; nil if nothing was. A note whose writing was cut off counts too.
    package static func read(statePath: String) throws(StateStoreError) -> String? {
        let path = statePath + self.suffix
        guard DataFolder.exists(path) else { return nil }
        let bytes = try SnapshotFile(reading: path).read(self.longest, at: 0)
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    static func remove(statePath: String) throws(StateStoreError) {
        try SnapshotFile.remove(statePath + self.suffix)
        try DataFolder.syncFolder(of: statePath)
    }
}
