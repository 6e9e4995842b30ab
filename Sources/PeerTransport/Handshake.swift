// SPDX-License-Identifier: Apache-2.0

package import Raft

/// The handshake of one connection, on either side of it: who speaks here, and is it to be believed?
///
/// The connecting side says hello; the accepting side checks it and answers with its own ids or with a refusal; the
/// connecting side checks those too. Neither sends anything else before.
package struct Handshake: ~Copyable {
    private enum State: ~Copyable {
        /// The accepting side, before the hello. Next: `over`.
        case awaitingHello
        /// The connecting side, before its hello is sent. Next: `awaitingWelcome`, `over`.
        case connecting(target: NodeID)
        /// The connecting side, before the answer. Next: `over`.
        case awaitingWelcome(target: NodeID)
        /// Finished, one way or the other.
        case over
    }

    /// What the connection must do.
    package enum Action: Hashable, Sendable {
        /// Send this and wait.
        case send(HandshakeMessage)
        /// The connection stands. Send the answer first if there is one; `isFirstUse`: this storage id was not known
        /// before.
        case establish(PeerIdentity, answer: HandshakeMessage?, isFirstUse: Bool)
        /// Send the refusal, then close.
        case refuse(Refusal)
        /// The other side refused: close.
        case refused(Refusal)
        /// The other side answered as somebody else than was wanted: close.
        case reject(Refusal)
        /// The other side does not keep to the protocol: close.
        case violation(HandshakeError)
        /// Nothing: it is over already.
        case ignore
    }

    private let identity: PeerIdentity
    private var state: State

    private init(identity: PeerIdentity, state: consuming State) {
        self.identity = identity
        self.state = state
    }

    /// The side that accepted the connection.
    package init(accepting identity: PeerIdentity) {
        self.init(identity: identity, state: .awaitingHello)
    }

    /// The side that made the connection.
    package init(connecting identity: PeerIdentity, to target: NodeID) {
        self.init(identity: identity, state: .connecting(target: target))
    }

    /// The connection is there. The accepting side waits for the other to speak.
    package mutating func connected() -> Action {
        let identity = self.identity
        switch consume self.state {
        case .awaitingHello:
            self = Self(identity: identity, state: .awaitingHello)
            return .ignore
        case .connecting(let target):
            self = Self(identity: identity, state: .awaitingWelcome(target: target))
            return .send(.hello(identity, target: target))
        case .awaitingWelcome(let target):
            self = Self(identity: identity, state: .awaitingWelcome(target: target))
            return .ignore
        case .over:
            self = Self(identity: identity, state: .over)
            return .ignore
        }
    }

    /// A frame has come before the connection stood.
    package mutating func received(_ frame: Frame, directory: MemberDirectory) -> Action {
        let identity = self.identity
        switch consume self.state {
        case .awaitingHello:
            self = Self(identity: identity, state: .over)
            return Self.answer(frame, identity: identity, directory: directory)
        case .connecting:
            // The accepting side never speaks first.
            self = Self(identity: identity, state: .over)
            return .violation(.unexpectedKind(frame.kind))
        case .awaitingWelcome(let target):
            self = Self(identity: identity, state: .over)
            return Self.conclude(frame, target: target, identity: identity, directory: directory)
        case .over:
            self = Self(identity: identity, state: .over)
            return .ignore
        }
    }

    /// The accepting side's rules.
    private static func answer(_ frame: Frame, identity: PeerIdentity, directory: MemberDirectory) -> Action {
        guard frame.kind == .hello else { return .violation(.unexpectedKind(frame.kind)) }
        do throws(HandshakeError) {
            guard case .hello(let peer, let target) = try HandshakeMessage(frame) else {
                return .violation(.unexpectedKind(frame.kind))
            }
            // The cluster first: of another one's nodes nothing else means anything.
            if let refusal = self.refusal(of: peer, identity: identity, directory: directory, target: target) {
                return .refuse(refusal)
            }
            let isFirstUse = directory.check(peer) == .firstUse
            return .establish(peer, answer: .welcome(identity), isFirstUse: isFirstUse)
        } catch {
            guard case .version(let version) = error else { return .violation(error) }
            return .refuse(.version(refuser: HandshakeMessage.version, refused: version))
        }
    }

    private static func refusal(
        of peer: PeerIdentity, identity: PeerIdentity, directory: MemberDirectory, target: NodeID
    ) -> Refusal? {
        guard peer.cluster == identity.cluster else {
            return .wrongCluster(refuser: identity.cluster, refused: peer.cluster)
        }
        guard target == identity.node else { return .notMe(wanted: target, actual: identity.node) }
        return self.refusal(of: peer, by: identity, directory)
    }

    /// The rules that both sides have, once it is clear that they are of one cluster.
    private static func refusal(of peer: PeerIdentity, by own: PeerIdentity, _ directory: MemberDirectory) -> Refusal? {
        if let began = own.founding, let peerBegan = peer.founding, began != peerBegan {
            return .otherBeginning(peer.node)
        }
        return directory.refusal(of: peer) ?? self.outdated(own, peer)
    }

    /// Which of the two doesn't know what the other one's cluster uses.
    private static func outdated(_ own: PeerIdentity, _ peer: PeerIdentity) -> Refusal? {
        if peer.knows < own.uses { return .outdated(peer.node, knows: peer.knows, uses: own.uses) }
        if own.knows < peer.uses { return .outdated(own.node, knows: own.knows, uses: peer.uses) }
        return nil
    }

    /// The connecting side's rules.
    private static func conclude(
        _ frame: Frame, target: NodeID, identity: PeerIdentity, directory: MemberDirectory
    ) -> Action {
        do throws(HandshakeError) {
            switch try HandshakeMessage(frame) {
            case .hello: return .violation(.unexpectedKind(frame.kind))
            case .refusal(let refusal): return .refused(refusal)
            case .welcome(let peer):
                guard peer.cluster == identity.cluster else {
                    return .reject(.wrongCluster(refuser: identity.cluster, refused: peer.cluster))
                }
                guard peer.node == target else { return .reject(.notMe(wanted: target, actual: peer.node)) }
                if let refusal = self.refusal(of: peer, by: identity, directory) { return .reject(refusal) }
                let isFirstUse = directory.check(peer) == .firstUse
                return .establish(peer, answer: nil, isFirstUse: isFirstUse)
            }
        } catch {
            return .violation(error)
        }
    }
}
