// The check of a download's settings, which may come from a configuration file.

/// A setting with a value that is not allowed.
public struct SettingFault: Error, Hashable, Sendable, CustomStringConvertible {
  /// The name of the property, such as `maxWorkers`.
  public let setting: String
  /// The value, as text.
  public let value: String
  /// The allowed values, in words.
  public let wanted: String

  /// - `wanted`: follows "it must be".
  public init(_ setting: String, is value: String, mustBe wanted: String) {
    (self.setting, self.value, self.wanted) = (setting, value, wanted)
  }

  /// A sentence with the setting, its value and the allowed values.
  public var description: String { "\(setting) is \(value): it must be \(wanted)" }

  /// Returns nil if the value is in the range.
  public init?<Value: Comparable>(_ setting: String, _ value: Value, in range: ClosedRange<Value>) {
    guard !range.contains(value) else { return nil }
    self.init(setting, is: "\(value)", mustBe: "\(range.lowerBound) to \(range.upperBound)")
  }

  /// Returns nil if the value is large enough.
  public init?<Value: Comparable>(_ setting: String, _ value: Value, atLeast least: Value) {
    guard value < least else { return nil }
    self.init(setting, is: "\(value)", mustBe: "\(least) or more")
  }
}

extension DownloadSettings {
  /// The longest timeout. Longer ones are of no use, and `Instant` cannot hold times in the far future.
  public static let chunkTimeoutMax = Duration.seconds(86_400)

  /// The first setting whose value is not allowed; nil if all values are.
  public var fault: SettingFault? {
    SettingFault("maxWorkers", maxWorkers, in: 1...1_024)
      ?? SettingFault("maxRetries", maxRetries, in: 0...1_000)
      ?? SettingFault("chunkTimeout", chunkTimeout, in: .nanoseconds(1)...DownloadSettings.chunkTimeoutMax)
      ?? SettingFault("requestsInFlightMax", requestsInFlightMax, in: 1...64)
      ?? SettingFault("chunksPerPage", chunksPerPage, atLeast: 1)
      ?? SettingFault("connectionsMax", connectionsMax, atLeast: 1)
      ?? SettingFault("dialsMax", dialsMax, atLeast: 1)
      ?? windowFault
  }

  private var windowFault: SettingFault? {
    guard case .inOrder(let windowChunks) = order else { return nil }
    return SettingFault("order.windowChunks", windowChunks, atLeast: 1)
  }
}
