// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import PeerTransport
import Raft

/// The other end of a connection, written by hand: it says what a test wants it to say.
struct RawPeer: Sendable {
    enum Event: Hashable, Sendable {
        case frame(Frame.Kind, [UInt8])
        case closed
    }

    private final class Recorder: ChannelInboundHandler {
        typealias InboundIn = Frame
        let events: Journal<Event>
        init(events: Journal<Event>) { self.events = events }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let frame = self.unwrapInboundIn(data)
            self.events.append(.frame(frame.kind, Array(frame.body.readableBytesView)))
        }

        func channelInactive(context: ChannelHandlerContext) { self.events.append(.closed) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {}
    }

    let channel: any Channel
    let events: Journal<Event>

    /// Connects to a node.
    static func connect(to address: PeerAddress) async throws -> RawPeer {
        let events = Journal<Event>()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { self.initialise($0, events) }
            .connect(host: address.host, port: address.port).get()
        return RawPeer(channel: channel, events: events)
    }

    private static func initialise(_ channel: any Channel, _ events: Journal<Event>) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandlers([
                FrameHandler(maximumBodyLength: Frame.maximumBodyLength), Recorder(events: events),
            ])
        }
    }

    /// Connects to a node and gets its welcome.
    static func connect(to address: PeerAddress, as identity: PeerIdentity, target: NodeID) async throws -> RawPeer {
        let peer = try await self.connect(to: address)
        try await peer.send(.hello, HandshakeMessage.hello(identity, target: target).encoded)
        try await peer.wait(for: .welcome)
        return peer
    }

    func send(bytes: [UInt8]) async throws {
        try await self.channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    func send(_ kind: Frame.Kind, _ body: [UInt8]) async throws { try await self.send(bytes: wire(kind, body)) }

    /// Waits until so many frames of the kind have come.
    func wait(for kind: Frame.Kind, count: Int = 1) async throws {
        try await self.events.wait(for: "\(count) frames of kind \(kind)") { events in
            events.count { if case .frame(kind, _) = $0 { true } else { false } } >= count
        }
    }

    /// The bodies of the frames of a kind so far.
    func bodies(of kind: Frame.Kind) -> [[UInt8]] {
        self.events.items.compactMap { if case .frame(kind, let body) = $0 { body } else { nil } }
    }

    func close() async throws {
        // Somebody else may have closed it already.
        try? await self.channel.close().get()
    }
}

/// A listening socket written by hand.
struct RawServer: Sendable {
    let channel: any Channel
    let address: PeerAddress
    /// The connections that were made to it, and from which address.
    let accepted: Journal<RawPeer>

    /// - Parameter doesRead: false for a peer that never takes anything from its socket until `read()` is called on it.
    static func listen(doesRead: Bool = true) async throws -> RawServer {
        let accepted = Journal<RawPeer>()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: doesRead)
            .childChannelInitializer { channel in
                let events = Journal<RawPeer.Event>()
                return RawPeer.initialised(channel, events).map {
                    accepted.append(RawPeer(channel: channel, events: events))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let address = PeerAddress(host: "127.0.0.1", port: channel.localAddress?.port ?? 0)
        return RawServer(channel: channel, address: address, accepted: accepted)
    }

    /// The connection of this number, counted from 0.
    func connection(_ number: Int = 0) async throws -> RawPeer {
        try await self.accepted.wait(for: "connection \(number)") { $0.count > number }[number]
    }

    func close() async throws { try await self.channel.close().get() }
}

extension RawPeer {
    static func initialised(_ channel: any Channel, _ events: Journal<Event>) -> EventLoopFuture<Void> {
        self.initialise(channel, events)
    }
}

// MARK: - Bytes on the wire

/// One frame, put together from the description of the format and not by the code under test.
func wire(_ kind: Frame.Kind, _ body: [UInt8]) -> [UInt8] { wire(kind.rawValue, body) }

func wire(_ kind: UInt8, _ body: [UInt8]) -> [UInt8] {
    littleEndian(UInt32(body.count)) + littleEndian(crc32c([kind] + body)) + [kind] + body
}

func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<(Value.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
}

/// CRC32C, bit by bit (RFC 3720, appendix B.4: the polynomial 0x1EDC6F41, reflected).
func crc32c(_ bytes: [UInt8]) -> UInt32 {
    var crc: UInt32 = 0xffff_ffff
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82f6_3b78 : crc >> 1 }
    }
    return ~crc
}

// MARK: - Messages

/// A small message that a number tells from others.
func message(_ number: UInt64) -> Message {
    .requestVoteReply(RequestVoteReply(term: Term(rawValue: number), isGranted: true))
}

/// An AppendEntries whose entries hold so many bytes each.
func appendEntries(_ number: UInt64, entries: Int, bytes: Int) -> Message {
    let term = Term(rawValue: number)
    return .appendEntries(
        AppendEntries(
            term: term, prevLogIndex: .zero, prevLogTerm: .zero,
            entries: (1...max(entries, 1)).prefix(entries).map { index in
                Entry(
                    index: LogIndex(rawValue: UInt64(index)), term: term, kind: .command,
                    payload: [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: bytes))
            }, leaderCommit: .zero, readRound: number))
}
