// How many connections each address group has, and how many the group with the most has.

/// Counts by address group. Every change and the maximum take constant time, so that a flood of newcomers costs no
/// scan.
struct GroupCounts: Sendable {
  private var counts: [AddressGroup: Int] = [:]
  /// Element n: how many groups have n connections. Element 0 is not used.
  private var groupsByCount = [0]
  /// The count of the largest group.
  private(set) var most = 0
  /// The count over all groups.
  private(set) var total = 0

  subscript(group: AddressGroup) -> Int { counts[group] ?? 0 }

  mutating func add(_ group: AddressGroup) {
    let count = self[group] + 1
    counts[group] = count
    if count == groupsByCount.count { groupsByCount.append(0) }
    if count > 1 { groupsByCount[count - 1] -= 1 }
    groupsByCount[count] += 1
    most = max(most, count)
    total += 1
  }

  mutating func remove(_ group: AddressGroup) {
    guard let count = counts[group] else { preconditionFailure("the group has no connection") }
    counts[group] = count == 1 ? nil : count - 1
    groupsByCount[count] -= 1
    if count > 1 { groupsByCount[count - 1] += 1 }
    if count == most && groupsByCount[count] == 0 { most -= 1 }
    total -= 1
  }
}
