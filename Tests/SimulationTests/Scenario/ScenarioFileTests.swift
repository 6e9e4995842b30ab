// SPDX-License-Identifier: Apache-2.0

import Testing

@Suite("Scenario files") struct ScenarioFileTests {
    @Test("A file is written as it was read") func roundTrip() throws {
        let text = "# A cluster.\n\ncluster n1\nstart\n----\nn1 starts\n\n# The end.\nstatus\n----\nok\n"
        let file = try ScenarioFile(text: text)
        #expect(file.blocks.map(\.expected) == [["n1 starts"], ["ok"]])
        #expect(file.text(answers: file.blocks.map(\.expected)) == text)
    }

    @Test(
        "What can't be understood is named with its line",
        arguments: [
            ("----\n", "line 1: '----' without a command"),
            ("start\n\nstatus\n----\n", "line 1: '----' must follow a block of commands"),
            ("start\n----\nok\n\nstatus\n", "line 5: '----' must follow a block of commands"),
        ])
    func badFile(text: String, complaint: String) {
        let error = #expect(throws: ScenarioFile.Problem.self) { try ScenarioFile(text: text) }
        #expect(error?.description == complaint)
    }

    @Test(
        "A command that can't be played is named with its line",
        arguments: [
            ("dance n1", "line 3: unknown command 'dance'"),
            ("start n9", "line 3: no node is called 'n9'"),
            ("cut n1-n2-n3", "line 3: 'n1-n2-n3' is no link; write n1->n2 or n1-n2"),
            ("advance soon", "line 3: 'soon' is no number of milliseconds"),
            ("disk n1 term", "line 3: 'term' isn't key=value"),
            ("harm n1 batchLost", "line 3: n1 has nothing on its disk to harm"),
        ])
    func badCommand(command: String, complaint: String) throws {
        let file = try ScenarioFile(text: "# Two nodes.\ncluster n1 n2\n\(command)\n----\n")
        var player = ScenarioPlayer()
        let error = #expect(throws: ScenarioFile.Problem.self) { try player.play(file.blocks[0].commands) }
        #expect(error?.description == complaint)
    }
}
