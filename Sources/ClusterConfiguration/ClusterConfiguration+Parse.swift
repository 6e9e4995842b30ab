// SPDX-License-Identifier: Apache-2.0

extension ClusterConfiguration {
    /// Reads a configuration: a flag counts before the environment, that before the file, and that before the default.
    ///
    /// - Parameters:
    ///   - bytes: the content of the file.
    ///   - file: what messages call the file: its path as it was given.
    ///   - folder: the file's folder, which its paths are relative to.
    ///   - environment: variables of the form `VERDICT_SECTION_KEY`; others are left alone.
    ///   - flags: what stood behind `--set`, each `section.key=value`.
    /// - Throws: every problem at once, in the order of the file, then those of the environment and the flags.
    package static func parse(
        _ bytes: [UInt8], file: String, folder: String = "", environment: [String: String] = [:], flags: [String] = []
    ) throws(ConfigurationProblems) -> ClusterConfiguration {
        var reader = ConfigurationReader(file: file, folder: folder)
        let configuration = reader.read(bytes, environment: environment, flags: flags)
        guard reader.problems.isEmpty else {
            let places = reader.problems.enumerated().map { (Self.place($0.element), $0.offset, $0.element) }
            throw ConfigurationProblems(places.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2))
        }
        return configuration
    }

    /// Problems of lines first, then those of the whole file, of the environment, of the flags.
    private static func place(_ problem: ConfigurationProblem) -> Int {
        switch problem.origin {
        case .file(_, .some(let line)): line
        case .file(_, nil): .max - 2
        case .environment: .max - 1
        case .flag: .max
        }
    }
}
