// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Testing

@Suite("Where branch calls may go (Security in the fault model)")
struct AllowListTests {
    private func list(_ entries: [String], own: [String] = [], ownAddresses: [String] = []) throws -> AllowList {
        AllowList(
            entries: try entries.map { try #require(AllowEntry($0)) },
            ownEndpoints: Set(try own.map { try #require(Endpoint($0)) }),
            ownAddresses: Set(try ownAddresses.map { try #require(ResolvedAddress(text: $0)) }))
    }

    private func address(_ text: String) throws -> ResolvedAddress {
        try #require(ResolvedAddress(text: text))
    }

    @Test(
        "An entry is a host or a network, and a port or *",
        arguments: [
            "bank.example:8080", "bank.example:*", "127.0.0.1:*", "10.0.0.0/8:443", "0.0.0.0/0:*", "[::1]:*",
            "[fd00::/8]:443",
            "[2001:db8::1]:80",
        ])
    func entries(text: String) {
        #expect(AllowEntry(text)?.description == text)
    }

    @Test(
        "What is no entry is refused, a network with bits behind its length too",
        arguments: [
            "", ":", "*", "*:*", "bank", "bank:", ":80", "bank:0", "bank:65536", "bank/8:80", "10.0.0.1/8:80",
            "10.0.0.0/33:80",
            "10.0.0.0/:80", "10.0.0.0/-1:80", "10.0.0.0/8/8:80", "fd00::/8:80", "::1:80", "[10.0.0.0/8]:80",
            "[fd00::1/8]:80",
            "[fd00::/129]:80", "[bank]:80", "[::1:80", "*.example:80", "bank:80-90", "http://bank:80",
        ])
    func noEntries(text: String) {
        #expect(AllowEntry(text) == nil)
    }

    @Test("A target is allowed if an entry covers its host and its port, and not otherwise")
    func listed() throws {
        let list = try self.list(["bank.example:8080", "10.0.0.0/8:443", "[fd00::/8]:*"])
        #expect(list.verdict(host: "bank.example", port: 8080) == .allowed)
        #expect(list.verdict(host: "BANK.example.", port: 8080) == .allowed)
        #expect(list.verdict(host: "10.9.8.7", port: 443) == .allowed)
        #expect(list.verdict(host: "::ffff:10.9.8.7", port: 443) == .allowed)
        #expect(list.verdict(host: "[fd12::1]", port: 9) == .allowed)
        #expect(
            list.verdict(host: "bank.example", port: 80) == .refused(.notListed(host: "bank.example", port: 80)))
        #expect(
            list.verdict(host: "www.bank.example", port: 8080)
                == .refused(.notListed(host: "www.bank.example", port: 8080)))
        #expect(list.verdict(host: "11.0.0.1", port: 443) == .refused(.notListed(host: "11.0.0.1", port: 443)))
        #expect(list.verdict(host: "10.0.0.1", port: 80) == .refused(.notListed(host: "10.0.0.1", port: 80)))
    }

    @Test("An empty list allows nothing")
    func empty() throws {
        let list = try self.list([])
        #expect(list.verdict(host: "127.0.0.1", port: 80) != .allowed)
        #expect(list.verdict(host: "bank", port: 80) != .allowed)
        #expect(list.verdict(address: try self.address("10.0.0.1"), port: 80) != .allowed)
    }

    static let always: [(String, TargetRefusal)] = [
        ("0.0.0.0", .unspecified), ("0.1.2.3", .unspecified), ("::", .unspecified), ("169.254.0.1", .linkLocal),
        ("169.254.169.254", .metadataService), ("169.254.170.2", .metadataService),
        ("168.63.129.16", .metadataService), ("100.100.100.200", .metadataService),
        ("fd00:ec2::254", .metadataService), ("fe80::1", .linkLocal), ("febf::1", .linkLocal),
        ("224.0.0.1", .notAHost), ("239.1.1.1", .notAHost), ("255.255.255.255", .notAHost), ("240.0.0.1", .notAHost),
        ("ff02::1", .notAHost), ("::ffff:169.254.169.254", .metadataService), ("::ffff:a9fe:1", .linkLocal),
        ("::ffff:0.0.0.0", .unspecified), ("64:ff9b::169.254.169.254", .metadataService),
        ("2002:a9fe:a9fe::1", .metadataService), ("::169.254.0.1", .linkLocal),
    ]

    @Test("Some addresses are refused whatever the entries say", arguments: AllowListTests.always)
    func alwaysRefused(text: String, refusal: TargetRefusal) throws {
        let list = try self.list(["0.0.0.0/0:*", "[::/0]:*", "bank.example:*"])
        #expect(list.verdict(host: text, port: 80) == .refused(refusal))
        #expect(list.verdict(address: try self.address(text), port: 80) == .refused(refusal))
        #expect(list.verdict(address: try self.address(text), port: 80, host: "bank.example") == .refused(refusal))
    }

    @Test("Every address of the refused networks is refused, and their neighbours are not")
    func edges() throws {
        let list = try self.list(["0.0.0.0/0:*", "[::/0]:*"])
        for text in ["169.253.255.255", "169.255.0.0", "223.255.255.255", "1.0.0.0", "fec0::1", "fe7f::1", "fdff::1"] {
            #expect(list.verdict(address: try self.address(text), port: 80) == .allowed, "\(text)")
        }
    }

    @Test("The name of a metadata service is refused though it is listed")
    func metadataName() throws {
        let list = try self.list(["metadata.google.internal:*"])
        #expect(list.verdict(host: "Metadata.Google.Internal", port: 80) == .refused(.metadataService))
    }

    @Test("The cluster's own addresses are refused, on this machine under every spelling")
    func ownPorts() throws {
        let list = try self.list(
            ["0.0.0.0/0:*", "[::/0]:*", "localhost:*", "n3.example:*"],
            own: ["127.0.0.1:7401", "10.0.0.2:7402", "n3.example:7403"], ownAddresses: ["10.0.0.9"])
        for host in ["127.0.0.1", "127.1.2.3", "localhost", "api.localhost", "::1", "[::ffff:127.0.0.1]", "10.0.0.9"] {
            #expect(list.verdict(host: host, port: 7401) == .refused(.ownPort(7401)), "\(host)")
        }
        #expect(list.verdict(host: "10.0.0.2", port: 7402) == .refused(.ownPort(7402)))
        #expect(list.verdict(host: "n3.example", port: 7403) == .refused(.ownPort(7403)))
        #expect(list.verdict(address: try self.address("10.0.0.9"), port: 7403) == .refused(.ownPort(7403)))
        #expect(list.verdict(address: try self.address("10.0.0.8"), port: 7403) == .allowed)
        #expect(list.verdict(host: "127.0.0.1", port: 8080) == .allowed)
    }

    @Test("A listed name may lead to any address, but not to this machine")
    func rebinding() throws {
        let list = try self.list(["bank.example:8080"])
        #expect(list.verdict(address: try self.address("10.0.0.1"), port: 8080, host: "bank.example") == .allowed)
        #expect(list.verdict(address: try self.address("10.0.0.1"), port: 8080) == .allowed)
        for text in ["127.0.0.1", "::1", "127.8.8.8"] {
            let address = try self.address(text)
            let refusal = TargetVerdict.refused(.notListed(host: address.description, port: 8080))
            #expect(list.verdict(address: address, port: 8080, host: "bank.example") == refusal)
            #expect(list.verdict(address: address, port: 8080) == refusal)
        }
        let elsewhere = try self.address("10.0.0.1")
        #expect(list.verdict(address: elsewhere, port: 8080, host: "other.example") != .allowed)
        #expect(list.verdict(address: elsewhere, port: 8080, host: "10.0.0.1") != .allowed)
        #expect(list.verdict(address: elsewhere, port: 80) != .allowed)
    }

    @Test("localhost as a name covers the loopback addresses and no others")
    func localhost() throws {
        let list = try self.list(["localhost:*"])
        #expect(list.verdict(host: "localhost", port: 80) == .allowed)
        #expect(list.verdict(host: "127.0.0.1", port: 80) == .refused(.notListed(host: "127.0.0.1", port: 80)))
        #expect(list.verdict(address: try self.address("::1"), port: 80, host: "localhost") == .allowed)
        #expect(list.verdict(address: try self.address("10.0.0.1"), port: 80) != .allowed)
    }

    @Test("Hosts and ports that are none are refused as such")
    func malformed() throws {
        let list = try self.list(["0.0.0.0/0:*", "localhost:*"])
        #expect(list.verdict(host: "2130706433", port: 80) == .refused(.invalidHost("2130706433")))
        #expect(list.verdict(host: "", port: 80) == .refused(.invalidHost("")))
        for port in [0, -1, 65536, .max, .min] {
            #expect(list.verdict(host: "localhost", port: port) == .refused(.invalidPort(port)))
        }
    }

    @Test("A refusal says why, and never more than a little of what was sent")
    func descriptions() throws {
        let long = TargetRefusal.invalidHost(String(repeating: "x", count: 5_000))
        #expect(long.description.count < 200)
        let list = try self.list([])
        guard case .refused(let refusal) = list.verdict(host: "10.0.0.1", port: 80) else {
            Issue.record("an empty list must refuse")
            return
        }
        #expect("\(refusal)".contains("10.0.0.1, port 80, is not among the allowed targets"))
    }
}
