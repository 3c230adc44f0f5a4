// In a package graph, target names are unique. A target of ours with the name of another package's target would prevent
// programs from using both.
import Testing

@Suite struct TargetNamesTests {
  /// Targets of packages that server programs use together with the library.
  private static let foreign: Set = [
    "Metrics", "CoreMetrics", "Logging", "Configuration", "ServiceLifecycle", "UnixSignals", "Tracing",
    "Instrumentation", "ServiceContextModule", "AsyncAlgorithms", "Collections", "Algorithms", "Atomics", "Numerics",
    "SystemPackage", "CSystem", "HTTPTypes", "HTTPAPIs", "AsyncHTTPClient", "Hummingbird", "Vapor", "GRDB", "SQLiteNIO",
    "CSQLite", "Yams", "Subprocess", "NIO", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL", "X509", "JWTKit",
  ]

  @Test func `no target has the name of a target of a common package`() throws {
    let own = Set(Rooms.declared(in: try Repository.text("Package.swift")).keys)
    #expect(own.count > 15 && own.intersection(TargetNamesTests.foreign) == [])
  }
}
