internal import CRondoKernels

/// Check values by instructions of the processor.
package enum HardwareChecksum {
    /// Moves the register of a CRC-32C on over some bytes.
    ///
    /// - Parameters:
    ///   - register: The register, inverted as the algorithm has it; unchanged if the processor cannot do it.
    ///   - bytes: The next part of the data.
    /// - Returns: Whether the processor can do it.
    package static func crc32c(_ register: inout UInt32, _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let address = bytes.baseAddress else { return true }
        return rk_crc32c(&register, address, bytes.count)
    }
}
