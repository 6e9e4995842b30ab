// SPDX-License-Identifier: Apache-2.0

import Raft
import RaftStore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Measures the log store against the disk that it is on.
@main
enum LogBench {
    private static let batchSizes = [1, 8, 64]

    /// What one batch size came to: medians over the rounds.
    struct Row {
        let batch: Int
        let rawRate: Double
        let storeRate: Double
        let rawMedian: Double
        let storeMedian: Double
        /// The median over the rounds of each round's own ratio: a slow moment of the disk hits both sides of a round.
        let ratio: Double
    }

    static func main() {
        do {
            let arguments = try BenchArguments(Array(CommandLine.arguments.dropFirst()))
            guard let kind = FileSystemKind(ofFolder: arguments.folder) else {
                throw BenchError(text: "\(arguments.folder) is no folder that can be measured in")
            }
            guard !kind.isMemory else {
                throw BenchError(
                    text: "\(arguments.folder) is on \(kind.name), where a sync means nothing: say --folder "
                        + "with one on a disk")
            }
            let home = arguments.folder + "/logbench-\(getpid())"
            guard mkdir(home, 0o700) == 0 else {
                throw BenchError(text: "\(home) can't be made (errno \(errno))")
            }
            defer { Self.remove(home) }
            let rows = try Self.measure(arguments, home)
            print(
                arguments.isJSON
                    ? Self.json(rows, kind, arguments) : Self.table(rows, kind, arguments))
        } catch let error as BenchArguments.Mistake {
            Self.fail("\(error.text)\n\(BenchArguments.usage)", code: 64)
        } catch let error as BenchError {
            Self.fail(error.text, code: 1)
        } catch {
            Self.fail("\(error)", code: 1)
        }
    }

    private static func measure(_ arguments: BenchArguments, _ home: String) throws -> [Row] {
        let raw = try RawFile(path: home + "/raw")
        let store = try StoreFile(path: home + "/node", walBound: arguments.walBound)
        var source = BatchSource()
        var rounds: [Int: [(raw: Round, store: Round)]] = [:]
        // The first round grows the WAL and doesn't count.
        for number in 0...arguments.rounds {
            for size in self.batchSizes {
                let batches = (0..<arguments.commits).map { _ in source.batch(of: size) }
                let round = try self.round(batches, raw, store)
                if number > 0 { rounds[size, default: []].append(round) }
            }
        }
        return self.batchSizes.compactMap { size in
            guard let rounds = rounds[size] else { return nil }
            return Row(
                batch: size, rawRate: self.median(rounds.map(\.raw.rate)),
                storeRate: self.median(rounds.map(\.store.rate)), rawMedian: self.median(rounds.map(\.raw.median)),
                storeMedian: self.median(rounds.map(\.store.median)),
                ratio: self.median(rounds.map { $0.store.rate / $0.raw.rate }))
        }
    }

    /// One commit of each in turn, so that a slow moment of the disk hits both.
    private static func round(
        _ batches: [Batch], _ raw: RawFile, _ store: StoreFile
    ) throws -> (raw: Round, store: Round) {
        let rows = batches.map { EntryCodec.encode($0.entries) }
        var times = (raw: Round(), store: Round())
        for (number, batch) in batches.enumerated() {
            for isRaw in number % 2 == 0 ? [true, false] : [false, true] {
                let start = nanoseconds()
                if isRaw { try raw.append(rows[number]) } else { try store.append(batch) }
                let time = nanoseconds() - start
                if isRaw { times.raw.add(time) } else { times.store.add(time) }
            }
        }
        return times
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    // MARK: What it says

    private static func table(_ rows: [Row], _ kind: FileSystemKind, _ arguments: BenchArguments) -> String {
        var lines = [
            "Entries of 256 bytes; \(arguments.rounds) rounds of \(arguments.commits) commits; checkpoints at "
                + "\(arguments.walBound >> 10) KiB of WAL are part of it.",
            "File system \(kind.name); fdatasync p50 \(self.text(rows.first?.rawMedian ?? 0, 0)) µs; "
                + "load \(self.text(self.load(), 2)).",
            "", "batch   raw commits/s   store commits/s   raw p50 µs   store p50 µs   store/raw",
        ]
        for row in rows {
            lines.append(
                self.pad(String(row.batch), 5) + self.pad(self.text(row.rawRate, 0), 16)
                    + self.pad(self.text(row.storeRate, 0), 18) + self.pad(self.text(row.rawMedian, 0), 13)
                    + self.pad(self.text(row.storeMedian, 0), 15) + self.pad(self.text(row.ratio, 2), 12))
        }
        return lines.joined(separator: "\n")
    }

    private static func json(_ rows: [Row], _ kind: FileSystemKind, _ arguments: BenchArguments) -> String {
        let list = rows.map { row in
            "{\"batch\":\(row.batch),\"raw_per_second\":\(self.text(row.rawRate, 1)),"
                + "\"store_per_second\":\(self.text(row.storeRate, 1)),"
                + "\"raw_p50_us\":\(self.text(row.rawMedian, 1)),\"store_p50_us\":\(self.text(row.storeMedian, 1)),"
                + "\"ratio\":\(self.text(row.ratio, 3))}"
        }
        return "{\"file_system\":\"\(kind.name)\",\"fdatasync_p50_us\":\(self.text(rows.first?.rawMedian ?? 0, 1)),"
            + "\"load\":\(self.text(self.load(), 2)),\"rounds\":\(arguments.rounds),"
            + "\"commits\":\(arguments.commits),\"wal_bound\":\(arguments.walBound),"
            + "\"batches\":[\(list.joined(separator: ","))]}"
    }

    /// The machine's load over the last minute.
    private static func load() -> Double {
        var loads = [0.0]
        return getloadavg(&loads, 1) == 1 ? loads[0] : 0
    }

    private static func text(_ value: Double, _ digits: Int) -> String {
        let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
        let whole = Int((value * Double(scale)).rounded())
        guard digits > 0 else { return String(whole) }
        let fraction = String(whole % scale)
        return "\(whole / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    // MARK: Ends

    private static func fail(_ text: String, code: Int32) -> Never {
        let bytes = Array("logbench: \(text)\n".utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        exit(code)
    }

    /// Removes what a measurement has made: two folders deep, nothing else.
    private static func remove(_ home: String) {
        let node = home + "/node"
        for name in ["raft.db", "raft.db-wal", "raft.db-shm", "wal.mark", "reserve", "LOCK", "INITIALISING"] {
            unlink(node + "/" + name)
        }
        rmdir(node)
        unlink(home + "/raw")
        rmdir(home)
    }
}
