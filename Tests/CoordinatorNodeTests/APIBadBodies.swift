// SPDX-License-Identifier: Apache-2.0

import Testing

/// One body that the API doesn't take, and what it must say of it.
struct BadBody: Sendable, CustomTestStringConvertible {
    let name: String
    let body: String
    var status = 400
    var code = "invalid-request"
    /// The field that the answer must name.
    var pointer: String?
    /// What the answer must say.
    var detail = ""

    var testDescription: String { self.name }

    func check(_ answer: APIAnswer) throws {
        #expect(answer.status == self.status)
        #expect(answer.headers["content-type"] == "application/problem+json")
        let json = try answer.json
        #expect(json["code"] == .text(self.code))
        #expect(json["status"] == .number(Double(self.status)))
        #expect(json["pointer"]?.text == self.pointer)
        let detail = try #require(json["detail"]?.text)
        #expect(detail.contains(self.detail), "\(detail)")
    }
}

extension BadBody {
    static let malformed: [BadBody] = [
        BadBody(name: "nothing", body: "", detail: "empty"),
        BadBody(name: "no value", body: "{\n  \"protocol\": }", detail: "line 2, column 15"),
        BadBody(name: "cut off", body: #"{"protocol": "saga""#, detail: "line 1, column 20"),
        BadBody(name: "a trailing comma", body: "{\"protocol\": \"saga\",\n}", detail: "line 2, column 1"),
        BadBody(name: "something behind", body: "{} x", detail: "line 1, column 4"),
        BadBody(
            name: "a duplicate key", body: #"{"protocol": "saga", "protoco\u006c": "tcc"}"#,
            detail: "“protocol” stands twice"),
        BadBody(name: "a raw control character", body: "{\"gid\": \"a\u{1}\"}", detail: "0x01"),
        BadBody(name: "half a surrogate pair", body: #"{"gid": "\ud800"}"#, detail: "surrogate"),
        BadBody(name: "a leading zero", body: #"{"timeout_ms": 01}"#, detail: "line 1, column 16"),
        BadBody(
            name: "depth 33", body: String(repeating: "[", count: 33) + String(repeating: "]", count: 33),
            detail: "more than 32 levels"),
        BadBody(name: "a byte order mark", body: "\u{feff}{}", detail: "line 1, column 1"),
    ]

    static let longGid = String(repeating: "g", count: 129)

    static let submissions: [BadBody] = [
        BadBody(name: "no object", body: "[]", pointer: "", detail: "expected an object, got an array"),
        BadBody(
            name: "no protocol", body: #"{"branches": [\#(Example.branch())]}"#, pointer: "/protocol", detail: "missing"
        ),
        BadBody(
            name: "a protocol of another type", body: #"{"protocol": 2, "branches": []}"#, pointer: "/protocol",
            detail: "expected a string, got the number 2"),
        BadBody(
            name: "an unknown protocol", body: #"{"protocol": "xa", "branches": []}"#, pointer: "/protocol",
            detail: "“saga” or “tcc”"),
        BadBody(
            name: "an unknown field", body: Example.saga(#", "timeout": 1"#), pointer: "/timeout",
            detail: "timeout_ms"),
        BadBody(name: "branches missing", body: #"{"protocol": "saga"}"#, pointer: "/branches", detail: "missing"),
        BadBody(
            name: "no branches", body: Example.saga(branches: []), pointer: "/branches",
            detail: "1 to 256 branches, got 0"),
        BadBody(
            name: "257 branches", body: Example.saga(branches: Array(repeating: Example.branch(), count: 257)),
            pointer: "/branches", detail: "got 257"),
        BadBody(
            name: "branches of another type", body: #"{"protocol": "saga", "branches": {}}"#, pointer: "/branches",
            detail: "expected an array, got an object"),
        BadBody(
            name: "a branch of another type", body: Example.saga(branches: [Example.branch(), "true"]),
            pointer: "/branches/1", detail: "expected an object, got true"),
        BadBody(
            name: "a gid of 129 bytes", body: Example.saga(#", "gid": "\#(longGid)""#), pointer: "/gid",
            detail: "1 to 128 bytes"),
        BadBody(
            name: "a gid with a control character", body: Example.saga(#", "gid": "a\u0007b""#), pointer: "/gid",
            detail: "printable ASCII"),
        BadBody(name: "an empty gid", body: Example.saga(#", "gid": """#), pointer: "/gid", detail: "1 to 128 bytes"),
        BadBody(
            name: "a gid that is null", body: Example.saga(#", "gid": null"#), pointer: "/gid",
            detail: "expected a string, got null"),
        BadBody(
            name: "a timeout of zero", body: Example.saga(#", "timeout_ms": 0"#), pointer: "/timeout_ms",
            detail: "from 1 to 86400000"),
        BadBody(
            name: "a timeout with a fraction", body: Example.saga(#", "timeout_ms": 1.0"#), pointer: "/timeout_ms",
            detail: "the number 1.0"),
        BadBody(
            name: "a timeout beyond 64 bits", body: Example.saga(#", "timeout_ms": 18446744073709551616"#),
            pointer: "/timeout_ms", detail: "18446744073709551616"),
        BadBody(name: "a negative wait", body: Example.saga(#", "wait_ms": -1"#), pointer: "/wait_ms", detail: "-1"),
        BadBody(
            name: "a wait of more than a minute", body: Example.saga(#", "wait_ms": 60001"#), pointer: "/wait_ms",
            detail: "60000"),
        BadBody(
            name: "concurrent as a number", body: Example.saga(#", "concurrent": 1"#), pointer: "/concurrent",
            detail: "true or false"),
        BadBody(
            name: "a concurrent TCC",
            body: #"{"protocol": "tcc", "concurrent": true, "branches": [\#(Example.tccBranch)]}"#,
            pointer: "/concurrent", detail: "saga"),
        BadBody(
            name: "an action in a TCC", body: #"{"protocol": "tcc", "branches": [\#(Example.branch())]}"#,
            pointer: "/branches/0/action", detail: "unknown field"),
        BadBody(
            name: "a saga without compensation", body: Example.saga(branches: [#"{"action": "http://127.0.0.1/a"}"#]),
            pointer: "/branches/0/compensate", detail: "needed"),
        BadBody(
            name: "two branches of one id",
            body: Example.saga(branches: [Example.branch(#", "id": "2""#), Example.branch()]),
            pointer: "/branches/1/id", detail: "earlier branch"),
        BadBody(
            name: "a branch id of 65 bytes",
            body: Example.saga(branches: [Example.branch(#", "id": "\#(longGid.prefix(65))""#)]),
            pointer: "/branches/0/id", detail: "1 to 64 bytes"),
        BadBody(
            name: "a header of another type",
            body: Example.saga(branches: [Example.branch(#", "headers": {"A/B": 1}"#)]),
            pointer: "/branches/0/headers/A~1B", detail: "expected a string"),
        BadBody(
            name: "a header that splits the request",
            body: Example.saga(branches: [Example.branch(#", "headers": {"A": "1\r\nB: 2"}"#)]),
            pointer: "/branches/0/headers/A", detail: "printable ASCII"),
        BadBody(
            name: "a header of the connection",
            body: Example.saga(branches: [Example.branch(#", "headers": {"Content-Length": "1"}"#)]),
            pointer: "/branches/0/headers/Content-Length", detail: "connection"),
    ]

    static func step(_ url: String) -> String {
        Example.saga(branches: [Example.branch(), #"{"action": "\#(url)", "compensate": "http://127.0.0.1/c"}"#])
    }

    static let urls: [BadBody] = [
        BadBody(name: "no URL", body: step("not a url"), pointer: "/branches/1/action", detail: "can't have"),
        BadBody(name: "another scheme", body: step("ftp://127.0.0.1/a"), pointer: "/branches/1/action", detail: "http"),
        BadBody(
            name: "https", body: step("https://127.0.0.1/a"), pointer: "/branches/1/action",
            detail: "expected an http URL"),
        BadBody(
            name: "a user in front of the host", body: step("http://user@127.0.0.1/a"), pointer: "/branches/1/action",
            detail: "host and port"),
        BadBody(
            name: "port 0", body: step("http://127.0.0.1:0/a"), pointer: "/branches/1/action", detail: "host and port"),
        BadBody(name: "a relative URL", body: step("/a"), pointer: "/branches/1/action", detail: "absolute"),
        BadBody(
            name: "a URL of 2,049 bytes", body: step("http://127.0.0.1/" + String(repeating: "a", count: 2032)),
            pointer: "/branches/1/action", detail: "2049 bytes"),
        BadBody(
            name: "a host that isn't listed", body: step("http://evil.example/a"), status: 422,
            code: "target-not-allowed", pointer: "/branches/1/action", detail: "evil.example"),
        BadBody(
            name: "the metadata service of a cloud", body: step("http://169.254.169.254/latest"), status: 422,
            code: "target-not-allowed", pointer: "/branches/1/action", detail: "metadata"),
        BadBody(
            name: "a port of the cluster's own", body: step("http://127.0.0.1:7401/v1/cluster"), status: 422,
            code: "target-not-allowed", pointer: "/branches/1/action", detail: "7401"),
        BadBody(
            name: "another spelling of an address", body: step("http://2130706433/a"), status: 422,
            code: "target-not-allowed", pointer: "/branches/1/action", detail: "2130706433"),
    ]

    static let steps: [(path: String, bad: BadBody)] = [
        (
            "/v1/transactions/begin",
            BadBody(
                name: "branches in a beginning", body: Example.saga(), pointer: "/branches", detail: "unknown field")
        ),
        (
            "/v1/transactions/g/branches",
            BadBody(
                name: "a registration without id", body: #"{"confirm": "http://127.0.0.1/a"}"#, pointer: "/id",
                detail: "missing")
        ),
        (
            "/v1/transactions/g/branches",
            BadBody(
                name: "a registration with a try",
                body:
                    #"{"id": "1", "try": "http://127.0.0.1", "confirm": "http://127.0.0.1", "cancel": "http://127.0.0.1"}"#,
                pointer: "/try", detail: "application")
        ),
        (
            "/v1/transactions/g/branches",
            BadBody(
                name: "a registration of a forbidden target",
                body: #"{"id": "1", "confirm": "http://10.0.0.1/a", "cancel": "http://127.0.0.1/b"}"#, status: 422,
                code: "target-not-allowed", pointer: "/confirm", detail: "10.0.0.1")
        ),
        (
            "/v1/transactions/g/commit",
            BadBody(
                name: "a commit with a reason", body: #"{"reason": "x"}"#, pointer: "/reason", detail: "unknown field")
        ),
        (
            "/v1/transactions/g/abort",
            BadBody(
                name: "a reason with a control character", body: #"{"reason": "\u001b[2J"}"#, pointer: "/reason",
                detail: "control")
        ),
        (
            "/v1/transactions/g/abort",
            BadBody(
                name: "a reason of 257 bytes", body: #"{"reason": "\#(String(repeating: "r", count: 257))"}"#,
                pointer: "/reason", detail: "256 bytes")
        ),
    ]
}
