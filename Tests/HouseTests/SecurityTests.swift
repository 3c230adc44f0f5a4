// The tests that SECURITY.md names for its promises exist.
import Testing

@Suite struct SecurityTests {
  @Test func `every test that SECURITY.md names exists`() throws {
    let text = try Repository.text("SECURITY.md")
    let names = text.matches(of: #/`([A-Za-z0-9]+Tests)`/#).map { String($0.output.1) }
    #expect(names.count > 15)
    for name in names {
      #expect(
        Repository.files.contains { $0.path.hasPrefix("Tests/") && $0.path.hasSuffix("/\(name).swift") }, "\(name)")
    }
  }

  @Test func `every command that SECURITY.md names exists`() throws {
    let text = try Repository.text("SECURITY.md")
    for path in ["scripts/hostile", "Fuzz/run", "scripts/sanitize"] {
      #expect(text.contains("`\(path)"))
      #expect(try !Repository.text(path).isEmpty)
    }
  }
}
