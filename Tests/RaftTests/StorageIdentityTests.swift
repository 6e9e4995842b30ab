// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@Suite("A member is a node with one life of its folder") struct StorageIdentityTests {
    private static func adjust(_ storage: StorageID) -> (inout RaftConfiguration) -> Void {
        { $0.storageID = storage }
    }

    private static func stands(_ fixture: inout Fixture) -> Bool {
        fixture.elapse()
        return fixture.core.summary.role != .follower
    }

    @Test("A node whose name is another one's by now has no vote and never stands (faults 38)") func another() {
        let own = Member.test("n1").storageID
        var member = Fixture(membership: .three, adjust: Self.adjust(own))
        #expect(Self.stands(&member))
        var other = Fixture(membership: .three, adjust: Self.adjust(StorageID(rawValue: own.rawValue + 1)))
        #expect(!Self.stands(&other))
        #expect(other.core.listing == nil)
        #expect(other.core.summary.role == .follower)
    }

    @Test("An own vote that isn't counted makes no majority smaller") func majority() {
        var other = Fixture(
            membership: .test(["n1", "n2"]), terms: [1], adjust: Self.adjust(StorageID(rawValue: 5)))
        #expect(!Self.stands(&other))
        let alone = Fixture(membership: .test(["n1"]), adjust: Self.adjust(StorageID(rawValue: 5)))
        #expect(alone.core.summary.role == .follower)
        #expect(alone.core.commitIndex == .zero)
    }

    @Test("A log says through which index this life of the folder takes part") func listing() {
        let own = Member.test("n1").storageID
        let founded = Fixture(membership: .three, adjust: Self.adjust(own))
        #expect(founded.core.listing == 0)
        let changed = Fixture(
            membership: .three, terms: [1], more: [.test(2, term: 1, .test(["n1", "n2", "n3"], learners: ["n4"]))],
            adjust: Self.adjust(own))
        #expect(changed.core.listing == 2)
        #expect(changed.core.committedMembership.index == 0)
        #expect(changed.core.committedMembership.membership == .three)
        let compacted = Fixture(
            currentTerm: 1, base: .test(7, term: 1), membership: .three, terms: [1], adjust: Self.adjust(own))
        #expect(compacted.core.listing == 7)
        // To be told so, when the removal is committed: it may never hear of that in its own log.
        let leaving = Fixture(
            membership: .three, terms: [1], more: [.test(2, term: 1, .test(["n2", "n3"]))], adjust: Self.adjust(own))
        #expect(leaving.core.listing == 0)
        let joining = Fixture(membership: .test(["n2", "n3", "n4"]), adjust: Self.adjust(own))
        #expect(joining.core.listing == nil)
    }

    @Test("A change writes into the log what has been learned of members that it didn't know")
    func filled() throws {
        let unknown = ["n1", "n2", "n3"].map { Member(nodeID: NodeID(rawValue: $0), storageID: .unknown) }
        var fixture = Fixture(membership: Membership(voters: unknown), adjust: Self.adjust(StorageID(rawValue: 1)))
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        let known = [
            Member(nodeID: "n2", storageID: StorageID(rawValue: 2), peerAddress: "two:1", clientAddress: "two:2"),
            // Not a member: nothing comes of it.
            Member(nodeID: "n9", storageID: StorageID(rawValue: 9)),
        ]
        fixture.stepAndSave(
            .changeMembership(ProposalID(rawValue: 1), .addLearners([.test("n4")]), known: known))
        let membership = fixture.core.membership
        #expect(membership.members.map(\.nodeID) == ["n1", "n2", "n3", "n4"])
        #expect(membership.member("n1")?.storageID == StorageID(rawValue: 1))
        #expect(membership.member("n2") == known[0])
        #expect(membership.member("n3")?.storageID == .unknown)
        #expect(!membership.isJoint)
    }

    @Test("What is known of a member is never replaced by what is learned") func knownStays() {
        let old = Member(nodeID: "n2", storageID: StorageID(rawValue: 2), peerAddress: "here:1")
        let new = Member(nodeID: "n2", storageID: StorageID(rawValue: 3), peerAddress: "there:1", clientAddress: "c:1")
        let filled = Membership(voters: [old]).filled(from: [new])
        #expect(filled.voters == [old])
        let same = Member(nodeID: "n2", storageID: StorageID(rawValue: 2), peerAddress: "there:1", clientAddress: "c:1")
        #expect(
            Membership(voters: [old]).filled(from: [same]).voters
                == [
                    Member(nodeID: "n2", storageID: StorageID(rawValue: 2), peerAddress: "here:1", clientAddress: "c:1")
                ])
    }

    @Test("Whoever joins has a disk that the log names: it is never believed at first use") func unknownJoins() {
        var fixture = Fixture(membership: .three)
        fixture.elect()
        fixture.acknowledge(1, from: "n2")
        let effects = fixture.change(.addLearners([Member(nodeID: "n4", storageID: .unknown)]))
        #expect(effects.membershipProblems == [.storageUnknown("n4")])
    }
}
