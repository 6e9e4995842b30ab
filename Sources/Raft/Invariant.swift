// SPDX-License-Identifier: Apache-2.0

/// Ends the process with a sentence when a rule that safety rests on is broken. Stays on in release builds, where a
/// `precondition` would say nothing.
func invariant(
    _ holds: @autoclosure () -> Bool, _ sentence: @autoclosure () -> String, file: StaticString = #fileID,
    line: UInt = #line
) {
    if !holds() { fatalError("invariant broken: \(sentence())", file: file, line: line) }
}
