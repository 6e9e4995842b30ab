// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// A transaction on the command line: a protocol, and branches that each begin with `--step` or `--try`.
struct BranchOptions: ParsableArguments {
    @Flag(name: .long, help: "Submit a saga: its branches are steps.")
    var saga = false

    @Flag(name: .long, help: "Submit a TCC transaction: its branches are tries.")
    var tcc = false

    @Flag(name: .long, help: "Saga: call all steps at once.")
    var concurrent = false

    @Option(
        name: .long, parsing: .unconditionalSingleValue,
        help: ArgumentHelp("Saga: begins a branch; the URL that does the step.", valueName: "url"),
        transform: { BranchWord(.step, $0) })
    var step: [BranchWord] = []

    @Option(
        name: .long, parsing: .unconditionalSingleValue,
        help: ArgumentHelp("Saga: the URL that undoes the step.", valueName: "url"),
        transform: { BranchWord(.compensate, $0) })
    var compensate: [BranchWord] = []

    @Option(
        name: .customLong("try"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp("TCC: begins a branch; the URL that reserves.", valueName: "url"),
        transform: { BranchWord(.try, $0) })
    var tries: [BranchWord] = []

    @Option(
        name: .long, parsing: .unconditionalSingleValue,
        help: ArgumentHelp("TCC: the URL that makes the reservation final.", valueName: "url"),
        transform: { BranchWord(.confirm, $0) })
    var confirm: [BranchWord] = []

    @Option(
        name: .long, parsing: .unconditionalSingleValue,
        help: ArgumentHelp("TCC: the URL that gives the reservation back.", valueName: "url"),
        transform: { BranchWord(.cancel, $0) })
    var cancel: [BranchWord] = []

    @Option(
        name: .long, parsing: .unconditionalSingleValue,
        help: ArgumentHelp("The JSON that every call of the branch carries.", valueName: "json"),
        transform: { BranchWord(.payload, $0) })
    var payload: [BranchWord] = []

    @Option(
        name: .long, parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A header of every call of the branch, such as \"X-Tenant: 7\".", valueName: "name: value"),
        transform: { BranchWord(.header, $0) })
    var header: [BranchWord] = []

    @Option(
        name: .long, parsing: .unconditionalSingleValue,
        help: ArgumentHelp("The branch's id. Default: 1 for the first, and so on.", valueName: "id"),
        transform: { BranchWord(.branchID, $0) })
    var branchId: [BranchWord] = []

    /// All of them in the order of the command line.
    var words: [BranchWord] {
        let lists = [
            self.step, self.compensate, self.tries, self.confirm, self.cancel, self.payload, self.header, self.branchId,
        ]
        return lists.flatMap(\.self).sorted { $0.position < $1.position }
    }

    var isGiven: Bool { self.saga || self.tcc || self.concurrent || !self.words.isEmpty }
}
