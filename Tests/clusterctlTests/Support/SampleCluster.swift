// SPDX-License-Identifier: Apache-2.0

/// A cluster.conf in a folder of its own.
struct SampleCluster {
    let folder: TemporaryFolder
    let path: String

    /// - Parameters:
    ///   - head: what stands before the nodes.
    ///   - clientPort: where a cluster of one node serves clients; by default a free port.
    init(nodes: Int = 3, head: String = "", clientPort: Int? = nil) throws {
        self.folder = try TemporaryFolder()
        var text = head + "\n"
        for number in 1...nodes {
            text += """
                [node n\(number)]
                peer = 127.0.0.1:\(try FreePort.next())
                client = 127.0.0.1:\(try clientPort ?? FreePort.next())
                data = data/n\(number)

                """
        }
        self.path = try self.folder.write("cluster.conf", text)
    }
}
