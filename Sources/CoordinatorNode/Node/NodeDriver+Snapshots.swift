// SPDX-License-Identifier: Apache-2.0

import Bytes
import Logging
import NIOCore
import PeerTransport
import Raft
import StateStore
import Transactions

/// Snapshots on their way: taken as leader, fetched piece by piece as follower, made the applied state.
extension NodeDriver {
    /// How long the leader may take for one piece.
    private static let pieceTimeout = TimeAmount.seconds(5)
    /// Bytes a second that a follower asks for at most, so that the leader's other messages come through.
    private static let bytesPerSecond: Int64 = 100 << 20

    // MARK: The leader

    func takeSnapshot() {
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.snapshots.take { [loop] result in loop.execute { bound.value.snapshotTaken(result) } }
    }

    private func snapshotTaken(_ result: Result<StateSnapshot, StateStoreError>) {
        switch result {
        case .success(let snapshot):
            let description = SnapshotDescription(
                position: LogPosition(
                    index: LogIndex(rawValue: snapshot.appliedIndex), term: Term(rawValue: snapshot.appliedTerm)),
                length: snapshot.length, checksum: snapshot.checksum)
            self.logger.info(
                "Took a snapshot for a follower that is far behind",
                metadata: [LogKey.index: "\(description.position.index)", LogKey.bytes: "\(snapshot.length)"])
            self.handedOut = description
            self.add(.snapshotTaken(description))
        case .failure(let error):
            self.logger.warning("A snapshot can't be taken", metadata: [LogKey.reason: "\(error)"])
            self.handedOut = nil
            self.add(.snapshotFailed)
        }
    }

    /// A follower asks for a part of the copy.
    func readPiece(of description: SnapshotDescription, at offset: UInt64, for peer: PeerReply) {
        guard description == self.handedOut else { return self.reply(.noSnapshot, to: peer) }
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.snapshots.read(at: offset) { [loop] result in
            loop.execute {
                let driver = bound.value
                // Another copy may have taken the file's place meanwhile.
                guard case .success(let bytes) = result, description == driver.handedOut else {
                    return driver.reply(.noSnapshot, to: peer)
                }
                driver.reply(.snapshotPiece(SnapshotPiece(offset: offset, bytes: bytes)), to: peer)
            }
        }
    }

    // MARK: The follower

    /// The leader offers a snapshot; it says so with every heartbeat, so that whatever was cut off goes on.
    func fetchSnapshot(_ offer: SnapshotOffer, from leader: NodeID) {
        if self.fetch?.offer == offer {
            self.fetch?.leader = leader
            // It is here already, and the core had no use for it when it came.
            if self.fetch?.isAdopted == true { return self.add(.snapshotReceived(offer)) }
            return self.fetchNext()
        }
        self.logger.info(
            "Fetching a snapshot: the leader's log begins behind this node's end",
            metadata: [
                LogKey.index: "\(offer.position.index)", LogKey.bytes: "\(offer.description.length)",
                LogKey.leader: "\(leader)",
            ])
        let fetch = SnapshotFetch(offer: offer, leader: leader, isUnderWay: true, number: self.nextNumber())
        self.fetch = fetch
        self.membersChanged()
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.snapshots.begin { [loop] result in
            loop.execute { bound.value.fetched(fetch.number, 0, result) }
        }
    }

    private func fetchNext() {
        guard let fetch = self.fetch, !fetch.isUnderWay, !fetch.isAdopted, !self.isStopping else { return }
        guard self.transport.isConnected(to: fetch.leader) else { return }
        self.fetch?.isUnderWay = true
        let request = ForwardedRequest.snapshotPiece(fetch.offer.description, offset: fetch.offset)
        self.transport.request(
            request.encoded(), to: fetch.leader, deadline: .now() + Self.pieceTimeout
        )
        .assumeIsolated().whenComplete { self.pieceCame(fetch.number, $0) }
        self.scheduleTurn()
    }

    private func pieceCame(_ number: UInt64, _ result: Result<[UInt8], any Error>) {
        guard let fetch = self.fetch, fetch.number == number else { return }
        switch (try? result.get()).flatMap({ try? ForwardedReply(decoding: $0) }) {
        case .snapshotPiece(let piece) where fetch.fits(piece):
            let bound = NIOLoopBound(self, eventLoop: self.loop)
            self.snapshots.write(piece.bytes, at: piece.offset) { [loop] result in
                loop.execute { bound.value.fetched(number, piece.bytes.count, result) }
            }
        case .noSnapshot:
            // The next offer names another one.
            self.fetch = nil
        case _: self.fetch?.isUnderWay = false
        }
    }

    /// So many bytes more are on the disk.
    private func fetched(_ number: UInt64, _ count: Int, _ result: Result<Void, StateStoreError>) {
        guard let fetch = self.fetch, fetch.number == number else { return }
        if case .failure(let error) = result { return self.giveUpFetch(error) }
        self.fetch?.offset += UInt64(count)
        guard let offset = self.fetch?.offset, offset == fetch.offer.description.length else {
            let pause = TimeAmount.nanoseconds(Int64(count) * 1_000_000_000 / Self.bytesPerSecond)
            let bound = NIOLoopBound(self, eventLoop: self.loop)
            self.loop.scheduleTask(in: pause) {
                guard bound.value.fetch?.number == number else { return }
                bound.value.fetch?.isUnderWay = false
                bound.value.fetchNext()
            }
            return
        }
        let description = fetch.offer.description
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.snapshots.adopt(
            length: description.length, checksum: description.checksum,
            appliedIndex: description.position.index.rawValue, appliedTerm: description.position.term.rawValue
        ) { [loop] result in loop.execute { bound.value.adopted(number, result) } }
    }

    private func adopted(_ number: UInt64, _ result: Result<Void, StateStoreError>) {
        guard let fetch = self.fetch, fetch.number == number else { return }
        if case .failure(let error) = result { return self.giveUpFetch(error) }
        self.fetch?.isAdopted = true
        self.add(.snapshotReceived(fetch.offer))
    }

    /// What was fetched so far is thrown away; the next offer begins anew.
    private func giveUpFetch(_ error: StateStoreError) {
        self.logger.error(
            "A fetched snapshot can't be used, and is fetched again", metadata: [LogKey.reason: "\(error)"])
        self.fetch = nil
    }

    /// The log has brought what a fetched snapshot would have: nobody asks for its pieces any more.
    func dropOvertakenFetch() {
        guard let fetch = self.fetch, self.installing == nil, !fetch.isUnderWay,
            self.applier.applied.index >= fetch.offer.position.index
        else { return }
        self.fetch = nil
        self.membersChanged()
    }

    // MARK: The install

    func installSnapshot(_ offer: SnapshotOffer) {
        self.installing = offer
        self.installWhenQuiet()
    }

    /// The state's own file is replaced once no checkpoint is being written to it.
    func installWhenQuiet() {
        guard let offer = self.installing, !self.applier.isFrozen, !self.applier.isCheckpointUnderWay else { return }
        self.applier.freeze()
        var marker = ByteWriter()
        MessageCodec.encode(offer, into: &marker)
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.applier.install(self.snapshots.fetched, marker: marker.bytes, identity: self.stateIdentity) {
            [loop] state in
            loop.execute { bound.value.installed(offer, state) }
        }
    }

    private func installed(_ offer: SnapshotOffer, _ state: RecoveredState) {
        self.reopenReaders()
        self.applier.goOn(from: state)
        self.transport.setFormat(self.applier.machine.format)
        self.goOnBackingUp()
        self.statePoints = StatePoints()
        self.installing = nil
        self.fetch = nil
        self.logger.info(
            "Installed a snapshot as the applied state",
            metadata: [LogKey.index: "\(offer.position.index)", LogKey.live: "\(self.applier.machine.liveCount)"])
        // What this node proposed long ago, and what clients wait for, may have been decided in what it didn't apply itself.
        for index in self.inLog.keys.filter({ $0 <= offer.position.index.rawValue }).sorted() {
            for proposer in self.inLog.removeValue(forKey: index)?.proposers ?? [] { self.perhapsProposed(proposer) }
        }
        for gid in self.waiters.gids {
            let reading = self.reading(gid)
            guard reading.transaction?.decision != nil else { continue }
            for waiter in self.waiters.take(gid) {
                waiter.timer.cancel()
                waiter.reply(.success(reading))
            }
        }
        self.applyAwaited()
        self.add(.snapshotInstalled(offer))
    }
}
