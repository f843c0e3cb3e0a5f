import GRDB
import Glibc
import RondoIO
import RondoTensor

/// The table of all runs on this machine, in an SQLite file that several processes may use at once.
public final class RunStore: Sendable {
    /// The path of the SQLite file.
    public let path: String
    private let database: DatabaseQueue

    /// Opens a store, creating it if it is missing and bringing an older one up to date.
    ///
    /// - Parameter path: The SQLite file; the folder above it is made if it is missing.
    /// - Throws: `RondoError` that names the file.
    public init(_ path: String) throws {
        try FileSystem.makeFolder(FileSystem.parent(of: path))
        self.path = path
        database = try Self.explaining("open the run store", path) { try Self.open(path) }
    }

    /// Two processes that create the store at the same time get in each other's way once; the second try succeeds.
    private static func open(_ path: String) throws -> DatabaseQueue {
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(10)
        configuration.journalMode = .wal
        var attempt: UInt32 = 1
        while true {
            do {
                let database = try DatabaseQueue(path: path, configuration: configuration)
                try migrator.migrate(database)
                return database
            } catch let error as DatabaseError {
                let isContention = [.SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_ERROR, .SQLITE_CONSTRAINT]
                    .contains(error.resultCode)
                if attempt == 10 || !isContention { throw error }
                usleep(20_000 * attempt)
                attempt += 1
            }
        }
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("runs") { database in
            try database.create(table: "runs") { table in
                table.primaryKey("id", .text)
                table.column("name", .text).notNull().indexed()
                table.column("folder", .text).notNull().indexed()
                table.column("created_at", .double).notNull()
                table.column("updated_at", .double).notNull()
                table.column("status", .text).notNull()
                table.column("configuration", .text).notNull()
                table.column("model", .text).notNull()
                table.column("parameter_count", .integer).notNull()
                table.column("step", .integer).notNull()
                table.column("tokens", .integer).notNull()
                table.column("train_loss", .double)
                table.column("best_bits_per_byte", .double)
                table.column("seed", .text).notNull()
                table.column("version", .text).notNull()
                table.column("host", .text).notNull()
                table.column("seconds", .double).notNull()
            }
        }
        return migrator
    }

    private static func explaining<Result>(_ action: String, _ path: String, _ body: () throws -> Result) throws
        -> Result
    {
        do {
            return try body()
        } catch let error as DatabaseError {
            let remedy =
                error.resultCode == .SQLITE_FULL ? "free some space" : "check that the file is a store you may write"
            throw RondoError(
                .inputOutput, "cannot \(action) '\(path)': \(error.message ?? "unknown"); \(remedy)", cause: error)
        }
    }

    private func write<Result>(_ body: (Database) throws -> Result) throws -> Result {
        try Self.explaining("write to the run store", path) { try database.write(body) }
    }

    private func read<Result>(_ body: (Database) throws -> Result) throws -> Result {
        try Self.explaining("read the run store", path) { try database.read(body) }
    }
}

// MARK: - Changes

extension RunStore {
    /// Adds a run.
    ///
    /// - Parameter run: The run; its id is ignored.
    /// - Returns: The run with its id.
    /// - Throws: `RondoError` that names the store.
    public func add(_ run: Run) throws -> Run {
        try write { database in
            var run = run
            for attempt in 0... {
                run.id = Self.identifier(for: run, attempt)
                if try Run.exists(database, id: run.id) { continue }
                let columns = run.columns
                let names = columns.map(\.name).joined(separator: ", ")
                let marks = columns.map { _ in "?" }.joined(separator: ", ")
                try database.execute(
                    sql: "INSERT INTO runs (\(names)) VALUES (\(marks))",
                    arguments: StatementArguments(columns.map(\.value)))
                break
            }
            return run
        }
    }

    /// Writes the present state of a run.
    ///
    /// - Parameter run: A run that came from this store.
    /// - Throws: `RondoError` if the store has no such run or cannot be written.
    public func update(_ run: Run) throws {
        try write { database in
            let columns = run.columns
            let changes = columns.map { "\($0.name) = ?" }.joined(separator: ", ")
            try database.execute(
                sql: "UPDATE runs SET \(changes) WHERE id = ?",
                arguments: StatementArguments(columns.map(\.value) + [run.id]))
            guard database.changesCount == 1 else {
                throw RondoError(.notFound, "the run store '\(path)' has no run '\(run.id)'")
            }
        }
    }

    /// Forgets a run; its folder stays.
    ///
    /// - Parameter id: The id.
    /// - Throws: `RondoError` that names the store.
    public func remove(id: String) throws {
        try write { try $0.execute(sql: "DELETE FROM runs WHERE id = ?", arguments: [id]) }
    }

    /// Marks runs as interrupted that count as running although no process holds their folder.
    ///
    /// - Throws: `RondoError` that names the store.
    public func markAbandoned() throws {
        for var run in try list(status: .running) {
            do {
                // Free to be locked, so nobody works on it.
                _ = try FolderLock(run.folder)
            } catch let error as RondoError {
                guard error.code == .notFound else { continue }
            }
            run.status = .interrupted
            try update(run)
        }
    }

    /// Short, and different for every run on this machine.
    private static func identifier(for run: Run, _ attempt: Int) -> String {
        let text = "\(run.folder)\n\(run.createdAt)\n\(getpid())\n\(attempt)"
        let digits = String(CRC32C.checksum(Array(text.utf8)), radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

// MARK: - Queries

extension RunStore {
    /// What a list is sorted by.
    public enum Order: String, Sendable, CaseIterable {
        /// The newest first.
        case created
        /// The one that changed last first.
        case updated
        /// By name.
        case name
        /// The lowest bits per byte first, runs without a result last.
        case best

        fileprivate var clause: String {
            switch self {
            case .created: "created_at DESC, id"
            case .updated: "updated_at DESC, id"
            case .name: "name, created_at DESC, id"
            case .best: "best_bits_per_byte IS NULL, best_bits_per_byte, id"
            }
        }
    }

    /// Lists runs.
    ///
    /// - Parameters:
    ///   - status: Only runs that stand so.
    ///   - model: Only runs of this kind of model.
    ///   - name: Only runs whose name contains this.
    ///   - order: What the list is sorted by.
    ///   - limit: At most so many.
    /// - Returns: The runs.
    /// - Throws: `RondoError` that names the store.
    public func list(
        status: Run.Status? = nil, model: String? = nil, nameContaining name: String? = nil, order: Order = .created,
        limit: Int? = nil
    ) throws -> [Run] {
        var conditions: [String] = []
        var arguments: [any DatabaseValueConvertible] = []
        if let status {
            conditions.append("status = ?")
            arguments.append(status.rawValue)
        }
        if let model {
            conditions.append("model = ?")
            arguments.append(model)
        }
        if let name {
            conditions.append("instr(lower(name), lower(?)) > 0")
            arguments.append(name)
        }
        let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        arguments.append(limit ?? -1)
        return try read {
            try Run.fetch(
                $0, sql: "\(filter) ORDER BY \(order.clause) LIMIT ?", arguments: StatementArguments(arguments))
        }
    }

    /// Finds a run by id, folder, name, or the start of its id, in this order.
    ///
    /// - Parameter reference: What the user typed.
    /// - Returns: The run; of several with the same name or folder the newest.
    /// - Throws: `RondoError` if there is none, or the start of an id fits several.
    public func find(_ reference: String) throws -> Run {
        try read { database in
            func first(_ condition: String, _ argument: String) throws -> Run? {
                try Run.fetch(
                    database, sql: "WHERE \(condition) ORDER BY created_at DESC LIMIT 1", arguments: [argument]
                ).first
            }
            if let run = try first("id = ?", reference) { return run }
            if let run = try first("folder = ?", FileSystem.canonical(reference)) { return run }
            if let run = try first("name = ?", reference) { return run }
            let matches = try Run.fetch(
                database, sql: "WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id", arguments: [reference.lowercased()])
            if let run = matches.first, matches.count == 1, !reference.isEmpty { return run }
            if matches.count > 1, !reference.isEmpty {
                let ids = matches.map(\.id).joined(separator: ", ")
                throw RondoError(.conflict, "'\(reference)' fits several runs (\(ids)); give more of the id")
            }
            let names = try String.fetchAll(database, sql: "SELECT name FROM runs ORDER BY created_at DESC")
            let question = Suggestion.closest(to: reference, in: names).map { "did you mean '\($0)'? " } ?? ""
            throw RondoError(.notFound, "no run '\(reference)'; \(question)`rondo runs list` shows all runs")
        }
    }

    /// Puts several runs side by side.
    ///
    /// - Parameter references: What the user typed for each run, as in `find`.
    /// - Returns: The keys in which their configurations differ, and their results.
    /// - Throws: `RondoError` if one is not found.
    public func compare(_ references: [String]) throws -> RunComparison {
        RunComparison(try references.map(find))
    }
}

// MARK: - Rows

extension Run {
    /// The columns of the table and their values.
    fileprivate var columns: [(name: String, value: (any DatabaseValueConvertible)?)] {
        [
            ("id", id), ("name", name), ("folder", folder), ("created_at", createdAt), ("updated_at", updatedAt),
            ("status", status.rawValue), ("configuration", configuration.text()), ("model", model),
            ("parameter_count", parameterCount), ("step", step), ("tokens", tokens), ("train_loss", trainLoss),
            ("best_bits_per_byte", bestBitsPerByte), ("seed", "\(seed)"), ("version", version), ("host", host),
            ("seconds", seconds),
        ]
    }

    fileprivate init(_ row: Row) throws {
        let configuration = try JSONValue(parsing: row["configuration"] as String, source: "run store, configuration")
        self.init(
            name: row["name"], folder: row["folder"], createdAt: row["created_at"], configuration: configuration,
            model: row["model"], parameterCount: row["parameter_count"], seed: UInt64(row["seed"] as String) ?? 0,
            version: row["version"], host: row["host"])
        id = row["id"]
        folder = row["folder"]
        updatedAt = row["updated_at"]
        status = Status(rawValue: row["status"]) ?? .failed
        step = row["step"]
        tokens = row["tokens"]
        trainLoss = row["train_loss"]
        bestBitsPerByte = row["best_bits_per_byte"]
        seconds = row["seconds"]
    }

    fileprivate static func fetch(_ database: Database, sql: String, arguments: StatementArguments) throws -> [Run] {
        try Row.fetchAll(database, sql: "SELECT * FROM runs \(sql)", arguments: arguments).map { try Run($0) }
    }

    fileprivate static func exists(_ database: Database, id: String) throws -> Bool {
        try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM runs WHERE id = ?)", arguments: [id]) ?? false
    }
}
