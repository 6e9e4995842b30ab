// SPDX-License-Identifier: Apache-2.0

/// One path, method or query that the API doesn't have, and what it must say of it.
struct BadTarget: Sendable {
    let method: String
    let target: String
    let status: Int
    let code: String
    /// What the answer must say; the methods for the `Allow` header where the method is wrong.
    let detail: String

    init(_ method: String, _ target: String, _ status: Int, _ code: String, _ detail: String) {
        self.method = method
        self.target = target
        self.status = status
        self.code = code
        self.detail = detail
    }

    static let all: [BadTarget] = [
        BadTarget("GET", "/", 404, "not-found", "no such path"),
        BadTarget("GET", "/v2/transactions", 404, "not-found", "no such path"),
        BadTarget("GET", "/v1/transactions/", 404, "not-found", "no such path"),
        BadTarget("GET", "//v1///cluster", 404, "not-found", "no such path"),
        BadTarget("POST", "/v1/transactions/g/confirm", 404, "not-found", "no such path"),
        BadTarget("DELETE", "/v1/transactions", 405, "method-not-allowed", "GET, HEAD, POST"),
        BadTarget("PUT", "/v1/transactions/g", 405, "method-not-allowed", "GET, HEAD"),
        BadTarget("POST", "/v1/transactions/g", 405, "method-not-allowed", "GET, HEAD"),
        BadTarget("GET", "/v1/transactions/g/commit", 405, "method-not-allowed", "POST"),
        BadTarget("POST", "/healthz", 405, "method-not-allowed", "GET, HEAD"),
        BadTarget("GET", "/v1/transactions/%zz", 400, "invalid-request", "percent-encoded"),
        BadTarget("GET", "/v1/transactions/%07", 400, "invalid-request", "printable ASCII"),
        BadTarget("GET", "/v1/transactions/" + BadBody.longGid, 400, "invalid-request", "1 to 128 bytes"),
        BadTarget("GET", "/v1/transactions/g?consistency=strong", 400, "invalid-request", "linearizable, local"),
        BadTarget("GET", "/v1/transactions/g?wait=5", 400, "invalid-request", "500ms or 5s"),
        BadTarget("GET", "/v1/transactions/g?wait=61s", 400, "invalid-request", "at most 60s"),
        BadTarget("GET", "/v1/transactions/g?wait=99999999999999999999s", 400, "invalid-request", "at most 60s"),
        BadTarget("GET", "/v1/transactions/g?wait=1s&wait_ms=1", 400, "invalid-request", "not both"),
        BadTarget("GET", "/v1/transactions/g?wait_ms=60001", 400, "invalid-request", "0 to 60000"),
        BadTarget("GET", "/v1/transactions/g?patience=1", 400, "invalid-request", "“patience”"),
        BadTarget("GET", "/v1/transactions?limit=0", 400, "invalid-request", "1 to 1000"),
        BadTarget("GET", "/v1/transactions?limit=5&limit=6", 400, "invalid-request", "twice"),
        BadTarget("GET", "/v1/transactions?state=done", 400, "invalid-request", "committing"),
        BadTarget("GET", "/v1/transactions?after=%00", 400, "invalid-request", "gid"),
        BadTarget("GET", "/v1/cluster?x=%ff", 400, "invalid-request", "UTF-8"),
    ]
}
