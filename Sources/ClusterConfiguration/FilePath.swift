// SPDX-License-Identifier: Apache-2.0

/// Paths as text; nothing here asks a file system.
package enum FilePath {
    /// A path behind a folder, with `.`, `..` and doubled slashes resolved; an absolute path stands for itself.
    package static func join(_ folder: String, _ path: String) -> String {
        self.normalised(path.hasPrefix("/") || folder.isEmpty ? path : folder + "/" + path)
    }

    /// The folder that a path lies in; `.` for a plain name.
    package static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The part behind the last slash.
    package static func name(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    package static func normalised(_ path: String) -> String {
        let isAbsolute = path.hasPrefix("/")
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(part)
            } else if let last = parts.last, last != ".." {
                parts.removeLast()
            } else if !isAbsolute {
                parts.append(part)
            }
        }
        let joined = parts.joined(separator: "/")
        return isAbsolute ? "/" + joined : (joined.isEmpty ? "." : joined)
    }

    /// Whether a normalised path is the other one or lies somewhere below it.
    package static func isInside(_ path: String, _ folder: String) -> Bool {
        path == folder || path.hasPrefix(folder.hasSuffix("/") ? folder : folder + "/")
    }
}
