// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Testing

@Suite("Addresses as text and as bytes")
struct ResolvedAddressTests {
    @Test(
        "An address reads and writes in its canonical form",
        arguments: [
            ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
            ("::", "::"), ("::1", "::1"), ("0:0:0:0:0:0:0:1", "::1"), ("fe80::1", "fe80::1"),
            ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("1::", "1::"), ("::ffff:10.1.2.3", "10.1.2.3"), ("::FFFF:7f00:1", "127.0.0.1"),
            ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        ])
    func canonical(text: String, expected: String) throws {
        let address = try #require(ResolvedAddress(text: text))
        #expect(address.description == expected)
        #expect(ResolvedAddress(text: address.description) == address)
    }

    @Test(
        "Text that some resolvers bend into an address is none",
        arguments: [
            "", "1", "127.1", "127.0.0", "127.0.0.1.", "127.0.0.256", "127.0.0.01", "0177.0.0.1", "0x7f.0.0.1",
            "1.2.3.4.5",
            "-1.2.3.4", "1.2.3.+4", " 127.0.0.1", "１.2.3.4", ":", ":::", "1:::2", "1::2::3", "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7::8:9", "1::2:3:4:5:6:7:8", "12345::", "g::", "fe80::1%eth0", "[::1]", "1.2.3.4::", "::1.2.3",
            "::ffff:1.2.3.256", ":1", "1:",
        ])
    func noAddress(text: String) {
        #expect(ResolvedAddress(text: text) == nil)
    }

    @Test("Bytes of another length than four or sixteen are no address")
    func lengths() {
        for count in 0...20 where count != 4 && count != 16 {
            #expect(ResolvedAddress(bytes: [UInt8](repeating: 1, count: count)) == nil)
        }
    }

    @Test("A prefix covers its own family and its own bits alone")
    func prefixes() throws {
        let ten = try #require(ResolvedAddress(text: "10.0.0.0"))
        #expect(ResolvedAddress(10, 255, 0, 1).hasPrefix(ten, length: 8))
        #expect(!ResolvedAddress(11, 0, 0, 0).hasPrefix(ten, length: 8))
        #expect(ResolvedAddress(10, 1, 0, 0).hasPrefix(ten, length: 15))
        #expect(!ResolvedAddress(10, 2, 0, 0).hasPrefix(ten, length: 15))
        #expect(ResolvedAddress(200, 0, 0, 0).hasPrefix(ten, length: 0))
        let any = try #require(ResolvedAddress(text: "::"))
        #expect(!ResolvedAddress(10, 0, 0, 0).hasPrefix(any, length: 0))
    }

    @Test(
        "A host is an address or a name of letters, digits, - and _",
        arguments: [
            ("Bank.Example.", "bank.example"), ("bank_1", "bank_1"), ("[::1]", "::1"), ("::1", "::1"),
            ("10.0.0.1", "10.0.0.1"),
            ("3com.example", "3com.example"), ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ])
    func hosts(text: String, expected: String) {
        #expect(Host(text)?.description == expected)
    }

    @Test(
        "A host that a resolver could take for an address is refused",
        arguments: [
            "", ".", "..", "2130706433", "0x7f000001", "0x7f.1", "127.1", "foo.0x1", "foo.1", "1.2.3", "bank..example",
            ".bank",
            "-bank", "bank-", "bank example", "bank/", "bank:80", "bänk", "bank\u{0}", "bank%2e", "[127.0.0.1]",
            "[bank]", "[::1",
            "[]", String(repeating: "a", count: 64), String(repeating: "a.", count: 127) + "ab",
        ])
    func noHosts(text: String) {
        #expect(Host(text) == nil)
    }

    @Test(
        "An endpoint is a host and a port",
        arguments: [
            ("127.0.0.1:7501", "127.0.0.1:7501"), ("[::1]:80", "[::1]:80"), ("N1.example:65535", "n1.example:65535"),
        ])
    func endpoints(text: String, expected: String) {
        #expect(Endpoint(text)?.description == expected)
    }

    @Test(
        "Text without a host or with an impossible port is no endpoint",
        arguments: [
            "", ":", "n1", "n1:", ":80", "n1:0", "n1:65536", "n1:-1", "n1:+1", "n1:１", "n1:80 ", "::1:80", "n1:080000",
            "[::1]", "n1:*",
        ])
    func noEndpoints(text: String) {
        #expect(Endpoint(text) == nil)
    }
}
