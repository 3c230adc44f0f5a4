// The files that many cases share, each written once, and how long they take from an honest source alone.
import Glibc
import Posix
import Synchronization
import TestSupport

/// A size of file, with the rate at which its honest source sends: about two seconds of it in all.
enum Size: Int, Sendable, CaseIterable {
  case one = 1
  case many = 64
  /// Two pages of hashes.
  case pages = 2_000
  /// For downloads at full speed.
  case load = 128

  /// For `--upload-limit`.
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

  /// What a download from the honest source alone takes.
  struct Reference: Sendable {
    /// Seconds: the median of three.
    let seconds: Double
    /// Bytes: the most that `get` had.
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

  /// Measures several sizes at the same time: they wait for their sources, and take little of the machine. What fails
  /// is measured again by the first case that needs it.
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

  /// The lanes wait for it, so that it is measured alone.
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
  /// An honest source that is as slow as its size says.
  func serveHonestly(_ size: Size, at address: String? = nil, home: String? = nil) throws -> Serving {
    try serve(size.sample.folder, ["--upload-limit", size.rate], at: address, home: home)
  }
}
