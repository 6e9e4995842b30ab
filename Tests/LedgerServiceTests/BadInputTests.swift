// SPDX-License-Identifier: Apache-2.0

import CoordinatorClient
import Foundation
import LedgerService
import NIOHTTP1
import Testing

@Suite("Bad input") struct BadInputTests {
    @Test(
        "A payload that is none gets 400 and the reason",
        arguments: [
            ("", "the body is empty"),
            ("{", "not JSON"),
            ("[]", "another type"),
            (#"{"amount":1}"#, "account is missing"),
            (#"{"account":"a0"}"#, "amount is missing"),
            (#"{"account":7,"amount":1}"#, "account has another type"),
            (#"{"account":"a0","amount":"1"}"#, "amount has another type"),
            (#"{"account":"a0","amount":0}"#, "amount is 0"),
            (#"{"account":"a0","amount":-5}"#, "amount is -5"),
            (#"{"account":"a0","amount":9007199254740993}"#, "amount is 9007199254740993"),
            (#"{"account":"","amount":1}"#, "an account's id is 1 to 64 bytes"),
            (#"{"account":"a b","amount":1}"#, "an account's id is 1 to 64 bytes"),
            (String(repeating: "[", count: 60_000), "nested too deep"),
        ])
    func payload(body: String, reason: String) async throws {
        try await withBank { bank, _ in
            let answer = try await bank.send(
                .POST, "/saga/debit",
                headers: [("Verdict-Gid", "g"), ("Verdict-Branch", "b"), ("Verdict-Operation", "action")], body: body)
            let after = try await bank.account("a0")
            #expect(answer.status == 400)
            #expect(answer.headers["Content-Type"] == ["application/problem+json"])
            #expect(answer["code"] == .string("invalid-request"))
            #expect(answer.detail.contains(reason), "\(answer.detail)")
            #expect(after == [1000, 0])
        }
    }

    @Test(
        "A request without the call's headers gets 400 and the header's name",
        arguments: [
            ([], "Verdict-Gid is missing"),
            ([("Verdict-Gid", "g")], "Verdict-Branch is missing"),
            ([("Verdict-Gid", "g"), ("Verdict-Branch", "b")], "Verdict-Operation is missing"),
            ([("Verdict-Gid", "g"), ("Verdict-Branch", "b"), ("Verdict-Operation", "undo")], "is none of"),
            (
                [("Verdict-Gid", "g"), ("Verdict-Branch", "b"), ("Verdict-Operation", "compensate")],
                "says compensate, and /saga/debit is for action"
            ),
            ([("Verdict-Gid", String(repeating: "g", count: 129))], "Verdict-Gid is not 1 to 128 bytes"),
        ] as [([(String, String)], String)])
    func headers(headers: [(String, String)], reason: String) async throws {
        try await withBank { bank, _ in
            let answer = try await bank.send(
                .POST, "/saga/debit", headers: headers, body: #"{"account":"a0","amount":1}"#)
            #expect(answer.status == 400)
            #expect(answer.detail.contains(reason), "\(answer.detail)")
        }
    }

    @Test(
        "Settings that are none get 400 and the field's name",
        arguments: [
            ("/faults", #"{"fail_rat":1}"#, "there is no field fail_rat"),
            ("/faults", #"{"fail_rate":1.5}"#, "fail_rate is 1.5"),
            ("/faults", #"{"fail_with":"418"}"#, "fail_with is 418; it is one of 409"),
            ("/faults", #"{"die_at":"noon"}"#, "die_at is noon"),
            ("/faults", #"{"die_on":-1}"#, "die_on is -1"),
            ("/faults", #"{"fail_next":-1}"#, "fail_next is -1"),
            ("/faults", #"{"delay_ms":600001}"#, "delay_ms is 600001"),
            ("/faults", #"{"operations":["prepare"]}"#, "operations"),
            ("/accounts", #"{"prefix":"c","count":0,"balance":1}"#, "count is 0"),
            ("/accounts", #"{"prefix":"c","count":1,"balance":-1}"#, "balance is -1"),
            ("/accounts", #"{"prefix":" ","count":1,"balance":1}"#, "an account's id"),
        ])
    func settings(path: String, body: String, reason: String) async throws {
        try await withBank { bank, _ in
            let answer = try await bank.send(.POST, path, body: body)
            #expect(answer.status == 400)
            #expect(answer.detail.contains(reason), "\(answer.detail)")
        }
    }

    @Test func whatIsNotThereIsSaid() async throws {
        try await withBank { bank, _ in
            let nothing = try await bank.send(.GET, "/tcc")
            let method = try await bank.send(.GET, "/saga/debit")
            let page = try await bank.send(.GET, "/accounts?limit=x")
            #expect(nothing.status == 404)
            #expect(nothing.detail == "there is nothing at /tcc")
            #expect(method.status == 405)
            #expect(method.headers["Allow"] == ["POST"])
            #expect(page.status == 400)
            #expect(page.detail == "limit is x; it is 1 to 100000")
        }
    }

    @Test func aLargeBodyIsRefusedAndTheBankGoesOn() async throws {
        try await withBank { bank, _ in
            let answer = try? await bank.send(.POST, "/faults", body: String(repeating: " ", count: 2 << 20))
            // The bank may close before the client has sent all of it.
            if let answer { #expect(answer.status == 413) }
            let limit = try await bank.send(.POST, "/faults", body: String(repeating: " ", count: (64 << 10) + 1))
            let health = try await bank.send(.GET, "/healthz")
            #expect(limit.status == 413)
            #expect(health.status == 200)
        }
    }

    @Test(
        "An address is a host and a port",
        arguments: [
            ("127.0.0.1:7601", "127.0.0.1:7601"), ("[::1]:0", "[::1]:0"), ("localhost:65535", "localhost:65535"),
            ("7601", nil), (":7601", nil), ("a:65536", nil), ("a:-1", nil), ("::1:7601", nil), ("a:", nil),
        ] as [(String, String?)])
    func address(text: String, expected: String?) {
        let address = ListenAddress(text)
        #expect(address?.description == expected)
    }

    @Test func aPortInUseAndAFileThatIsNoDatabaseAreSaid() async throws {
        let folder = try TemporaryFolder()
        try await withBank { bank, _ in
            let error = await #expect(throws: LedgerServerError.self) {
                let settings = LedgerServer.Settings(name: "B", listen: bank.address, database: folder.database)
                _ = try await LedgerServer.start(settings, logger: .silent)
            }
            #expect(error == .cannotListen(bank.address, reason: "another process has the port"))
        }
        try String(repeating: "no database", count: 100).write(
            toFile: folder.url.appending(path: "text").path, atomically: true, encoding: .utf8)
        let error = await #expect(throws: LedgerServerError.self) {
            let path = folder.url.appending(path: "text").path
            _ = try await LedgerServer.start(.init(name: "B", database: path), logger: .silent)
        }
        let description = error?.description ?? ""
        #expect(description.contains("as the bank's database: SQLite 26"), "\(description)")
    }
}
