// Looks up the host names of peers while a download runs, on other threads, since the resolver blocks.
import Posix
import Transfer

/// The host names of one download. Confined to the control thread.
final class PeerLookups {
  private let names: [PeerSource]
  private let resolve: Resolver
  private let link: DownloadLink
  private var schedule: LookupSchedule
  /// All addresses that each name has had so far.
  private var known: [Set<Endpoint>]
  /// The names whose latest look-up failed.
  private var failed: Set<Int> = []

  /// The download of `link` gets the answers as `resolved` messages.
  init(
    _ names: [PeerSource], peersWanted: Int, resolve: @escaping Resolver, link: DownloadLink,
    at now: Instant
  ) {
    self.names = names
    self.resolve = resolve
    self.link = link
    known = Array(repeating: [], count: names.count)
    schedule = LookupSchedule(names: names.count, peersWanted: peersWanted, at: now)
  }

  var deadline: Instant? { schedule.deadline }

  /// Returns whether all look-ups have answered that the download waits for before it counts its addresses.
  func isSettled(at now: Instant) -> Bool { schedule.isSettled(at: now) }

  /// Starts the look-ups that are due.
  func lookUp(livePeers: Int, at now: Instant) {
    schedule.setLivePeers(livePeers, at: now)
    while let name = schedule.next(at: now) {
      let (host, resolve, link) = (names[name].host, self.resolve, self.link)
      link.threads.lookups.run(for: link.id) {
        do throws(ResolutionFailure) {
          link.send(.resolved(name, .success(try resolve(host))))
        } catch {
          link.send(.resolved(name, .failure(error)))
        }
      }
    }
  }

  /// Takes an answer, and returns what is new in it: new addresses, or a first failure. Nil if nothing is new.
  func resolved(
    _ name: Int, _ result: Result<[Endpoint], ResolutionFailure>, at now: Instant
  ) -> (source: PeerSource, result: Result<[Endpoint], ResolutionFailure>)? {
    let source = names[name]
    switch result {
    case .success(let addresses):
      var new: [Endpoint] = []
      for address in addresses where known[name].count < source.addressesMax {
        if known[name].insert(address).inserted { new.append(address) }
      }
      schedule.ended(name, new.isEmpty ? .nothingNew : .news, at: now)
      let isBack = failed.remove(name) != nil
      return new.isEmpty && !isBack ? nil : (source, .success(new))
    case .failure(let failure):
      schedule.ended(name, .failed, at: now)
      // A name that resolved before and fails now is a service without instances. Its peers' lost connections report
      // that.
      guard known[name].isEmpty, failed.insert(name).inserted else { return nil }
      return (source, .failure(failure))
    }
  }
}
