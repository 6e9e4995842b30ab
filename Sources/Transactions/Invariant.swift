// SPDX-License-Identifier: Apache-2.0

/// Ends the process if a rule that the code relies on is broken. Unlike `precondition` it says why in an optimised build.
@inline(__always)
func invariant(_ holds: Bool, _ message: @autoclosure () -> String) {
    if !holds { fatalError("broken invariant: \(message())") }
}
