// SPDX-License-Identifier: Apache-2.0

// Whether a repeated request is the same request. Everything compared here is ASCII or bytes, in canonical order, so
// that equal values have equal encodings.

extension GlobalTransaction {
    /// - Returns: a JSON pointer to the first field of the request that differs from what was accepted, or `nil`.
    func difference(from submission: Submission) -> String? {
        if let path = self.difference(
            kind: submission.kind, isConcurrent: submission.isConcurrent, timeout: submission.timeoutMilliseconds)
        {
            return path
        }
        guard self.origin == .submitted, self.branches.count == submission.branches.count else { return "/branches" }
        for (position, spec) in submission.branches.enumerated() {
            if let path = self.branches[position].spec.difference(from: spec) { return "/branches/\(position)\(path)" }
        }
        return nil
    }

    /// The same for a transaction that is begun: the branches that have registered since make no difference.
    func difference(from beginning: Beginning) -> String? {
        if let path = self.difference(
            kind: beginning.kind, isConcurrent: beginning.isConcurrent, timeout: beginning.timeoutMilliseconds)
        {
            return path
        }
        return self.origin == .begun ? nil : "/branches"
    }

    private func difference(kind: TransactionKind, isConcurrent: Bool, timeout: UInt64) -> String? {
        if self.kind != kind { return "/protocol" }
        if self.isConcurrent != isConcurrent { return "/concurrent" }
        if self.timeoutMilliseconds != timeout { return "/timeout_ms" }
        return nil
    }
}

extension BranchSpec {
    /// - Returns: a JSON pointer, from the branch on, to the first field that differs, or `nil`.
    func difference(from other: BranchSpec) -> String? {
        if self.id != other.id { return "/id" }
        for operation in Operation.allCases where self.url(for: operation) != other.url(for: operation) {
            return "/\(operation.name)"
        }
        if self.headers != other.headers { return "/headers" }
        if self.payload != other.payload { return "/payload" }
        return nil
    }
}
