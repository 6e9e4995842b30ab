// SPDX-License-Identifier: Apache-2.0

package import Raft
internal import SQLite

#if canImport(Musl)
    internal import Musl
#else
    internal import Glibc
#endif

/// A node's data folder as the command line sees it: what is in it, and how it comes to be.
package enum DataFolder {
    /// The names of the log's files.
    package enum Names {
        package static let database = "raft.db"
        package static let wal = "raft.db-wal"
        package static let mark = "wal.mark"
        package static let reserve = "reserve"
        package static let lock = "LOCK"
        /// Stands in the folder until its initialisation is whole and synced.
        package static let unfinished = "INITIALISING"

        /// A copy of the database as rot was found in it.
        package static let damaged = "raft.db.damaged"

        /// Says that the node was removed from its cluster, and at which entry.
        package static let removed = "REMOVED"

        /// The applied state, which another module keeps in the folder.
        package static let state = "state.db"

        /// Everything that an initialisation may leave when it is cut off.
        static let all = [
            database, wal, "raft.db-shm", "raft.db-journal", mark, reserve, lock, unfinished, state, "state.db-wal",
            "state.db-shm", "state.db-journal",
        ]
    }

    /// What stands in a folder.
    package enum State: Hashable, Sendable {
        case missing
        case empty
        /// An initialisation was cut off; it can be begun again, nothing ran from it.
        case unfinished
        /// Something else is in the folder.
        case foreign(names: [String])
        /// A node's folder. `members` is `nil` while a process runs on it: `pid` then says which (0: it didn't say).
        case initialised(StoreIdentity, members: [Member]?, pid: Int32?)
    }

    /// Looks into a folder and changes nothing.
    /// - Throws: damage that hides whose folder it is, or what keeps it from being read.
    package static func inspect(path: String) throws(StoreError) -> State {
        guard let names = try FileSystem.names(in: path) else { return .missing }
        if names.contains(Names.unfinished) { return .unfinished }
        guard names.contains(Names.database) || names.contains(Names.mark) else {
            let others = names.filter { $0 != Names.lock }
            return others.isEmpty ? .empty : .foreign(names: others)
        }
        let identity = try MarkFile.read(folder: path).identity
        if let pid = try FolderLock.holder(folder: path) {
            return .initialised(identity, members: nil, pid: pid)
        }
        do throws(StoreError) {
            let reader = try OfflineLogReader(path: path)
            return .initialised(reader.identity, members: reader.members, pid: nil)
        } catch {
            // A process that started meanwhile.
            guard case .locked(_, let pid) = error else { throw error }
            return .initialised(identity, members: nil, pid: pid)
        }
    }

    /// Makes a folder a node's: creates it if there is none, writes the empty log, and syncs everything.
    ///
    /// A file that is removed last says until then that the work isn't done; so a crash leaves a folder that no node
    /// starts from and that can be initialised again.
    /// - Parameters:
    ///   - storageID: random bits that name this life of the folder.
    ///   - members: every voter, this node included; `storageID` is filled in for it, and may be `.unknown` for others.
    ///   - isJoining: the node is no member yet; `members` are those of the group that it joins, as far as they are known.
    ///   - base: what the log's first entry will follow; not zero only for a node that `fill` gives the state at that place.
    ///   - founding: names the state that the group begins with, the same on each of its nodes: a digest of what `fill` gives.
    ///   - reserveBytes: room kept for term and vote on a full disk.
    ///   - fill: puts the applied state into the folder, synced.
    @discardableResult
    package static func initialise(
        path: String, clusterID: ClusterID, nodeID: NodeID, storageID: StorageID = .random(), members: [Member],
        isJoining: Bool = false, base: LogPosition = .zero, founding: UInt64 = 0,
        reserveBytes: Int = Reserve.defaultLength,
        fill: (StoreIdentity) throws(StoreError) -> Void = { _ in }
    ) throws(StoreError) -> StoreIdentity {
        let identity = StoreIdentity(clusterID: clusterID, nodeID: nodeID, storageID: storageID)
        let members = try self.checked(members, of: identity, isJoining: isJoining, path: path)
        if try FileSystem.names(in: path) == nil {
            try FileSystem.makeFolder(path)
            try FileSystem.syncFolder(FileSystem.parent(of: path))
        }
        let lock = try FolderLock(folder: path)
        try self.prepare(path)
        try LogDatabase.create(
            folder: path, identity: identity, members: members, base: base, founding: isJoining ? nil : founding)
        try Reserve(folder: path, length: reserveBytes).refill()
        try fill(identity)
        try FileSystem.syncFolder(path)
        try FileSystem.remove(path + "/" + Names.unfinished)
        try FileSystem.syncFolder(path)
        lock.release()
        return identity
    }

    /// Notes for good that the node isn't a member any more. Called by the process that has the folder.
    package static func noteRemoved(path: String, at index: UInt64) throws(StoreError) {
        let note = try File(path + "/" + Names.removed, flags: O_RDWR | O_CREAT)
        try note.write(Array("\(index)\n".utf8), at: 0)
        try note.sync()
        try FileSystem.syncFolder(path)
    }

    /// The entry at which the node was removed; nil if it wasn't, as far as the folder knows.
    package static func removedAt(path: String) -> UInt64? {
        guard let note = try? File(path + "/" + Names.removed, flags: O_RDONLY) else { return nil }
        let bytes = (try? note.readAll()) ?? []
        return UInt64(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) ?? 0
    }

    /// Refuses a folder with content, removes what an initialisation that was cut off has left, and notes that one is
    /// under way.
    private static func prepare(_ path: String) throws(StoreError) {
        let found = (try FileSystem.names(in: path) ?? []).filter { $0 != Names.lock }
        let isOurs = found.contains(Names.unfinished) && found.allSatisfy(Names.all.contains)
        guard found.isEmpty || isOurs else { throw .notEmpty(path: path, found: found) }
        let note = try File(path + "/" + Names.unfinished, flags: O_RDWR | O_CREAT)
        try note.sync()
        for name in found where name != Names.unfinished { try FileSystem.remove(path + "/" + name) }
        try FileSystem.syncFolder(path)
    }

    private static func checked(
        _ members: [Member], of identity: StoreIdentity, isJoining: Bool, path: String
    ) throws(StoreError) -> [Member] {
        for nodeID in members.map(\.nodeID) + [identity.nodeID] {
            guard (1...NodeID.maximumLength).contains(nodeID.rawValue.utf8.count) else {
                throw .notInitialised(
                    path: path, detail: "a node id has 1 to \(NodeID.maximumLength) bytes, not '\(nodeID.rawValue)'")
            }
        }
        guard Set(members.map(\.nodeID)).count == members.count, members.count <= Membership.maximumMembers else {
            throw .notInitialised(
                path: path, detail: "each of at most \(Membership.maximumMembers) members is named once")
        }
        guard members.contains(where: { $0.nodeID == identity.nodeID }) != isJoining else {
            throw .notInitialised(
                path: path,
                detail: "node \(identity.nodeID.rawValue) is \(isJoining ? "already" : "not") among the members")
        }
        return members.map { member in
            member.nodeID == identity.nodeID
                ? Member(nodeID: member.nodeID, storageID: identity.storageID) : member
        }
    }
}
