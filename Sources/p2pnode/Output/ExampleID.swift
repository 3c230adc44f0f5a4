// The IDs in the examples of the help.

enum ExampleID {
  static let file = "3d5f9cb1a7e2406b8c94d1f07b6a2e53c8094bf1e6d27a35908c4e1bd2f76a80"
  static let folder = "a90b4c7de1f2385c6b70d94e8f13a2c5570e9bd4863f1ac2e75d40b98c6f1e27"
}
