// SPDX-License-Identifier: Apache-2.0

import Foundation
import Raft
import RaftStore
import Testing

@Suite("A node's data folder") struct DataFolderTests {
    private static func error(_ body: () throws(StoreError) -> Void) -> StoreError? {
        do throws(StoreError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    @Test("A missing and an empty folder start no node; the error says so")
    func notInitialised() throws {
        let fixture = try StoreFixture(isInitialised: false)
        let missing = Self.error { () throws(StoreError) in _ = try fixture.open() }
        #expect(missing == .notInitialised(path: fixture.path, detail: "there is no such folder"))
        #expect(try DataFolder.inspect(path: fixture.path) == .missing)
        try FileManager.default.createDirectory(atPath: fixture.path, withIntermediateDirectories: false)
        let empty = Self.error { () throws(StoreError) in _ = try fixture.open() }
        #expect(empty == .notInitialised(path: fixture.path, detail: "it is empty"))
        #expect(try DataFolder.inspect(path: fixture.path) == .empty)
        try fixture.initialise()
        #expect(try fixture.recovered() == StoreFixture.empty)
    }

    @Test("A folder remembers whether the group began with it, also when what it knows of the members changes")
    func founder() throws {
        let unknown = Membership(voters: StoreFixture.members.map { Member(nodeID: $0.nodeID, storageID: .unknown) })
        let base = Batch(
            sequence: 1, hardState: HardState(currentTerm: Term(rawValue: 1), votedFor: nil),
            base: LogBase(
                position: LogPosition(index: LogIndex(rawValue: 9), term: Term(rawValue: 1)), membership: unknown,
                keepsEntries: false), truncateFrom: nil, entries: [])
        let founding = try StoreFixture()
        #expect(try founding.open().founding == 0)
        try founding.write([base])
        #expect(try founding.open().founding == 0)
        let joining = try StoreFixture(isInitialised: false)
        try DataFolder.initialise(
            path: joining.path, clusterID: StoreFixture.cluster, nodeID: .n1, storageID: StorageID(rawValue: 7),
            members: unknown.voters.filter { $0.nodeID != .n1 }, isJoining: true)
        #expect(try joining.open().founding == nil)
        try joining.write([base])
        #expect(try joining.open().founding == nil)
    }

    @Test("A folder with something else in it becomes no node's")
    func notEmpty() throws {
        let fixture = try StoreFixture(isInitialised: false)
        try FileManager.default.createDirectory(atPath: fixture.path, withIntermediateDirectories: false)
        try fixture.replace("letter.txt", with: [1])
        #expect(throws: StoreError.notEmpty(path: fixture.path, found: ["letter.txt"])) { try fixture.initialise() }
        #expect(try DataFolder.inspect(path: fixture.path) == .foreign(names: ["letter.txt"]))
        #expect(try fixture.bytes(of: "letter.txt") == [1])
    }

    @Test("A node's folder isn't initialised twice")
    func twice() throws {
        let fixture = try StoreFixture()
        #expect(throws: StoreError.self) { try fixture.initialise() }
        #expect(try fixture.recovered() == StoreFixture.empty)
    }

    @Test("An initialisation that was cut off starts no node, and can be begun again")
    func unfinished() throws {
        let fixture = try StoreFixture()
        try fixture.replace(DataFolder.Names.unfinished, with: [])
        #expect(throws: StoreError.self) { try fixture.open() }
        #expect(try DataFolder.inspect(path: fixture.path) == .unfinished)
        try fixture.initialise()
        #expect(try fixture.recovered() == StoreFixture.empty)
    }

    @Test("The folder of another node or cluster is refused and left as it is")
    func foreign() throws {
        let fixture = try StoreFixture()
        let before = try fixture.bytes(of: DataFolder.Names.mark)
        let otherNode = Self.error { () throws(StoreError) in
            _ = try SQLiteLog(folder: fixture.path, nodeID: .n2, clusterID: StoreFixture.cluster)
        }
        let cluster = StoreFixture.cluster.hex
        #expect(
            otherNode
                == .foreign(
                    path: fixture.path, expected: "node n2 of cluster \(cluster)",
                    found: "node n1 of cluster \(cluster)"))
        let otherCluster = Self.error { () throws(StoreError) in
            _ = try SQLiteLog(folder: fixture.path, nodeID: .n1, clusterID: ClusterID(high: 1, low: 2))
        }
        guard case .foreign = otherCluster else {
            Issue.record("the folder of another cluster was opened")
            return
        }
        #expect(try fixture.bytes(of: DataFolder.Names.mark) == before)
    }

    @Test("A second user of the folder is told who has it")
    func locked() throws {
        let fixture = try StoreFixture()
        let log = try fixture.open()
        let pid = ProcessInfo.processInfo.processIdentifier
        #expect(throws: StoreError.locked(path: fixture.path, pid: pid)) { try fixture.open() }
        #expect(throws: StoreError.locked(path: fixture.path, pid: pid)) {
            _ = try OfflineLogReader(path: fixture.path)
        }
        let state = try DataFolder.inspect(path: fixture.path)
        #expect(state == .initialised(log.identity, members: nil, pid: pid))
        try log.close()
        #expect(try fixture.recovered() == StoreFixture.empty)
    }

    @Test("A look at a folder tells whose it is")
    func inspect() throws {
        let fixture = try StoreFixture()
        var members = StoreFixture.members
        members[0] = Member(nodeID: .n1, storageID: StorageID(rawValue: 7))
        let identity = StoreIdentity(
            clusterID: StoreFixture.cluster, nodeID: .n1, storageID: StorageID(rawValue: 7))
        #expect(try DataFolder.inspect(path: fixture.path) == .initialised(identity, members: members, pid: nil))
    }

    @Test("Members must be named once, with names of 1 to 32 bytes, and hold the node itself")
    func members() throws {
        for names in [["n1", "n1"], ["n2", "n3"], ["n1", ""], ["n1", String(repeating: "x", count: 33)]] {
            let fixture = try StoreFixture(isInitialised: false)
            let members = names.map { Member(nodeID: NodeID(rawValue: $0), storageID: .unknown) }
            #expect(throws: StoreError.self) {
                try DataFolder.initialise(
                    path: fixture.path, clusterID: StoreFixture.cluster, nodeID: .n1, members: members)
            }
            #expect(try DataFolder.inspect(path: fixture.path) == .missing)
        }
    }

    @Test("Nobody else may read the files")
    func permissions() throws {
        let fixture = try StoreFixture()
        var maker = BatchMaker()
        try fixture.write([maker.append([10])])
        for name in try FileManager.default.contentsOfDirectory(atPath: fixture.path) {
            let attributes = try FileManager.default.attributesOfItem(atPath: fixture.file(name))
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
        }
        let attributes = try FileManager.default.attributesOfItem(atPath: fixture.path)
        #expect(attributes[.posixPermissions] as? Int == 0o700)
    }
}
