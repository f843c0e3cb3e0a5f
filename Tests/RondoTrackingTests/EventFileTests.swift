import RondoIO
import RondoTestSupport
import RondoTracking
import Testing

@Suite struct EventFileTests {
    private let events = (0..<5).map { step in
        ScalarEvent(wallTime: 1.5e9 + Double(step), step: step * 1000, tag: "train/loss ü", value: 1 / Float(step + 1))
    }

    @Test func roundTripAndReopening() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("events.out.tfevents.1.host")
        try EventFile(appendingTo: path, wallTime: 1).append(Array(events[..<2]))
        try EventFile(appendingTo: path, wallTime: 2).append(Array(events[2...]))
        #expect(try EventFile.read(path) == events)
        let odd = ScalarEvent(wallTime: 0, step: -1, tag: "", value: .infinity)
        try EventFile(appendingTo: path, wallTime: 2).append([odd])
        #expect(try EventFile.read(path) == events + [odd])
    }

    /// The first record of a new file, byte for byte as TensorFlow writes it.
    @Test func versionRecord() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("events")
        _ = try EventFile(appendingTo: path, wallTime: 1)
        let payload: [UInt8] = [0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x1A, 13] + Array("brain.Event:2".utf8)
        let bytes = try FileSystem.readBytes(path)
        #expect(bytes.count == payload.count + 16)
        #expect(Array(bytes[..<8]) == [24, 0, 0, 0, 0, 0, 0, 0])
        #expect(Array(bytes[8..<12]) == [0xA3, 0x7F, 0x4B, 0x22])
        #expect(Array(bytes[12..<36]) == payload)
    }

    @Test func tornTailIsDropped() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("events")
        try EventFile(appendingTo: path, wallTime: 1).append(events)
        let bytes = try FileSystem.readBytes(path)
        for cut in 1..<40 {
            try AtomicFile.write(Array(bytes.dropLast(cut)), to: path)
            #expect(try EventFile.read(path) == Array(events.dropLast()))
            try EventFile(appendingTo: path, wallTime: 1).append([events[4]])
            #expect(try FileSystem.readBytes(path) == bytes)
        }
    }

    @Test func everyBitFlipIsNoticed() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("events")
        try EventFile(appendingTo: path, wallTime: 1).append([events[1]])
        let bytes = try FileSystem.readBytes(path)
        for bit in stride(from: 40 * 8, to: bytes.count * 8, by: 1) {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << (bit % 8)
            try AppendOnlyFile(path).truncate(to: 0)
            try AppendOnlyFile(path).append(damaged)
            #expect(try EventFile.read(path).isEmpty, "bit \(bit)")
        }
    }

    @Test func truncation() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("events")
        try EventFile(appendingTo: path, wallTime: 1).append(events)
        try EventFile.truncate(path) { $0.step <= 2000 }
        #expect(try EventFile.read(path) == Array(events[...2]))
    }
}
