// SPDX-License-Identifier: Apache-2.0

import Testing
import clusterctl

@Suite("submit-tx and tx as processes", .timeLimit(.minutes(5)))
struct TransactionProcessTests {
    private static let saga = ["--step", "http://127.0.0.1:1/a", "--compensate", "http://127.0.0.1:1/b"]

    static let badInputs: [(arguments: [String], words: String)] = [
        (["submit-tx"], "Name a JSON file"),
        (["submit-tx", "--saga"], "a transaction needs a branch: begin it with --step URL"),
        (["submit-tx"] + Self.saga, "Say which protocol it is"),
        (["submit-tx", "--saga", "--tcc"] + Self.saga, "Say which protocol it is"),
        (["submit-tx", "t.json", "--saga"], "not from both"),
        (["submit-tx", "no-such.json"], "no-such.json can't be read: No such file or directory"),
        (["submit-tx", "--saga", "--payload", "1"] + Self.saga, "--payload stands before the first --step"),
        (["submit-tx", "--saga", "--no-wait", "--wait-for", "1s"] + Self.saga, "contradict each other"),
        (["submit-tx", "-"], "standard input: no JSON"),
        (["submit-tx", "--saga", "--gid", "two words"] + Self.saga, "a gid is 1 to 128 bytes of printable ASCII"),
        (["tx", "show"], "gid"),
        (["tx", "show", "a b"], "a gid is 1 to 128 bytes of printable ASCII"),
        (["tx", "show", "g", "--consistency", "some"], "--consistency"),
        (["tx", "show", "g", "--node", "n9"], "there is no node n9 in"),
        (["tx", "list", "--state", "done"], "There is no state done"),
        (["tx", "list", "--limit", "0"], "--limit is 0"),
    ]

    @Test("Bad input ends with 64 and says what is wrong", arguments: TransactionProcessTests.badInputs)
    func badInput(arguments: [String], words: String) async throws {
        let cluster = try SampleCluster()
        let result = try await Program.clusterctl(
            arguments, environment: ["VERDICT_CONFIG": cluster.path], input: "{")
        #expect(result.code == 64, "\(result.errors)")
        #expect(result.errors.contains(words), "\(result.errors)")
    }

    @Test("Help ends with 0 and shows examples", arguments: [["submit-tx"], ["tx"], ["tx", "show"], ["tx", "list"]])
    func help(command: [String]) async throws {
        let result = try await Program.clusterctl(command + ["--help"])
        #expect(result.code == 0)
        #expect(result.output.contains("EXAMPLES"))
    }
}
