// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Testing

@Suite("Which nodes run on this machine")
struct MachineTests {
    private func machine(_ addresses: [String], names: [String: String] = [:]) throws -> Machine {
        let known = try names.mapValues { try #require(ResolvedAddress(text: $0)) }
        return Machine(
            addresses: Set(try addresses.map { try #require(ResolvedAddress(text: $0)) }),
            resolve: { name in known[name].map { [$0] } ?? [] })
    }

    private func configuration(_ peers: [String]) throws -> ClusterConfiguration {
        let nodes = peers.enumerated().map { position, peer in
            "[node n\(position + 1)]\npeer = \(peer):7501\nclient = \(peer):7401\ndata = /d\(position)\n"
        }
        return try Sample.parse("[cluster]\nallow-plain = true\n" + nodes.joined())
    }

    @Test("A node is local if its address is a loopback one, one of the machine's, or a name that means one of these")
    func local() throws {
        let machine = try self.machine(
            ["10.0.0.1", "fd00::1"], names: ["me": "10.0.0.1", "self": "127.0.1.1", "other": "10.0.0.2"])
        let configuration = try self.configuration([
            "127.0.0.2", "localhost", "10.0.0.1", "[fd00::1]", "me", "self", "10.0.0.2", "other", "unknown",
            "[fd00::2]",
        ])
        #expect(configuration.localNodes(on: machine).map(\.id) == ["n1", "n2", "n3", "n4", "n5", "n6"])
    }

    @Test("The addresses of the machine and those that the nodes' names mean are the cluster's own")
    func own() throws {
        let machine = try self.machine(["10.0.0.1"], names: ["other": "10.0.0.2"])
        let own = try self.configuration(["10.0.0.1", "other", "unknown"]).ownAddresses(on: machine)
        #expect(own == [ResolvedAddress(10, 0, 0, 1), ResolvedAddress(10, 0, 0, 2)])
    }

    @Test("The operating system knows the loopback interface and the name localhost")
    func system() {
        let machine = Machine.current()
        #expect(machine.addresses.contains(ResolvedAddress(127, 0, 0, 1)))
        #expect(machine.resolve("localhost").contains { $0.isLoopback })
        #expect(machine.resolve("name.invalid").isEmpty)
    }
}
