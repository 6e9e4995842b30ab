// SPDX-License-Identifier: Apache-2.0

#if canImport(Musl)
    internal import Musl
#else
    internal import Glibc
#endif

/// `wal.mark` on the disk, and the WAL's header that it is compared with. See `WALMark` for what it is for.
///
/// A mark that needn't be synced is written through a mapping of the file: a call for each commit costs a tenth of it.
struct MarkFile: ~Copyable {
    private let file: File
    private let mapping: UnsafeMutableRawPointer
    /// SQLite takes no locks on the WAL itself, so a descriptor of our own does no harm.
    private let wal: File
    private(set) var mark: WALMark
    /// The next commit may begin the WAL anew.
    private var mayRestart = true

    /// Opens the mark of a folder whose log is known to be good.
    init(folder: String, mark: WALMark) throws(StoreError) {
        let file = try File(folder + "/" + DataFolder.Names.mark, flags: O_RDWR)
        let wal = try File(folder + "/" + DataFolder.Names.wal, flags: O_RDONLY)
        let mapped = mmap(nil, WALMark.fileLength, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0)
        guard let mapped, mapped != UnsafeMutableRawPointer(bitPattern: -1) else {
            throw FileSystem.error("mmap", file.path)
        }
        self.file = file
        self.mapping = mapped
        self.wal = wal
        self.mark = mark
    }

    deinit { munmap(self.mapping, WALMark.fileLength) }

    /// Creates the mark of a new log. The caller syncs the folder.
    static func create(folder: String, identity: StoreIdentity, commitCounter: UInt64) throws(StoreError) {
        do {
            let file = try File(folder + "/" + DataFolder.Names.mark, flags: O_RDWR | O_CREAT)
            try file.write([UInt8](repeating: 0, count: WALMark.fileLength), at: 0)
        }
        let wal = try File(folder + "/" + DataFolder.Names.wal, flags: O_RDWR)
        try wal.sync()
        let generation = try self.generation(in: wal)
        var mark = try MarkFile(
            folder: folder,
            mark: WALMark(
                sequence: 0, identity: identity, commitCounter: commitCounter, generation: generation, walLength: 0))
        try mark.renew(commitCounter: commitCounter)
    }

    static func read(folder: String) throws(StoreError) -> WALMark {
        let path = folder + "/" + DataFolder.Names.mark
        guard FileSystem.exists(path) else { throw .corrupt(path: path, detail: "it is missing") }
        let bytes = try File(path, flags: O_RDONLY).readAll()
        guard bytes.count == WALMark.fileLength else {
            throw .corrupt(path: path, detail: "it is \(bytes.count) bytes long, not \(WALMark.fileLength)")
        }
        guard let mark = WALMark.newest(in: bytes) else {
            throw .corrupt(path: path, detail: "both of its records fail their checksums")
        }
        return mark
    }

    /// To be called before a checkpoint: SQLite begins the WAL anew only behind one.
    mutating func expectRestart() { self.mayRestart = true }

    /// Notes a transaction that has just been synced: durably if it opened a new generation of the WAL.
    mutating func note(commitCounter: UInt64) throws(StoreError) {
        if self.mayRestart {
            let generation = try Self.generation(in: self.wal)
            if generation != self.mark.generation {
                try self.write(commitCounter: commitCounter, generation: generation)
                try self.file.syncData()
                self.mayRestart = false
                return
            }
        }
        self.mark.sequence += 1
        self.mark.commitCounter = commitCounter
        UnsafeMutableRawBufferPointer(start: self.mapping, count: WALMark.fileLength)[self.mark.offset...]
            .copyBytes(from: self.mark.encoded())
    }

    /// Writes and syncs both records, one after the other, so that one is whole at every moment.
    mutating func renew(commitCounter: UInt64) throws(StoreError) {
        let generation = try Self.generation(in: self.wal)
        for _ in 0..<2 {
            try self.write(commitCounter: commitCounter, generation: generation)
            try self.file.sync()
        }
    }

    private mutating func write(commitCounter: UInt64, generation: WALInspection.Generation) throws(StoreError) {
        self.mark.sequence += 1
        self.mark.commitCounter = commitCounter
        self.mark.generation = generation
        self.mark.walLength = UInt64(try self.wal.length())
        do throws(StoreError) {
            try self.file.write(self.mark.encoded(), at: self.mark.offset)
        } catch {
            // The transaction that it notes is on the disk already: trying again as on a full disk would write it
            // twice.
            guard case .diskFull(let path) = error else { throw error }
            throw .io(errno: ENOSPC, call: "pwrite", path: path)
        }
    }

    private static func generation(in wal: borrowing File) throws(StoreError) -> WALInspection.Generation {
        let header = try wal.read(WALInspection.headerLength, at: 0)
        do throws(WALInspection.Damage) {
            return try WALInspection.generation(ofHeader: header)
        } catch {
            throw .corrupt(path: wal.path, detail: error.description)
        }
    }
}
