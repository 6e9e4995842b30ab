// SPDX-License-Identifier: Apache-2.0

/// A cluster.conf in a folder of its own.
struct SampleCluster {
    let folder: TemporaryFolder
    let path: String
    private let ports: [ReservedPort]

    /// - Parameters:
    ///   - head: what stands before the nodes.
    ///   - clientPort: where a cluster of one node serves clients; by default a free port.
    init(nodes: Int = 3, head: String = "", clientPort: Int? = nil) throws {
        self.folder = try TemporaryFolder()
        var text = head + "\n"
        let ports = try (0..<2 * nodes).map { _ in try ReservedPort() }
        for number in 1...nodes {
            text += """
                [node n\(number)]
                peer = 127.0.0.1:\(ports[2 * number - 2].number)
                client = 127.0.0.1:\(clientPort ?? ports[2 * number - 1].number)
                data = data/n\(number)

                """
        }
        self.ports = ports
        self.path = try self.folder.write("cluster.conf", text)
    }
}
