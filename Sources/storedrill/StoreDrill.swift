// SPDX-License-Identifier: Apache-2.0

import RaftStore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The process that a disk drill kills: writes a log, says what it acknowledges, and checks later that all of it is
/// there.
@main
enum StoreDrill {
    static func main() {
        do throws(DrillArguments.Mistake) {
            exit(self.run(try DrillArguments(Array(CommandLine.arguments.dropFirst()))))
        } catch {
            complain("storedrill: \(error.text)\n\(DrillArguments.usage)")
            exit(64)
        }
    }

    private static func run(_ arguments: DrillArguments) -> Int32 {
        switch arguments.command {
        case .scenario where arguments.isNode:
            do throws(DrillNode.Trouble) {
                try NodeScenario(arguments).run()
                return 0
            } catch {
                switch error {
                case .disk(let reason): say("ended \(reason)")
                case .wrong(let failure): say("WRONG \(failure.text)")
                }
                return 74
            }
        case .verify where arguments.isNode:
            do throws(DrillNode.Failure) {
                say("ok \(try NodeVerification(arguments).run())")
                return 0
            } catch {
                say("WRONG \(error.text)")
                return 65
            }
        case .scenario:
            do throws(StoreError) {
                try Scenario(arguments).run()
                return 0
            } catch {
                say("ended \(error)")
                return 74
            }
        case .verify:
            do throws(Verification.Failure) {
                say("ok \(try Verification(arguments).run())")
                return 0
            } catch {
                say("WRONG \(error.text)")
                return 65
            }
        }
    }
}

/// One line to standard output, in one write of its own: what was said before a kill was said.
func say(_ line: String) { write(line, to: STDOUT_FILENO) }

func complain(_ line: String) { write(line, to: STDERR_FILENO) }

private func write(_ line: String, to descriptor: Int32) {
    let bytes = Array((line + "\n").utf8)
    _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
}
