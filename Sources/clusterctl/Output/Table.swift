// SPDX-License-Identifier: Apache-2.0

/// Rows and columns as text: columns as wide as their longest cell, two spaces between them.
package struct Table: Hashable, Sendable {
    package struct Column: Hashable, Sendable {
        package let title: String
        /// Numbers stand at the right end of their column.
        package let isNumber: Bool

        package static func text(_ title: String) -> Column { Column(title: title, isNumber: false) }
        package static func number(_ title: String) -> Column { Column(title: title, isNumber: true) }
    }

    package let columns: [Column]
    package private(set) var rows: [[String]] = []

    package init(_ columns: Column...) { self.columns = columns }

    /// - Parameter cells: one for each column; what is missing is left blank.
    package mutating func add(_ cells: String...) {
        let padding = Array(repeating: "", count: max(0, self.columns.count - cells.count))
        self.rows.append((cells + padding).map(Self.visible))
    }

    package var text: String {
        let widths = self.columns.indices.map { column in
            max(self.columns[column].title.count, self.rows.map { $0[column].count }.max() ?? 0)
        }
        let lines = [self.columns.map(\.title)] + self.rows
        return lines.map { self.line($0, widths) }.joined(separator: "\n")
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        let padded = self.columns.indices.map { column in
            let blank = String(repeating: " ", count: widths[column] - cells[column].count)
            return self.columns[column].isNumber ? blank + cells[column] : cells[column] + blank
        }
        let line = padded.joined(separator: "  ")
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    /// A cell may come from another machine: a control character in it must not reach the terminal.
    package static func visible(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    }
}
