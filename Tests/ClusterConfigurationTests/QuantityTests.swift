// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Testing

@Suite("Durations, sizes and identities as text")
struct QuantityTests {
    @Test(
        "A duration reads and writes with its unit",
        arguments: [
            ("30ms", Duration.milliseconds(30)), ("1s", .seconds(1)), ("1500ms", .milliseconds(1_500)),
            ("5min", .seconds(300)), ("2h", .seconds(7_200)), ("0ms", .zero),
        ])
    func durations(text: String, duration: Duration) {
        #expect(DurationText.parse(text) == duration)
        #expect(DurationText.format(duration) == text)
    }

    @Test("A duration is written in its largest whole unit")
    func largestUnit() {
        #expect(DurationText.format(.milliseconds(60_000)) == "1min")
        #expect(DurationText.format(.milliseconds(61_000)) == "61s")
        #expect(DurationText.format(.microseconds(1_999)) == "1ms")
        #expect(DurationText.format(.seconds(Int64.max)).hasSuffix("ms"))
        #expect(DurationText.parse("30 ms") == .milliseconds(30))
    }

    @Test(
        "What is no whole number with a known unit is no duration",
        arguments: [
            "", "30", "ms", "-1s", "+1s", "1.5s", "1d", "1S", "1 m s", "1s 2ms", "٣s", "9223372036854775807h",
            "99999999999999999999ms",
        ])
    func noDurations(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(
        "A size reads and writes with its unit",
        arguments: [("0B", 0), ("1B", 1), ("1023B", 1_023), ("64KiB", 65_536), ("1MiB", 1 << 20), ("4GiB", 4 << 30)])
    func sizes(text: String, bytes: Int) {
        #expect(ByteSizeText.parse(text) == bytes)
        #expect(ByteSizeText.format(bytes) == text)
    }

    @Test(
        "What is no whole number of bytes is no size",
        arguments: ["", "1", "1KB", "1kib", "-1B", "1.5MiB", "9223372036854775807GiB", "1MiB1"])
    func noSizes(text: String) {
        #expect(ByteSizeText.parse(text) == nil)
    }

    @Test("A cluster's identity is 32 hex digits, kept with its leading zeros, and never zero")
    func identifiers() throws {
        let text = "00000000000000ab0000000000000cd0"
        let identifier = try #require(ClusterIdentifier(text: text))
        #expect(identifier.high == 0xab)
        #expect(identifier.description == text)
        #expect(ClusterIdentifier(text: text.uppercased()) == identifier)
        #expect(ClusterIdentifier(high: 0, low: 0) == nil)
        for bad in [
            "", "12", text + "0", String(text.dropLast()) + "g", "+" + text.dropFirst(), "é" + text.dropFirst(2),
        ] {
            #expect(ClusterIdentifier(text: bad) == nil)
        }
        var generator = SystemRandomNumberGenerator()
        #expect(
            ClusterIdentifier.random(using: &generator) != ClusterIdentifier.random(using: &generator))
    }

    @Test(
        "Paths are joined and normalised as text",
        arguments: [
            ("/a", "b", "/a/b"), ("/a", "/b", "/b"), ("", "b", "b"), ("/a", "../b/./c//d/", "/b/c/d"),
            ("/a", "../../..", "/"),
            ("", "../x", "../x"), ("a", "..", "."), (".", "x", "x"),
        ])
    func paths(folder: String, path: String, joined: String) {
        #expect(FilePath.join(folder, path) == joined)
    }

    @Test("A path's folder and name")
    func parts() {
        #expect(FilePath.folder(of: "a/b") == "a")
        #expect(FilePath.folder(of: "b") == ".")
        #expect(FilePath.folder(of: "/b") == "/")
        #expect(FilePath.name(of: "a/b") == "b")
        #expect(FilePath.isInside("/a/b", "/a"))
        #expect(FilePath.isInside("/a", "/"))
        #expect(!FilePath.isInside("/ab", "/a"))
    }
}
