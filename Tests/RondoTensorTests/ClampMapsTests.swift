import RondoTensor
import Testing

@Suite struct ClampMapsTests {
    /// The bounds cross often, so that the order of minimum and maximum shows.
    @Test(arguments: [1, 2, 5, 64])
    func prefixesAreTheRecurrence(time: Int) throws {
        var generator = Generator(seed: 5)
        let shape: Shape = [2, time, 3]
        let (r, s) = (try generator.normal(shape), try generator.normal(shape))
        let start = try generator.normal([2, 3])
        let scanned = try ClampMaps(upper: r, lower: s).prefixes()(start.expanded(at: 1))
        let serial = try MinMaxRecurrence()([r, s, start], mode: .reference)[0]
        #expect(try scanned.array(of: Float.self) == serial.array(of: Float.self))
    }

    @Test func theIdentityChangesNothing() throws {
        var generator = Generator(seed: 5)
        let x = try generator.normal([4])
        let maps = ClampMaps(upper: try generator.normal([4]), lower: try generator.normal([4]))
        let identity = try ClampMaps.identity([4], dtype: .float32)
        #expect(try identity(x).array(of: Float.self) == x.array(of: Float.self))
        let expected = try maps(x).array(of: Float.self)
        #expect(try maps.composed(after: identity)(x).array(of: Float.self) == expected)
        #expect(try identity.composed(after: maps)(x).array(of: Float.self) == expected)
    }
}
