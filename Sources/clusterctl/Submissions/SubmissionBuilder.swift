// SPDX-License-Identifier: Apache-2.0

package import CoordinatorClient
import Foundation

/// Puts a transaction together from the options of a command line. What its URLs, headers and ids may be is the cluster's
/// to say; this only sees to it that every word has its place.
package enum SubmissionBuilder {
    package struct Problem: Error, Hashable, Sendable {
        package let message: String

        init(_ message: String) { self.message = message }
    }

    /// What is known of a branch while its words are read.
    private struct Draft {
        let number: Int
        var values: [BranchWord.Name: String] = [:]
        var headers: [String: String] = [:]
    }

    /// - Parameter words: in the order of the command line.
    package static func build(
        _ protocol: TransactionProtocol, words: [BranchWord], concurrent: Bool = false
    ) throws(Problem) -> Submission {
        let isSaga = `protocol` == .saga
        let first: BranchWord.Name = isSaga ? .step : .try
        let needed: [BranchWord.Name] = isSaga ? [.step, .compensate] : [.try, .confirm, .cancel]
        guard isSaga || !concurrent else {
            throw Problem("--concurrent belongs to --saga: the tries of a TCC transaction are always called at once")
        }
        var drafts: [Draft] = []
        for word in words {
            guard needed.contains(word.name) || [.payload, .header, .branchID].contains(word.name) else {
                throw Problem("\(word.name.flag) belongs to \(isSaga ? "--tcc" : "--saga")")
            }
            if word.name.isFirst { drafts.append(Draft(number: drafts.count + 1)) }
            guard var draft = drafts.popLast() else {
                throw Problem("\(word.name.flag) stands before the first \(first.flag), so it belongs to no branch")
            }
            try Self.add(word, to: &draft)
            drafts.append(draft)
        }
        guard !drafts.isEmpty else { throw Problem("a transaction needs a branch: begin it with \(first.flag) URL") }
        var branches: [BranchRequest] = []
        for draft in drafts { branches.append(try Self.branch(draft, needed: needed)) }
        return Submission(protocol: `protocol`, concurrent: concurrent ? true : nil, branches: branches)
    }

    private static func add(_ word: BranchWord, to draft: inout Draft) throws(Problem) {
        guard word.name == .header else {
            guard draft.values.updateValue(word.value, forKey: word.name) == nil else {
                throw Problem("branch \(draft.number) has \(word.name.flag) twice")
            }
            return
        }
        guard let colon = word.value.firstIndex(of: ":") else {
            throw Problem("branch \(draft.number): --header is written as \"Name: value\", not \"\(word.value)\"")
        }
        let name = word.value[..<colon].trimmingCharacters(in: .whitespaces)
        let value = word.value[word.value.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        guard draft.headers.updateValue(value, forKey: name) == nil else {
            throw Problem("branch \(draft.number) has the header \(name) twice")
        }
    }

    private static func branch(_ draft: Draft, needed: [BranchWord.Name]) throws(Problem) -> BranchRequest {
        for name in needed where draft.values[name] == nil {
            throw Problem("branch \(draft.number) has no \(name.flag)")
        }
        func url(_ name: BranchWord.Name) -> String { draft.values[name] ?? "" }
        var payload: JSONValue?
        if let text = draft.values[.payload] {
            do throws(Problem) {
                payload = try WrittenJSON.value(Array(text.utf8), depthLimit: WrittenJSON.payloadDepthLimit)
            } catch {
                throw Problem("branch \(draft.number): --payload: \(error.message)")
            }
        }
        let id = draft.values[.branchID]
        let headers = draft.headers.isEmpty ? nil : draft.headers
        return draft.values[.step] != nil
            ? .saga(id: id, action: url(.step), compensate: url(.compensate), headers: headers, payload: payload)
            : .tcc(
                id: id, try: url(.try), confirm: url(.confirm), cancel: url(.cancel), headers: headers,
                payload: payload)
    }
}
