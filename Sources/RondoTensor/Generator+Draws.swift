internal import CRondoKernels

extension Generator: RandomNumberGenerator {
    /// The next 64 random bits, so that the standard library can draw from this generator.
    public mutating func next() -> UInt64 {
        let first = reserve(2)
        var words: (UInt32, UInt32) = (0, 0)
        withUnsafeMutableBytes(of: &words) { bytes in
            rk_random_bits(seed, stream, first, bytes.bindMemory(to: UInt32.self).baseAddress, 2)
        }
        return UInt64(words.0) | UInt64(words.1) << 32
    }

    /// A tensor of draws, uniform in `low..<high`.
    public mutating func uniform(
        _ shape: Shape, low: Double = 0, high: Double = 1, dtype: DType = .float32
    ) throws -> Tensor {
        let type = try dtype.kernelType("uniform")
        return try fill(shape, dtype) { [seed, stream] pointer, first, count in
            rk_random_uniform(type, seed, stream, first, low, high, pointer, count)
        }
    }

    /// A tensor of draws from the normal distribution.
    public mutating func normal(
        _ shape: Shape, mean: Double = 0, deviation: Double = 1, dtype: DType = .float32
    ) throws -> Tensor {
        let type = try dtype.kernelType("normal")
        return try fill(shape, dtype) { [seed, stream] pointer, first, count in
            rk_random_normal(type, seed, stream, first, mean, deviation, pointer, count)
        }
    }

    /// Fills a new tensor in pieces: element `i` depends on the position alone, so pieces may run on any thread.
    private mutating func fill(
        _ shape: Shape, _ dtype: DType, _ draw: (UnsafeMutableRawPointer, UInt64, Int) -> Void
    ) throws -> Tensor {
        if drawsZeros {
            _ = try Tensor.possibleByteCount(shape, dtype)
            return try Tensor.zeros([], dtype: dtype).broadcast(to: shape)
        }
        let count = shape.product
        let first = reserve(count)
        return try Tensor(shape: shape, dtype: dtype) { bytes in
            guard let base = bytes.baseAddress else { return }
            parallelFor(count, grain: CPUBackend.elementwiseGrain) { range in
                draw(base + range.lowerBound * dtype.byteCount, first + UInt64(range.lowerBound), range.count)
            }
        }
    }
}
