// SPDX-License-Identifier: Apache-2.0

/// The version of this build, of all its programs, as in CHANGELOG.md.
package enum Version {
    package static let current = "0.1.0"
}
