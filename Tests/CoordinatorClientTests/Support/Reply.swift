// SPDX-License-Identifier: Apache-2.0

/// What a scripted node does with one request.
enum Reply: Sendable {
    /// Sends these bytes.
    case bytes(String)
    /// Sends nothing, and keeps the connection.
    case silence
    /// Closes the connection without an answer.
    case hangUp

    /// A whole HTTP answer.
    static func answer(_ status: Int, _ body: String, fields: [String] = []) -> Reply {
        let head = ["HTTP/1.1 \(status) x", "Content-Length: \(body.utf8.count)"] + fields
        return .bytes(head.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    /// A refusal as a node makes it.
    /// - Parameter retryAfter: milliseconds.
    static func problem(_ status: Int, _ code: String, retryAfter: Int? = nil, pointer: String? = nil) -> Reply {
        var fields = [
            #""type":"urn:verdict:problem:\#(code)""#, #""title":"t""#, #""status":\#(status)"#,
            #""code":"\#(code)""#, #""detail":"the node says \#(code)""#,
        ]
        if let retryAfter { fields.append(#""retry_after_ms":\#(retryAfter)"#) }
        if let pointer { fields.append(#""pointer":"\#(pointer)""#) }
        return .answer(status, "{" + fields.joined(separator: ",") + "}")
    }

    /// The transaction `g1` that runs, or whose outcome is this.
    static func transaction(_ outcome: String? = nil, status: Int = 200) -> Reply {
        var fields = [
            #""gid":"g1""#, #""protocol":"saga""#, #""state":"\#(outcome ?? "running")""#, #""timeout_ms":60000"#,
            #""concurrent":false"#, #""created_at":"2026-01-31T23:59:59.123Z""#,
            #""deadline":"2026-02-01T00:00:59.123Z""#, #""branches":[]"#, #""history":[]"#, #""node":"n1""#,
            #""term":2"#, #""index":7"#,
        ]
        if let outcome { fields.append(#""outcome":"\#(outcome)""#) }
        return .answer(status, "{" + fields.joined(separator: ",") + "}")
    }
}
