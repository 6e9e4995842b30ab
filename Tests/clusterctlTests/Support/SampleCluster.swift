// SPDX-License-Identifier: Apache-2.0

/// A cluster.conf in a folder of its own.
struct SampleCluster {
    let folder: TemporaryFolder
    let path: String

    /// - Parameter head: what stands before the nodes.
    init(nodes: Int = 3, head: String = "", peerHost: String = "127.0.0.1") throws {
        self.folder = try TemporaryFolder()
        var text = head + "\n"
        for number in 1...nodes {
            text += """
                [node n\(number)]
                peer = \(peerHost):\(try FreePort.next())
                client = 127.0.0.1:\(try FreePort.next())
                data = data/n\(number)

                """
        }
        self.path = try self.folder.write("cluster.conf", text)
    }
}
