internal import CRondoKernels

/// Options of the process that never change results: threads, instruction set, memory statistics.
public enum Runtime {
    /// Threads used by operations, the caller included.
    ///
    /// Setting 0 means one per core. Results do not depend on it: work is cut by shapes alone.
    public static var threadCount: Int {
        get { Int(rk_threads()) }
        set { rk_set_threads(Int32(clamping: newValue)) }
    }

    /// The sets of processor instructions the kernels are compiled for.
    public enum InstructionSet: String, Sendable, CaseIterable, Codable {
        case baseline
        case avx2
        case avx512

        var level: rk_level {
            switch self {
            case .baseline: RK_BASELINE
            case .avx2: RK_AVX2
            case .avx512: RK_AVX512
            }
        }

        init(_ level: rk_level) {
            switch level {
            case RK_AVX512: self = .avx512
            case RK_AVX2: self = .avx2
            default: self = .baseline
            }
        }
    }

    /// The instruction set in use.
    public static var instructionSet: InstructionSet { InstructionSet(rk_current_level()) }

    /// The widest instruction set of this processor.
    public static var bestInstructionSet: InstructionSet { InstructionSet(rk_best_level()) }

    /// Chooses an instruction set, for tests and bug reports.
    /// - Throws: ``RondoError`` of code `unavailable` when the processor lacks it.
    public static func useInstructionSet(_ set: InstructionSet) throws {
        guard rk_set_level(set.level) else {
            throw RondoError(
                .unavailable,
                "instruction set \(set.rawValue) is not available on this processor; the best is \(bestInstructionSet.rawValue)"
            )
        }
    }

    /// Names of the processor features that matter to the kernels.
    public static var cpuFeatures: String { String(cString: rk_cpu_features()) }

    /// The memory behind tensors on the CPU.
    public static let hostAllocator = HostAllocator()

    /// The name of the library that multiplies float32 matrices.
    public static var gemmLibrary: String { Gemm.library }
}

/// Runs `body(index)` for every index below `count`, in any order, on the thread pool and the calling thread.
///
/// Pieces must not depend on the number of threads. A call from inside a piece runs serially.
public func parallelFor(_ count: Int, _ body: (Int) -> Void) {
    guard count > 1 else {
        if count == 1 { body(0) }
        return
    }
    withoutActuallyEscaping(body) { ClosureWork(body: $0).run(pieces: count) }
}

private struct ClosureWork: ParallelWork {
    let body: (Int) -> Void

    func compute(_ piece: Int) { body(piece) }
}

/// The same, on the calling thread alone where waking another would take longer than the work.
///
/// - Parameters:
///   - count: The number of pieces.
///   - work: About how many multiplications one piece takes.
///   - body: One piece.
func parallelFor(_ count: Int, work: Int, _ body: (Int) -> Void) {
    guard count * max(1, work) < 1 << 16 else { return parallelFor(count, body) }
    for index in 0..<count { body(index) }
}

/// Cuts `count` items into pieces of `grain` and runs `body(range)` for each.
public func parallelFor(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
    let grain = max(1, grain)
    parallelFor((count + grain - 1) / grain) { piece in
        body(piece * grain..<min(count, (piece + 1) * grain))
    }
}
