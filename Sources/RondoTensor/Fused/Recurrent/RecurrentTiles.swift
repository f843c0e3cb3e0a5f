internal import CRondoKernels

/// How the fused schedule of a ``RecurrentLoop`` cuts its work.
///
/// It changes the time that is needed, never a result.
public struct RecurrentTiles: Sendable, Hashable {
    /// Sequences whose products a worker computes side by side in registers, at most.
    public var rows: Int
    /// Heads that a worker carries side by side through all of time.
    public var heads: Int

    /// Creates tiles.
    public init(rows: Int, heads: Int) { (self.rows, self.heads) = (rows, heads) }

    /// What a machine offers to a recurrent loop.
    public struct Machine: Sendable, Hashable {
        /// Vector registers of a core.
        public var registers: Int
        /// Bytes of a vector register.
        public var vectorBytes: Int
        /// Bytes of a core's own second cache.
        public var cacheBytes: Int
        /// Workers.
        public var workers: Int

        /// Creates a machine.
        public init(registers: Int, vectorBytes: Int, cacheBytes: Int, workers: Int) {
            self.registers = registers
            self.vectorBytes = vectorBytes
            self.cacheBytes = cacheBytes
            self.workers = workers
        }

        /// This machine, with the instructions and threads in use.
        public static var current: Machine {
            let cache = Int(rk_cache_bytes(2))
            let (registers, bytes) =
                switch Runtime.instructionSet {
                case .avx512: (32, 64)
                case .avx2: (16, 32)
                #if arch(arm64)
                    case .baseline: (32, 16)
                #else
                    case .baseline: (16, 16)
                #endif
                }
            return Machine(
                registers: registers, vectorBytes: bytes, cacheBytes: cache > 0 ? cache : 1 << 20,
                workers: Runtime.threadCount)
        }
    }

    /// The sizes of a layer that tiles depend on.
    public struct Shape: Sendable, Hashable {
        /// Gates that read h⁻.
        public var gates: Int
        /// Blocks on the diagonal of R.
        public var heads: Int
        /// Units of a head.
        public var width: Int
        /// Sequences.
        public var batch: Int
        /// Bytes of a number.
        public var elementBytes: Int

        /// Creates a shape.
        public init(gates: Int, heads: Int, width: Int, batch: Int, elementBytes: Int = 4) {
            (self.gates, self.heads, self.width) = (gates, heads, width)
            (self.batch, self.elementBytes) = (batch, elementBytes)
        }
    }

    /// Tiles as constraints: sums of a tile in registers, the matrices of a worker's heads in half of its cache, the
    /// sequences cut into the fewest and then the most even tiles.
    private static let constraints = """
        SUMS == ROWS * COLUMNS;             # a register for every row, gate and vector of units,
        SUMS + COLUMNS + 1 <= REGISTERS;    # beside a row of R and the number that multiplies it
        BATCH <= SHARE * WORKERS;           # sequences of a worker
        SHARE <= ROWS * ROW_TILES;
        2 * HEADS * MATRIX <= CACHE | HEADS == 1;
        HEADS <= ALL_HEADS;
        """

    /// Tiles for a layer on a machine, by constraint solving; `nil` if the constraints cannot be satisfied.
    ///
    /// They are a second opinion: loops keep to the rule built into the kernel, which needs no search and is not slower
    /// (decision 0018).
    ///
    /// - Throws: ``RondoError`` if the search gave up.
    public static func choose(for shape: Shape, on machine: Machine) throws -> RecurrentTiles? {
        let lanes = max(1, machine.vectorBytes / shape.elementBytes)
        let vectors = (shape.width + lanes - 1) / lanes
        // A panel of one gate holds several vectors of units; of several gates it holds one vector each.
        let columns = shape.gates == 1 ? min(4, vectors) : shape.gates
        func only(_ value: Int) -> IntegerDomain { IntegerDomain(values: [max(1, value)]) }
        let problem = try ConstraintProblem(
            constraints,
            domains: [
                "COLUMNS": only(columns), "REGISTERS": only(machine.registers), "BATCH": only(shape.batch),
                "WORKERS": only(machine.workers), "CACHE": only(machine.cacheBytes), "ALL_HEADS": only(shape.heads),
                "MATRIX": only(shape.gates * shape.width * vectors * machine.vectorBytes),
                "SHARE": only((shape.batch + machine.workers - 1) / machine.workers),
                "ROWS": IntegerDomain(1...6),
            ])
        let best = try problem.solutions(
            order: [
                .init("HEADS", .largestFirst), .init("ROW_TILES", .smallestFirst), .init("ROWS", .smallestFirst),
            ])
        guard let rows = best.first?["ROWS"], let heads = best.first?["HEADS"] else { return nil }
        return RecurrentTiles(rows: rows, heads: heads)
    }
}
