// SPDX-License-Identifier: Apache-2.0

package import Bytes

// Commands as they stand in the log and travel from a follower to the leader. Little-endian, lengths before contents.

extension CommandBatch {
    /// The version that is written. Others aren't read: a node that doesn't know it must not guess.
    package static let encodingVersion: UInt8 = 1

    /// The payload of one entry of the log. It decodes if every command is valid; see `Command.validate()`.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: self.commands.reduce(16) { $0 + $1.estimatedLength })
        writer.write(Self.encodingVersion)
        writer.write(self.logTime.rawValue)
        writer.writeList(self.commands) { $1.encode(into: &$0) }
        return writer.bytes
    }

    /// - Parameter known: the newest format whose commands are read.
    /// - Throws: `ByteError` if these bytes are not exactly one batch.
    package init(decoding bytes: [UInt8], known: FormatLevel = .newest) throws(ByteError) {
        var reader = ByteReader(bytes)
        try reader.readVersion(Self.encodingVersion)
        self.logTime = try reader.readLogTime()
        self.commands = try reader.readList(limit: Limits.commandsInBatch) { reader throws(ByteError) in
            try Command(from: &reader, known: known)
        }
        try reader.finish()
    }
}

extension Command {
    /// One command by itself, for the way from a follower to the leader.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: self.estimatedLength + 1)
        writer.write(CommandBatch.encodingVersion)
        self.encode(into: &writer)
        return writer.bytes
    }

    /// - Parameter known: the newest format whose commands are read.
    /// - Throws: `ByteError` if these bytes are not exactly one command.
    package init(decoding bytes: [UInt8], known: FormatLevel = .newest) throws(ByteError) {
        var reader = ByteReader(bytes)
        try reader.readVersion(CommandBatch.encodingVersion)
        self = try Command(from: &reader, known: known)
        try reader.finish()
    }

    /// Checks what can be known without the machine's state, before the command is proposed. A command that passes
    /// decodes on every node.
    package func validate() throws(SubmissionProblem) {
        switch self {
        case .submit(let submission):
            try submission.validate()
        case .begin(let beginning):
            try beginning.validate()
        case .registerBranch(_, let spec):
            // The protocol is known only to the machine; whichever it is, the branch must fit one.
            let isSaga = spec.url(for: .action) != nil || spec.url(for: .compensate) != nil
            try spec.validate(kind: isSaga ? .saga : .tcc, origin: .begun)
        case .commit, .abort, .branchResult, .attemptsFailed, .deadlineReached, .liftMark, .release, .raiseFormat:
            break
        #if NextFormat
            case .remark: break
        #endif
        }
    }

    /// The byte that tells commands apart.
    private enum Tag: UInt8 {
        case submit = 1
        case begin = 2
        case registerBranch = 3
        case commit = 4
        case abort = 5
        case branchResult = 6
        case attemptsFailed = 7
        case deadlineReached = 8
        case submitFresh = 9
        case beginFresh = 10
        case liftMark = 11
        case raiseFormat = 12
        #if NextFormat
            case remark = 13
        #endif
        case release = 14

        /// The format that it came with.
        var format: FormatLevel {
            #if NextFormat
                if self == .remark { return .next }
            #endif
            return .first
        }
    }

    func encode(into writer: inout ByteWriter) {
        switch self {
        case .submit(let submission):
            writer.write((submission.isGidFresh ? Tag.submitFresh : .submit).rawValue)
            writer.write(submission.gid.rawValue)
            writer.write(submission.kind.rawValue)
            writer.write(submission.isConcurrent)
            writer.write(submission.timeoutMilliseconds)
            writer.writeList(submission.branches) { $1.encode(into: &$0) }
        case .begin(let beginning):
            writer.write((beginning.isGidFresh ? Tag.beginFresh : .begin).rawValue)
            writer.write(beginning.gid.rawValue)
            writer.write(beginning.kind.rawValue)
            writer.write(beginning.isConcurrent)
            writer.write(beginning.timeoutMilliseconds)
        case .registerBranch(let gid, let spec):
            writer.write(Tag.registerBranch.rawValue)
            writer.write(gid.rawValue)
            spec.encode(into: &writer)
        case .commit(let gid):
            writer.write(Tag.commit.rawValue)
            writer.write(gid.rawValue)
        case .abort(let gid, let reason):
            writer.write(Tag.abort.rawValue)
            writer.write(gid.rawValue)
            writer.writeOptional(reason) { $0.write(bounded($1)) }
        case .branchResult(let result):
            writer.write(Tag.branchResult.rawValue)
            writer.write(result.gid.rawValue)
            writer.write(result.branchID.rawValue)
            writer.write(result.operation.rawValue)
            writer.write(result.verdict.rawValue)
            writer.write(result.attempts)
            writer.writeOptional(result.detail) { $0.write(bounded($1)) }
        case .attemptsFailed(let failed):
            writer.write(Tag.attemptsFailed.rawValue)
            writer.write(failed.gid.rawValue)
            writer.write(failed.branchID.rawValue)
            writer.write(failed.operation.rawValue)
            writer.write(failed.attempts)
            writer.write(bounded(failed.lastError))
        case .deadlineReached(let gid):
            writer.write(Tag.deadlineReached.rawValue)
            writer.write(gid.rawValue)
        case .liftMark(let lift):
            writer.write(Tag.liftMark.rawValue)
            writer.write(bounded(lift.actor))
            writer.write(bounded(lift.reason))
        case .release(let release):
            writer.write(Tag.release.rawValue)
            writer.write(release.gid.rawValue)
            writer.write(bounded(release.actor))
            writer.write(bounded(release.reason))
        case .raiseFormat(let format):
            writer.write(Tag.raiseFormat.rawValue)
            writer.write(format.rawValue)
        #if NextFormat
            case .remark(let text):
                writer.write(Tag.remark.rawValue)
                writer.write(bounded(text))
        #endif
        }
    }

    init(from reader: inout ByteReader, known: FormatLevel) throws(ByteError) {
        let start = reader.offset
        let tag = try reader.readRaw("command", Tag.init(rawValue:))
        guard tag.format <= known else { throw .invalidValue(offset: start, field: "command") }
        switch tag {
        case .submit, .submitFresh:
            self = .submit(
                Submission(
                    gid: try reader.readGid(), kind: try reader.readRaw("kind", TransactionKind.init(rawValue:)),
                    isConcurrent: try reader.readBool("isConcurrent"), timeoutMilliseconds: try reader.read(),
                    branches: try reader.readList(limit: Limits.branches) { reader throws(ByteError) in
                        try BranchSpec(from: &reader)
                    }, isGidFresh: tag == .submitFresh))
        case .begin, .beginFresh:
            self = .begin(
                Beginning(
                    gid: try reader.readGid(), kind: try reader.readRaw("kind", TransactionKind.init(rawValue:)),
                    isConcurrent: try reader.readBool("isConcurrent"), timeoutMilliseconds: try reader.read(),
                    isGidFresh: tag == .beginFresh))
        case .registerBranch:
            self = .registerBranch(try reader.readGid(), try BranchSpec(from: &reader))
        case .commit:
            self = .commit(try reader.readGid())
        case .abort:
            self = .abort(try reader.readGid(), reason: try reader.readOptionalText("reason"))
        case .branchResult:
            self = .branchResult(
                BranchResult(
                    gid: try reader.readGid(), branchID: try reader.readBranchID(),
                    operation: try reader.readRaw("operation", Operation.init(rawValue:)),
                    verdict: try reader.readRaw("verdict", BranchVerdict.init(rawValue:)),
                    attempts: try reader.read(), detail: try reader.readOptionalText("detail")))
        case .attemptsFailed:
            self = .attemptsFailed(
                FailedAttempts(
                    gid: try reader.readGid(), branchID: try reader.readBranchID(),
                    operation: try reader.readRaw("operation", Operation.init(rawValue:)),
                    attempts: try reader.read(), lastError: try reader.readString(limit: Limits.textLength)))
        case .deadlineReached:
            self = .deadlineReached(try reader.readGid())
        case .liftMark:
            self = .liftMark(
                MarkLift(
                    actor: try reader.readString(limit: Limits.textLength),
                    reason: try reader.readString(limit: Limits.textLength)))
        case .release:
            self = .release(
                Release(
                    gid: try reader.readGid(), actor: try reader.readString(limit: Limits.textLength),
                    reason: try reader.readString(limit: Limits.textLength)))
        case .raiseFormat: self = .raiseFormat(FormatLevel(rawValue: try reader.read()))
        #if NextFormat
            case .remark: self = .remark(try reader.readString(limit: Limits.textLength))
        #endif
        }
    }

    /// Bytes to reserve: near the encoded length, and over it for usual contents.
    package var estimatedLength: Int {
        switch self {
        case .submit(let submission):
            return submission.branches.reduce(160) { $0 + $1.estimatedLength }
        case .registerBranch(_, let spec):
            return 144 + spec.estimatedLength
        case .begin, .commit, .deadlineReached, .raiseFormat:
            return 160
        case .abort, .branchResult, .attemptsFailed:
            return 256
        case .liftMark, .release:
            return 2 * Limits.textLength + 160
        #if NextFormat
            case .remark(let text): return text.utf8.count + 16
        #endif
        }
    }
}

extension CommandResult {
    /// What a follower gets from the leader. The words of a problem are cut to `Limits.problemLength` bytes.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 16)
        writer.write(CommandBatch.encodingVersion)
        switch self {
        case .accepted(let isNew):
            writer.write(UInt8(1))
            writer.write(isNew)
        case .alreadyDone:
            writer.write(UInt8(2))
        case .rejected(let rejection):
            writer.write(UInt8(3))
            rejection.encode(into: &writer)
        }
        return writer.bytes
    }

    /// - Throws: `ByteError` if these bytes are not exactly one result.
    package init(decoding bytes: [UInt8]) throws(ByteError) {
        var reader = ByteReader(bytes)
        try reader.readVersion(CommandBatch.encodingVersion)
        let start = reader.offset
        switch try reader.read(UInt8.self) {
        case 1: self = .accepted(isNew: try reader.readBool("isNew"))
        case 2: self = .alreadyDone
        case 3: self = .rejected(try Rejection(from: &reader))
        case _: throw .invalidValue(offset: start, field: "result")
        }
        try reader.finish()
    }
}

extension Rejection {
    private enum Tag: UInt8 {
        case unknownTransaction = 1
        case contentConflict = 2
        case notOpen = 3
        case alreadyDecided = 4
        case tooManyBranches = 5
        case deadlineNotReached = 6
        case unknownBranch = 7
        case invalid = 8
        case forgotten = 9
        case held = 10
    }

    fileprivate func encode(into writer: inout ByteWriter) {
        switch self {
        case .unknownTransaction: writer.write(Tag.unknownTransaction.rawValue)
        case .forgotten: writer.write(Tag.forgotten.rawValue)
        case .held: writer.write(Tag.held.rawValue)
        case .contentConflict(let path):
            writer.write(Tag.contentConflict.rawValue)
            writer.write(bounded(path, to: Limits.problemLength))
        case .notOpen(let state):
            writer.write(Tag.notOpen.rawValue)
            writer.write(state.rawValue)
        case .alreadyDecided(let decision):
            writer.write(Tag.alreadyDecided.rawValue)
            writer.write(decision.rawValue)
        case .tooManyBranches: writer.write(Tag.tooManyBranches.rawValue)
        case .deadlineNotReached: writer.write(Tag.deadlineNotReached.rawValue)
        case .unknownBranch: writer.write(Tag.unknownBranch.rawValue)
        case .invalid(let problem):
            writer.write(Tag.invalid.rawValue)
            writer.write(bounded(problem.path, to: Limits.problemLength))
            writer.write(bounded(problem.message, to: Limits.problemLength))
        }
    }

    fileprivate init(from reader: inout ByteReader) throws(ByteError) {
        switch try reader.readRaw("rejection", Tag.init(rawValue:)) {
        case .unknownTransaction: self = .unknownTransaction
        case .forgotten: self = .forgotten
        case .held: self = .held
        case .contentConflict: self = .contentConflict(path: try reader.readString(limit: Limits.problemLength))
        case .notOpen: self = .notOpen(try reader.readRaw("state", TransactionState.init(rawValue:)))
        case .alreadyDecided: self = .alreadyDecided(try reader.readRaw("decision", Decision.init(rawValue:)))
        case .tooManyBranches: self = .tooManyBranches
        case .deadlineNotReached: self = .deadlineNotReached
        case .unknownBranch: self = .unknownBranch
        case .invalid:
            self = .invalid(
                SubmissionProblem(
                    path: try reader.readString(limit: Limits.problemLength),
                    message: try reader.readString(limit: Limits.problemLength)))
        }
    }
}
