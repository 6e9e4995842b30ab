// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

/// Settings of every Swift target of ours: warnings are errors, and the language is as strict as the compiler offers.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// Plants known bugs behind `#if PlantedBugs`, so that the simulator can prove it finds them. Never set for `verdictd`.
let plantedBugs = Context.environment["VERDICT_PLANTED_BUGS"] == "1"

/// Lets the machine know one more kind of command than the product does, as a later program will: so that tests can run
/// nodes of two formats in one cluster. Never in a release.
let nextFormat: SwiftSetting =
    plantedBugs ? .define("NextFormat") : .define("NextFormat", .when(configuration: .debug))

/// `VERDICT_ONLY=RaftTests,simulate` keeps these targets and what they stand on, and fetches no package they don't need:
/// the pure targets and the disk then build in seconds.
let only = Context.environment["VERDICT_ONLY"].map { Set($0.split(separator: ",").map(String.init)) }

func library(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(
        name: name, dependencies: dependencies, exclude: exclude,
        swiftSettings: strict + [nextFormat] + (plantedBugs ? [.define("PlantedBugs")] : []))
}

func executable(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies,
        swiftSettings: strict + [nextFormat] + (plantedBugs ? [.define("PlantedBugs")] : []))
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, resources: resources,
        swiftSettings: strict + [nextFormat] + (plantedBugs ? [.define("PlantedBugs")] : []))
}

// The pure targets and the disk: floors 1 to 3 of Docs/architecture.md, and the simulator that judges them.
let coreTargets: [Target] = [
    .systemLibrary(
        name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .target(name: "CChecksum"),
    library("Bytes"),
    library("Locks"),
    library("StrictJSON"),
    library("Raft", ["Bytes", "CChecksum"]),
    library("Transactions", ["Bytes"]),
    library("ClusterConfiguration"),
    library("SQLite", ["CSQLite"]),
    library("RaftStore", ["Locks", "Raft", "SQLite", "CChecksum", "Bytes"]),
    library("StateStore", ["Locks", "Transactions", "SQLite", "CChecksum", "Bytes"]),
    library("Simulation", ["Raft", "Transactions", "Bytes"]),
    executable("simulate", ["Simulation"]),
    executable("logbench", ["RaftStore", "Raft"]),
    executable("storedrill", ["Locks", "RaftStore", "StateStore", "Transactions", "Raft", "Bytes"]),
    tests("BytesTests", ["Bytes", "CChecksum"]),
    tests("StrictJSONTests", ["StrictJSON"]),
    tests("RaftTests", ["Raft", "Bytes"]),
    tests("TransactionsTests", ["Transactions", "Bytes"]),
    tests("ClusterConfigurationTests", ["ClusterConfiguration"]),
    tests("SQLiteTests", ["SQLite"]),
    tests("RaftStoreTests", ["Locks", "RaftStore", "Raft", "SQLite", "Simulation"]),
    tests("StateStoreTests", ["Bytes", "StateStore", "Transactions", "SQLite"]),
    tests("SimulationTests", ["Bytes", "Simulation", "Raft", "Transactions"]),
]

/// Parsers for libFuzzer: only for scripts/fuzz, which links them.
let isFuzzing = Context.environment["VERDICT_FUZZ"] == "1"
let fuzzTargets: [Target] = [
    library("FuzzTargets", ["Bytes", "ClusterConfiguration", "Raft", "RaftStore", "StrictJSON", "Transactions"])
]

let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioFoundation: Target.Dependency = .product(name: "NIOFoundationCompat", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

// Everything that speaks to a network or a person: floors 3 to 5.
let serviceTargets: [Target] = [
    library("PeerTransport", ["Raft", "CChecksum", "Bytes", nio, nioPosix, log]),
    library("CoordinatorClient", ["Locks", httpClient, nio]),
    library("SQLiteBarrier", ["CoordinatorClient", "SQLite"]),
    library(
        "CoordinatorNode",
        [
            "Raft", "RaftStore", "StateStore", "Transactions", "ClusterConfiguration", "PeerTransport", "Bytes",
            "Locks", "StrictJSON",
            nio, nioPosix, nioHTTP1, nioFoundation, log, lifecycle, hummingbird,
        ]),
    executable("verdictd", ["CoordinatorNode", "ClusterConfiguration", log, lifecycle, unixSignals, arguments]),
    executable(
        "clusterctl",
        [
            "CoordinatorClient", "ClusterConfiguration", "RaftStore", "StateStore", "Raft", "Transactions",
            "StrictJSON", arguments, nio, nioPosix,
        ]),
    executable(
        "LedgerService",
        [
            "SQLiteBarrier", "CoordinatorClient", "SQLite", "Locks", nio, nioPosix, nioHTTP1, nioFoundation, log,
            arguments,
        ]),
    tests("PeerTransportTests", ["Locks", "PeerTransport", "Raft", "Bytes", nio, nioPosix, nioEmbedded, log]),
    tests("CoordinatorClientTests", ["CoordinatorClient", "Locks", nio, nioPosix]),
    tests("SQLiteBarrierTests", ["SQLiteBarrier", "CoordinatorClient", "SQLite"]),
    tests(
        "CoordinatorNodeTests",
        [
            "CoordinatorNode", "ClusterConfiguration", "Raft", "RaftStore", "StateStore", "Transactions",
            "PeerTransport", "Locks", "StrictJSON", "Bytes", nio, nioPosix, nioHTTP1, nioEmbedded, log, lifecycle,
            hummingbird, httpClient,
        ]),
    tests(
        "clusterctlTests",
        [
            "clusterctl", "verdictd", "CoordinatorClient", "ClusterConfiguration", "RaftStore", "Raft", "Transactions",
            arguments,
            nio, nioPosix,
        ]),
    tests("LedgerServiceTests", ["LedgerService", "CoordinatorClient", "SQLite", nio, nioHTTP1, log, httpClient]),
]

/// The names of our own targets that a target stands on, and the third-party packages it names.
func needs(_ target: Target) -> (targets: [String], packages: [String]) {
    var targets: [String] = []
    var packages: [String] = []
    for dependency in target.dependencies {
        switch dependency {
        case .targetItem(let name, _), .byNameItem(let name, _): targets.append(name)
        case .productItem(_, let package, _, _): packages.append(package ?? "")
        @unknown default: break
        }
    }
    return (targets, packages)
}

let allTargets = coreTargets + serviceTargets + (isFuzzing ? fuzzTargets : [])
var kept = only ?? Set(allTargets.map(\.name))
while true {
    let wanted = allTargets.filter { kept.contains($0.name) }.flatMap { needs($0).targets }
    if kept.isSuperset(of: wanted) { break }
    kept.formUnion(wanted)
}
let targets = allTargets.filter { kept.contains($0.name) }
let packages = Set(targets.flatMap { needs($0).packages })

let package = Package(
    name: "verdict",
    products: ["CoordinatorClient", "SQLiteBarrier"].filter(kept.contains).map {
        .library(name: $0, targets: [$0])
    } + (isFuzzing ? [.library(name: "FuzzTargets", type: .static, targets: ["FuzzTargets"])] : []),
    dependencies: [
        ("swift-nio", .package(url: "https://github.com/apple/swift-nio", from: "2.101.0")),
        ("swift-log", .package(url: "https://github.com/apple/swift-log", from: "1.16.0")),
        ("swift-argument-parser", .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")),
        (
            "swift-service-lifecycle",
            .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0")
        ),
        ("async-http-client", .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0")),
        ("hummingbird", .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0")),
    ].filter { (name: String, _: Package.Dependency) in packages.contains(name) }.map(\.1),
    targets: targets,
    swiftLanguageModes: [.v6]
)
