// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// A node's answer to one submission, read no further than a load run needs it.
package enum BenchAnswer: Hashable, Sendable {
    case committed
    case aborted
    /// Recorded; the outcome wasn't there in the time to wait.
    case undecided
    /// Anything but a 2xx: the status, and the problem's code if it names one.
    case refused(status: Int, code: String)

    package enum Malformed: Error, Hashable, Sendable {
        case notHTTP
        /// The length isn't told up front: this reader knows no other way.
        case noLength
        case tooLong
    }

    private static let longest = 1 << 20

    /// Takes the next whole answer from the buffer.
    /// - Returns: `nil` if it isn't all there yet; then nothing is taken.
    package static func next(from buffer: inout ByteBuffer) throws(Malformed) -> BenchAnswer? {
        let parsed: Parsed?
        let result = buffer.withUnsafeReadableBytes { bytes in Result { () throws(Malformed) in try Self.parse(bytes) }
        }
        parsed = try result.get()
        guard let parsed else { return nil }
        buffer.moveReaderIndex(forwardBy: parsed.length)
        return parsed.answer
    }

    private struct Parsed {
        let answer: BenchAnswer
        /// Bytes of head and body.
        let length: Int
    }

    private static func parse(_ bytes: UnsafeRawBufferPointer) throws(Malformed) -> Parsed? {
        guard let end = Self.find("\r\n\r\n", in: bytes, from: 0) else {
            guard bytes.count <= Self.longest else { throw .tooLong }
            return nil
        }
        // "HTTP/1.1 200 OK"
        guard end >= 12, Self.find("HTTP/1.", in: bytes, from: 0, before: 7) == 0,
            let status = Self.number(bytes, from: 9), (100...599).contains(status)
        else { throw .notHTTP }
        guard let length = Self.contentLength(bytes, end: end) else { throw .noLength }
        guard length <= Self.longest else { throw .tooLong }
        let start = end + 4
        guard bytes.count >= start + length else { return nil }
        let body = UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
        return Parsed(answer: Self.judge(status: status, body), length: start + length)
    }

    private static func judge(status: Int, _ body: UnsafeRawBufferPointer) -> BenchAnswer {
        guard (200..<300).contains(status) else {
            return .refused(status: status, code: Self.code(in: body))
        }
        if Self.find("\"outcome\":\"committed\"", in: body, from: 0) != nil { return .committed }
        if Self.find("\"outcome\":\"aborted\"", in: body, from: 0) != nil { return .aborted }
        return .undecided
    }

    private static func code(in body: UnsafeRawBufferPointer) -> String {
        let key: StaticString = "\"code\":\""
        guard let start = Self.find(key, in: body, from: 0) else { return "" }
        let value = body[(start + key.utf8CodeUnitCount)...].prefix { $0 != UInt8(ascii: "\"") }.prefix(64)
        return String(decoding: value, as: UTF8.self)
    }

    private static func contentLength(_ bytes: UnsafeRawBufferPointer, end: Int) -> Int? {
        let name = Array("content-length:".utf8)
        var line = 0
        while line < end {
            let stop = Self.find("\r\n", in: bytes, from: line, before: end) ?? end
            let isIt =
                stop - line > name.count
                && (0..<name.count).allSatisfy { offset in
                    let byte = bytes[line + offset]
                    return ((0x41...0x5a).contains(byte) ? byte | 0x20 : byte) == name[offset]
                }
            if isIt { return Self.number(bytes, from: line + name.count) }
            line = stop + 2
        }
        return nil
    }

    /// A decimal number, spaces before it skipped.
    private static func number(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        let digits = bytes[start...].drop { $0 == 0x20 }.prefix { (0x30...0x39).contains($0) }
        guard (1...9).contains(digits.count) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    private static func find(
        _ text: StaticString, in bytes: UnsafeRawBufferPointer, from start: Int, before end: Int? = nil
    ) -> Int? {
        let wanted = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        let last = (end ?? bytes.count) - wanted.count
        guard let first = wanted.first, start <= last else { return nil }
        var position = start
        while position <= last {
            if bytes[position] == first,
                (1..<wanted.count).allSatisfy({ bytes[position + $0] == wanted[$0] })
            {
                return position
            }
            position += 1
        }
        return nil
    }
}
