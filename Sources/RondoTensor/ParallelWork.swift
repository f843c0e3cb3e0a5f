internal import CRondoKernels

/// Work that threads share in pieces.
///
/// A value that is handed to them by its address: a closure in its place (``parallelFor(_:_:)``) is allocated for every
/// call, which steps cannot afford.
protocol ParallelWork {
    /// Computes a piece; pieces may run at the same time.
    func compute(_ piece: Int)
}

extension ParallelWork {
    /// Computes pieces 0..<count, in any order, on the thread pool and the calling thread.
    func run(pieces count: Int) {
        guard count > 1 else {
            if count == 1 { compute(0) }
            return
        }
        withUnsafePointer(to: self) { work in
            withUnsafePointer(to: SharedWork(type: Self.self, work: work)) { shared in
                rk_parallel(
                    count,
                    { context, piece in
                        guard let shared = context?.assumingMemoryBound(to: SharedWork.self).pointee else { return }
                        shared.type.compute(piece, of: shared.work)
                    }, UnsafeMutableRawPointer(mutating: shared))
            }
        }
    }

    fileprivate static func compute(_ piece: Int, of work: UnsafeRawPointer) {
        work.assumingMemoryBound(to: Self.self).pointee.compute(piece)
    }
}

/// What a function of C, which knows no generic types, is given.
private struct SharedWork {
    let type: any ParallelWork.Type
    let work: UnsafeRawPointer
}
