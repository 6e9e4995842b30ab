// SPDX-License-Identifier: Apache-2.0

import Bytes

// Reading this target's own types. Every length is bounded before anything is reserved.

extension ByteReader {
    mutating func readVersion(_ version: UInt8) throws(ByteError) {
        let start = self.offset
        guard try self.read(UInt8.self) == version else { throw .invalidValue(offset: start, field: "version") }
    }

    /// One byte that stands for a case of an enum.
    mutating func readRaw<Value>(_ field: String, _ make: (UInt8) -> Value?) throws(ByteError) -> Value {
        let start = self.offset
        guard let value = make(try self.read(UInt8.self)) else { throw .invalidValue(offset: start, field: field) }
        return value
    }

    mutating func readGid() throws(ByteError) -> Gid {
        let start = self.offset
        guard let gid = Gid(rawValue: try self.readString(limit: Gid.maximumLength)) else {
            throw .invalidValue(offset: start, field: "gid")
        }
        return gid
    }

    mutating func readBranchID() throws(ByteError) -> BranchID {
        let start = self.offset
        guard let id = BranchID(rawValue: try self.readString(limit: BranchID.maximumLength)) else {
            throw .invalidValue(offset: start, field: "branch id")
        }
        return id
    }

    mutating func readLogTime() throws(ByteError) -> LogTime {
        let start = self.offset
        let time = LogTime(rawValue: try self.read())
        guard time <= .maximum else { throw .invalidValue(offset: start, field: "time") }
        return time
    }

    mutating func readOptionalText(_ field: String) throws(ByteError) -> String? {
        try self.readOptional(field) { reader throws(ByteError) in
            try reader.readString(limit: Limits.textLength)
        }
    }
}
