// SPDX-License-Identifier: Apache-2.0

import Bytes
import Foundation
import NIOCore
import PeerTransport
import Raft
import Testing

/// How many mutations each test tries; `VERDICT_MUTATIONS` asks for more.
private let mutations = ProcessInfo.processInfo.environment["VERDICT_MUTATIONS"].flatMap { Int($0) } ?? 20_000

@Suite("Mutated bytes") struct MutationTests {
    /// What the tests begin with: frames of every kind, and of several lengths.
    private static let frames: [(kind: Frame.Kind, body: [UInt8])] = Frame.Kind.allCases.flatMap { kind in
        [0, 1, 8, 9, 40].map { length in
            (kind, (0..<length).map { UInt8(truncatingIfNeeded: $0 * 37) &+ kind.rawValue })
        }
    }

    @Test("No mutation makes a frame that nobody wrote") func frames() throws {
        let wires = Self.frames.map { wire($0.kind, $0.body) }
        let written = Set(Self.frames.map { Frame(kind: $0.kind, body: ByteBuffer(bytes: $0.body)) })
        var random = SplitMix64(seed: 11)
        var refused = 0
        for round in 0..<mutations {
            let stream = (0..<4).flatMap { _ in wires.randomElement(using: &random) ?? [] }
            let bytes = mutate(stream, using: &random)
            let whole = Self.outcome(bytes, pieces: bytes.count + 1)
            // Where the network cuts must not matter.
            let cut = Self.outcome(bytes, pieces: 1 + Int.random(in: 0..<64, using: &random))
            #expect(whole == cut, "round \(round)")
            #expect(written.isSuperset(of: whole.frames), "round \(round)")
            if whole.error != nil { refused += 1 }
        }
        // Most mutations must be seen; those that cut or repeat whole frames can't be.
        #expect(refused > mutations / 2)
    }

    private struct Outcome: Equatable {
        var frames: [Frame] = []
        var error: FrameError.Reason?
    }

    private static func outcome(_ bytes: [UInt8], pieces: Int) -> Outcome {
        var decoder = FrameDecoder(maximumBodyLength: 64)
        var outcome = Outcome()
        do throws(FrameError) {
            for start in stride(from: 0, to: bytes.count, by: pieces) {
                decoder.append(ByteBuffer(bytes: bytes[start..<min(start + pieces, bytes.count)]))
                while let frame = try decoder.next() { outcome.frames.append(frame) }
                guard decoder.bufferedBytes < Frame.headerLength + 64 else {
                    Issue.record("\(decoder.bufferedBytes) bytes are kept of one frame")
                    return outcome
                }
            }
            try decoder.finish()
        } catch {
            outcome.error = error.reason
        }
        return outcome
    }

    @Test("A mutated handshake message is refused, or says what its bytes say") func handshakeMessages() {
        let identity = TestNode.identity("n2")
        let messages: [HandshakeMessage] = [
            .hello(identity, target: "n1"), .welcome(identity), .refusal(.version(refuser: 1, refused: 2)),
            .refusal(.wrongCluster(refuser: identity.cluster, refused: ClusterID(high: 1, low: 2))),
            .refusal(.unknownNode("n9")), .refusal(.notMe(wanted: "n1", actual: "n3")),
            .refusal(.wrongStorage("n2", expected: StorageID(rawValue: 1), given: StorageID(rawValue: 2))),
            .refusal(.outdated("n2", knows: .first, uses: FormatLevel(rawValue: 2))),
        ]
        let kinds: [Frame.Kind] = [.hello, .welcome, .refusal]
        var random = SplitMix64(seed: 12)
        for round in 0..<mutations {
            let message = messages[round % messages.count]
            let bytes = mutate(message.encoded, using: &random)
            for kind in kinds {
                guard let read = try? HandshakeMessage(Frame(kind: kind, body: ByteBuffer(bytes: bytes))) else {
                    continue
                }
                var expected = bytes
                // A refusal for the version is read from any version.
                if case .refusal(.version) = read {
                    expected.replaceSubrange(4..<6, with: littleEndian(HandshakeMessage.version))
                }
                // Whoever knows more may have more to say.
                switch read {
                case .hello(let peer, _) where peer.knows > .newest, .welcome(let peer) where peer.knows > .newest:
                    expected = Array(expected.prefix(read.encoded.count))
                case .hello, .welcome, .refusal: break
                }
                #expect(read.encoded == expected, "round \(round): \(read)")
            }
        }
    }

    @Test("No mutation gets a stranger in") func handshakes() {
        let known = TestNode.identity("n2")
        let directory = MemberDirectory(["n2": known.storage, "n3": .unknown])
        var random = SplitMix64(seed: 13)
        var established = 0
        for round in 0..<mutations {
            let body = mutate(HandshakeMessage.hello(known, target: "n1").encoded, using: &random)
            var handshake = Handshake(accepting: TestNode.identity("n1"))
            let action = handshake.received(Frame(kind: .hello, body: ByteBuffer(bytes: body)), directory: directory)
            switch action {
            case .establish(let peer, _, let isFirstUse):
                established += 1
                // What it says of its log and its program is its own affair.
                let isKnown = peer.node == known.node && peer.storage == known.storage
                #expect(peer.cluster == known.cluster && (isKnown || (isFirstUse && peer.node == "n3")), "\(round)")
            case .refuse, .violation: continue
            case .send, .refused, .reject, .ignore: Issue.record("round \(round): \(action)")
            }
        }
        // A hello is short: a mutation may do nothing, or change the name into the other member's.
        #expect(established < mutations / 5)
    }
}

/// One to three changes of the bytes: bits, bytes, lengths, order, repetition, loss.
private func mutate(_ original: [UInt8], using random: inout SplitMix64) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...3, using: &random) {
        guard !bytes.isEmpty else { return [UInt8.random(in: 0...255, using: &random)] }
        let place = Int.random(in: 0..<bytes.count, using: &random)
        let length = min(Int.random(in: 1...16, using: &random), bytes.count - place)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
        case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 2: bytes.removeSubrange(place..<(place + length))
        case 3: bytes.insert(contentsOf: bytes[place..<(place + length)], at: place)
        case 4: bytes.removeSubrange(place...)
        case 5: bytes.replaceSubrange(place..<(place + length), with: repeatElement(0xff, count: length))
        case _:
            let noise = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            bytes.insert(contentsOf: noise, at: place)
        }
    }
    return bytes
}
