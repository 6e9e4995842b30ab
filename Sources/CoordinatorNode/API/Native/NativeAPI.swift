// SPDX-License-Identifier: Apache-2.0

package import ClusterConfiguration
import HTTPTypes
package import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
import Synchronization
import Transactions

/// The native HTTP/JSON API, version 1: turns a request into a command or a read, asks the coordinator, and writes the
/// answer. It decides nothing.
///
/// Routing is a table of paths (`NativeRoute`) and not the server's router, which takes `//v1///node` for
/// `/v1/node`, answers a wrong method with 404, and decodes a gid's `%2F` only after it has looked for slashes in some
/// of its paths.
package struct NativeAPI: HTTPResponder {
    package typealias Context = APIContext

    let coordinator: any Coordinator
    let gids: GidGenerator
    let targets: TargetCheck
    let limits: APILimits
    let logger: Logger
    /// The node's name, which every answer carries.
    let node: String
    private let running: RunningRequests

    package init(
        coordinator: any Coordinator, gids: GidGenerator, targets: AllowList, limits: APILimits, logger: Logger
    ) {
        self.coordinator = coordinator
        self.gids = gids
        self.targets = TargetCheck(targets)
        self.limits = limits
        self.logger = logger
        self.node = coordinator.nodeStatus().node
        self.running = RunningRequests(limit: limits.requests, bodyLimit: limits.bodyBytesInAll)
    }

    package func respond(to request: Request, context: APIContext) async -> Response {
        let response: Response
        do throws(Problem) {
            response = try await self.answer(to: request, isLocal: context.isLocal).response
        } catch {
            response = Response(error)
        }
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(to request: Request, isLocal: Bool) async throws(Problem) -> Answer {
        let target = request.head.path ?? ""
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = parts.first, let route = NativeRoute(path: path) else {
            throw Problem(.notFound, "The API has no such path; see Docs/openapi.yaml.")
        }
        guard route.methods.contains(request.method) else {
            var problem = Problem(.methodNotAllowed, "This path takes \(Self.names(route.methods)).")
            problem.allow = route.methods.map(\.rawValue)
            throw problem
        }
        let query = parts.count > 1 ? parts[1] : nil
        if route == .backup {
            guard isLocal else { throw Self.notHere }
            // What else the headers say only the whole copy can tell.
            if request.method == .head { return Answer([]) }
        }
        guard request.method == .post else {
            // A node that is busy still says that it lives.
            guard route.asksCoordinator else { return try await self.get(route, query: query) }
            return try await self.counted(bodyBytes: 0) { () throws(Problem) in
                try await self.get(route, query: query)
            }
        }
        _ = try QueryParameters(query, known: [])
        let bodyBytes = try request.declaredBodyBytes(limit: self.limits.bodyBytes)
        return try await self.counted(bodyBytes: bodyBytes) { () throws(Problem) in
            try await self.post(to: route, body: request.jsonBytes(limit: self.limits.bodyBytes))
        }
    }

    /// Carries out a request that may wait, if there is room for it and its body.
    private func counted(
        bodyBytes: Int, _ work: () async throws(Problem) -> Answer
    ) async throws(Problem) -> Answer {
        guard self.running.enter(bodyBytes: bodyBytes) else {
            throw Problem(.overloaded, "Too many requests are being carried out.", retryAfter: .seconds(1))
        }
        defer { self.running.leave(bodyBytes: bodyBytes) }
        return try await work()
    }

    private func post(to route: NativeRoute, body: [UInt8]) async throws(Problem) -> Answer {
        switch route {
        case .transactions: return try await self.submit(body)
        case .transaction: return try await self.begin(body)
        case .branches(let gid): return try await self.registerBranch(body, of: Self.gid(inPath: gid))
        case .commit(let gid): return try await self.commit(body, of: Self.gid(inPath: gid))
        case .abort(let gid): return try await self.abort(body, of: Self.gid(inPath: gid))
        case .release(let gid): return try await self.release(body, of: Self.gid(inPath: gid))
        case .transferLeadership: return try await self.transferLeadership(body)
        case .members: return try await self.changeMembers(body)
        case .liftMark: return try await self.liftMark(body)
        case .cluster, .audit, .backup, .node, .live, .ready:
            // `methods` has let none of these through.
            throw Problem(.methodNotAllowed, "This path takes \(Self.names(route.methods)).")
        }
    }

    private func get(_ route: NativeRoute, query: Substring?) async throws(Problem) -> Answer {
        switch route {
        case .transactions: return try await self.list(query)
        case .transaction(let gid): return try await self.read(Self.gid(inPath: gid), query: query)
        case .cluster:
            _ = try QueryParameters(query, known: [])
            return try await self.cluster()
        case .members:
            _ = try QueryParameters(query, known: [])
            return try await self.members(nil)
        case .audit:
            _ = try QueryParameters(query, known: [])
            return try await self.audit()
        case .backup:
            _ = try QueryParameters(query, known: [])
            return try await self.backup()
        case .node:
            _ = try QueryParameters(query, known: [])
            return Answer(NativeAnswers.node(self.coordinator.nodeStatus()))
        case .live:
            _ = try QueryParameters(query, known: [])
            return Answer(NativeAnswers.health("live", self.coordinator.nodeStatus()))
        case .ready:
            _ = try QueryParameters(query, known: [])
            return try self.ready()
        case .branches, .commit, .abort, .release, .transferLeadership, .liftMark:
            throw Problem(.methodNotAllowed, "This path takes \(Self.names(route.methods)).")
        }
    }

    private static func gid(inPath text: Substring) throws(Problem) -> Gid {
        guard let gid = PercentEncoding.decoded(text).flatMap(Gid.init(rawValue:)) else {
            throw Problem(.invalidRequest, "The gid in the path must be \(NativeRequests.gidRule), percent-encoded.")
        }
        return gid
    }

    private static func names(_ methods: [HTTPRequest.Method]) -> String {
        methods.map(\.rawValue).joined(separator: ", ")
    }
}

/// An answer that is not a problem.
struct Answer {
    let status: HTTPResponse.Status
    let body: [UInt8]
    /// The transaction that the body shows, when the request's path doesn't say so.
    let location: Gid?
    /// In the place of a body: a file.
    private(set) var backup: BackupSource?

    init(_ backup: BackupSource) {
        self.init([])
        self.backup = backup
    }

    init(_ body: [UInt8], status: HTTPResponse.Status = .ok, location: Gid? = nil) {
        self.body = body
        self.status = status
        self.location = location
    }

    var response: Response {
        if let backup = self.backup { return Response(backup) }
        var headers: HTTPFields = [.contentType: "application/json"]
        if let location = self.location {
            headers[.contentLocation] = "/v1/transactions/" + PercentEncoding.encodedSegment(location.rawValue)
        }
        return Response(
            status: self.status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: self.body)))
    }
}

extension Response {
    init(_ problem: Problem) {
        var headers: HTTPFields = [.contentType: "application/problem+json"]
        if let retryAfter = problem.retryAfter {
            // The header counts whole seconds; zero would invite a client to spin.
            headers[.retryAfter] = String(max(1, (retryAfter.wholeMilliseconds + 999) / 1000))
        }
        if !problem.allow.isEmpty { headers[.allow] = problem.allow.joined(separator: ", ") }
        self.init(
            status: HTTPResponse.Status(code: problem.code.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: problem.json())))
    }
}

/// Counts the requests that are being carried out, and the bytes of their bodies. One connection has one at a time, but
/// a request whose client has gone still runs, so the limit on connections isn't enough.
private final class RunningRequests: Sendable {
    private let limit: Int
    private let bodyLimit: Int
    private let count = Atomic<Int>(0)
    private let bodyBytes = Atomic<Int>(0)

    init(limit: Int, bodyLimit: Int) {
        self.limit = limit
        self.bodyLimit = bodyLimit
    }

    /// - Returns: false if too much is under way; then `leave` is not to be called.
    func enter(bodyBytes: Int) -> Bool {
        let count = self.count.add(1, ordering: .relaxed).newValue
        let bytes = self.bodyBytes.add(bodyBytes, ordering: .relaxed).newValue
        guard count <= self.limit, bytes <= self.bodyLimit else {
            self.leave(bodyBytes: bodyBytes)
            return false
        }
        return true
    }

    func leave(bodyBytes: Int) {
        self.count.subtract(1, ordering: .relaxed)
        self.bodyBytes.subtract(bodyBytes, ordering: .relaxed)
    }
}
