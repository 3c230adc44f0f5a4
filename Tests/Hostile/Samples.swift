// The files that many cases share, each written once, and how long an honest download of them takes.
import Glibc
import Posix
import Synchronization
import TestSupport

/// The size of a file, in chunks, with the rate of its honest source: a download takes about two seconds.
enum Size: Int, Sendable, CaseIterable {
  case one = 1
  case many = 64
  /// Two pages of hashes.
  case pages = 2_000
  /// For downloads at full speed.
  case load = 128

  /// The value for `--upload-limit`.
  var rate: String {
    switch self {
    case .one: "400K"
    case .many: "32M"
    case .pages: "400M"
    case .load: "none"
    }
  }

  var sample: Sample { Samples.shared.sample(self) }

  struct Sample: Sendable {
    let file: HostileFile
    let folder: String
  }

  /// A download from the honest source alone.
  struct Reference: Sendable {
    /// The median of three times, in seconds.
    let seconds: Double
    /// The highest memory of `get`, in bytes.
    let peakBytes: Int
  }

  func reference(_ bench: Bench) throws -> Reference { try Samples.shared.reference(self, bench) }
}

final class Samples: Sendable {
  static let shared = Samples()

  private let folder = Mutex<TemporaryFolder?>(TemporaryFolder())
  private let samples = Mutex<[Size: Size.Sample]>([:])
  private let references = Mutex<[Size: Size.Reference]>([:])

  fileprivate func sample(_ size: Size) -> Size.Sample {
    samples.withLock { samples in
      if let sample = samples[size] { return sample }
      let file = HostileFile(chunkCount: size.rawValue)
      let place = folder.withLock { $0?("\(size.rawValue)") } ?? "."
      mkdir(place, 0o755)
      do { try file.write(in: place) } catch { fatalError("\(error)") }
      samples[size] = Size.Sample(file: file, folder: place)
      return samples[size]!
    }
  }

  /// Measures several sizes in parallel: they wait for their sources and need little of the machine. If one fails, the
  /// first case that needs it measures it again.
  func measure(_ sizes: Set<Size>, _ settings: Settings) {
    let threads = sizes.map { size in
      Posix.Thread.start(name: "reference") {
        let bench = Bench(settings)
        defer { bench.end() }
        guard let reference = try? self.measured(size, bench) else { return }
        self.references.withLock { $0[size] = reference }
      }
    }
    for thread in threads { thread.join() }
  }

  /// Returns the reference of a size. The lanes wait while it is measured, so nothing else runs.
  fileprivate func reference(_ size: Size, _ bench: Bench) throws -> Size.Reference {
    try references.withLock { references in
      if let reference = references[size] { return reference }
      let reference = try measured(size, bench)
      references[size] = reference
      return reference
    }
  }

  private func measured(_ size: Size, _ bench: Bench) throws -> Size.Reference {
    let serving = try bench.serveHonestly(size)
    var (seconds, peak): ([Double], Int) = ([], 0)
    for _ in 0..<3 {
      let getting = try bench.get(size.sample.file, from: [serving.peer])
      _ = getting.child.wait(within: 60)
      guard getting.isRight else { throw Missing("the honest source alone: \(getting.ending)") }
      seconds.append(getting.seconds)
      peak = max(peak, getting.child.peakBytes)
      unlink(getting.output)
    }
    serving.child.end()
    return Size.Reference(seconds: seconds.sorted()[1], peakBytes: peak)
  }

  /// Removes all files.
  func remove() { folder.withLock { $0 = nil } }
}

extension Bench {
  /// Starts an honest source that sends at the size's rate.
  func serveHonestly(_ size: Size, at address: String? = nil, home: String? = nil) throws -> Serving {
    try serve(size.sample.folder, ["--upload-limit", size.rate], at: address, home: home)
  }
}
