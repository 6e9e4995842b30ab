// SPDX-License-Identifier: Apache-2.0

import Bytes
import Raft
import Testing

@Suite("A folder that joined isn't the founder whose name it has") struct OwnLifeTests {
    private static let own = StorageID(rawValue: 99)
    /// As a leader writes it that has never heard of n1.
    private static let unknown = Membership(
        voters: [
            Member(nodeID: "n1", storageID: .unknown), .test("n2"), .test("n3"),
        ])

    private static func node(isFounder: Bool, base: LogPosition = .zero, more: [Entry] = []) -> Fixture {
        Fixture(base: base, membership: self.unknown, more: more) {
            $0.storageID = self.own
            $0.isFounder = isFounder
        }
    }

    private static func stands(_ fixture: Fixture) -> Bool {
        var fixture = fixture
        fixture.elapse()
        return fixture.core.summary.role != .follower
    }

    @Test("By a log that doesn't know the founder's life only the founder has a vote (found by the simulator)")
    func votes() {
        #expect(Self.stands(Self.node(isFounder: true)))
        #expect(!Self.stands(Self.node(isFounder: false)))
        // The same when a snapshot or an entry has named the members.
        #expect(!Self.stands(Self.node(isFounder: false, base: .test(33, term: 3))))
        #expect(Self.stands(Self.node(isFounder: true, base: .test(33, term: 3))))
        #expect(!Self.stands(Self.node(isFounder: false, more: [.test(1, term: 1, Self.unknown)])))
        // Named with its own life, it has one.
        let named = Membership(
            voters: [Member(nodeID: "n1", storageID: Self.own), .test("n2"), .test("n3")])
        #expect(Self.stands(Self.node(isFounder: false, more: [.test(1, term: 1, named)])))
    }

    @Test("A folder that joined gives no listing before the log names its own life; a founder always has one")
    func listing() {
        #expect(Self.node(isFounder: true).core.listing == 0)
        #expect(Self.node(isFounder: true, base: .test(33, term: 3)).core.listing == 33)
        #expect(Self.node(isFounder: false).core.listing == nil)
        #expect(Self.node(isFounder: false, base: .test(33, term: 3)).core.listing == nil)
        let named = Membership(
            voters: [.test("n2"), .test("n3")], learners: [Member(nodeID: "n1", storageID: Self.own)])
        #expect(Self.node(isFounder: false, more: [.test(1, term: 1, named)]).core.listing == 1)
    }

    @Test("The cluster may use what every member knows, learners included, and only while nobody comes or goes")
    func commonFormat() {
        let (one, two, three) = (FormatLevel.first, FormatLevel(rawValue: 2), FormatLevel(rawValue: 3))
        func common(_ fixture: Fixture, _ known: [NodeID: FormatLevel]) -> FormatLevel? {
            fixture.core.commonFormat(own: two) { known[$0] }
        }
        let settled = Fixture(membership: .test(["n1", "n2"], learners: ["n3"]))
        #expect(common(settled, ["n2": two, "n3": two]) == two)
        #expect(common(settled, ["n2": three, "n3": three]) == two)
        #expect(common(settled, ["n2": two, "n3": one]) == one)
        #expect(common(settled, ["n2": two]) == nil)
        let joint = Fixture(membership: .test(["n1", "n2"], outgoing: ["n1", "n3"]))
        #expect(common(joint, ["n2": two, "n3": two]) == nil)
        let uncommitted = Fixture(
            membership: .test(["n1", "n2"]), more: [.test(1, term: 1, .test(["n1", "n2"], learners: ["n3"]))])
        #expect(common(uncommitted, ["n2": two, "n3": two]) == nil)
        #expect(Fixture(size: 1).core.commonFormat(own: two) { _ in nil } == two)
    }
}
