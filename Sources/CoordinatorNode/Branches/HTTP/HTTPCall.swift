// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// One call from its beginning to its one answer.
final class HTTPCall {
    /// What is sent; given up with the answer, since the call itself stays in the line of deadlines for a while.
    private(set) var message: (head: HTTPRequestHead, body: ByteBuffer?)?
    private(set) var target: HTTPTarget?
    let deadline: NIODeadline
    private var whenDone: ((BranchAnswer) -> Void)?
    /// The connection that carries it now.
    var connection: HTTPConnection?
    /// A connection that had been in use before broke at once, and the call was sent again on a new one.
    var isSecondTry = false

    init(
        head: HTTPRequestHead, body: ByteBuffer?, target: HTTPTarget, deadline: NIODeadline,
        whenDone: @escaping (BranchAnswer) -> Void
    ) {
        self.message = (head, body)
        self.target = target
        self.deadline = deadline
        self.whenDone = whenDone
    }

    var isDone: Bool { self.whenDone == nil }

    /// Gives the answer, once; later ones are ignored.
    func finish(_ answer: BranchAnswer) {
        guard let whenDone = self.whenDone else { return }
        let target = self.target
        self.whenDone = nil
        self.message = nil
        self.target = nil
        self.connection = nil
        target?.callEnded()
        whenDone(answer)
    }
}
