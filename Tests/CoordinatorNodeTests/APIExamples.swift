// SPDX-License-Identifier: Apache-2.0

/// Bodies of requests that the tests share.
enum Example {
    static func branch(_ fields: String = "") -> String {
        #"{"action": "http://127.0.0.1:9001/debit", "compensate": "http://127.0.0.1:9001/credit"\#(fields)}"#
    }

    static func saga(_ fields: String = "", branches: [String] = [Example.branch()]) -> String {
        #"{"protocol": "saga", "branches": [\#(branches.joined(separator: ", "))]\#(fields)}"#
    }

    static let tccBranch = #"""
        {"try": "http://bank.example:80/try", "confirm": "http://bank.example:80/confirm",
         "cancel": "http://bank.example:80/cancel", "payload": {"amount": 30}}
        """#

    static let registration = #"{"id": "b1", "confirm": "http://bank.example/c", "cancel": "http://bank.example/x"}"#
}
