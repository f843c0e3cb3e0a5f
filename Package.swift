// swift-tools-version: 6.1
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ target: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .testTarget(
        name: "\(target)Tests", dependencies: [.init(stringLiteral: target), "RondoTestSupport"] + dependencies,
        resources: resources, swiftSettings: swiftSettings)
}

let package = Package(
    name: "rondo",
    products: [
        .executable(name: "rondo", targets: ["rondo"]),
        .library(name: "RondoTensor", targets: ["RondoTensor"]),
        .library(name: "RondoNN", targets: ["RondoNN"]),
        .library(name: "RondoIO", targets: ["RondoIO"]),
        .library(name: "RondoTokenizers", targets: ["RondoTokenizers"]),
        .library(name: "RondoTemplates", targets: ["RondoTemplates"]),
        .library(name: "RondoMixers", targets: ["RondoMixers"]),
        .library(name: "RondoConformance", targets: ["RondoConformance"]),
        .library(name: "RondoModels", targets: ["RondoModels"]),
        .library(name: "RondoCheckpoints", targets: ["RondoCheckpoints"]),
        .library(name: "RondoData", targets: ["RondoData"]),
        .library(name: "RondoDiagnostics", targets: ["RondoDiagnostics"]),
        .library(name: "RondoTrain", targets: ["RondoTrain"]),
        .library(name: "RondoTracking", targets: ["RondoTracking"]),
        .library(name: "RondoReproduce", targets: ["RondoReproduce"]),
    ],
    traits: [
        .trait(name: "OneDNN", description: "Use oneDNN for float32 GEMM (otherwise the package's own kernel)."),
        .default(enabledTraits: ["OneDNN"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // Kernels and system libraries.
        .target(name: "CRondoKernels"),
        .target(name: "CRondoFFT"),
        .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        // Libraries, each importing only those above it.
        library(
            "RondoTensor",
            ["CRondoKernels", "CRondoFFT", .target(name: "COneDNN", condition: .when(traits: ["OneDNN"]))]),
        library("RondoNN", ["RondoTensor"]),
        library("RondoIO", ["RondoTensor"]),
        library("RondoTokenizers", ["RondoIO"]),
        library("RondoTemplates", ["RondoIO"]),
        library("RondoTracking", ["RondoIO", "CZlib", .product(name: "GRDB", package: "GRDB.swift")]),
        library("RondoMixers", ["RondoNN", "RondoIO"]),
        library("RondoConformance", ["RondoMixers"]),
        library("RondoModels", ["RondoMixers"]),
        library("RondoCheckpoints", ["RondoModels"]),
        library("RondoData", ["RondoTokenizers"]),
        library("RondoDiagnostics", ["RondoModels", "RondoData"]),
        library("RondoTrain", ["RondoModels", "RondoCheckpoints", "RondoData"]),
        library("RondoReproduce", ["RondoTrain", "RondoTracking", "RondoDiagnostics"]),
        library(
            "RondoCLI",
            [
                "RondoReproduce", "RondoDiagnostics", "RondoTrain", "RondoCheckpoints", "RondoTracking",
                "RondoTokenizers", "RondoTemplates", "RondoMixers", "RondoConformance",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .executableTarget(name: "rondo", dependencies: ["RondoCLI"], swiftSettings: swiftSettings),
        // Tests mirror the libraries.
        .target(
            name: "RondoTestSupport", dependencies: ["RondoTensor", "RondoIO"], path: "Tests/Support",
            swiftSettings: swiftSettings),
        tests("RondoTensor", ["CRondoKernels"]),
        tests("RondoNN", resources: [.copy("Vectors")]),
        tests("RondoIO"),
        tests("RondoTokenizers", resources: [.copy("Vectors")]),
        tests("RondoTemplates", resources: [.copy("Vectors")]),
        tests("RondoTracking", ["CZlib"]),
        tests("RondoConformance"),
        tests("RondoMixers", resources: [.copy("Vectors")]),
        tests("RondoModels"),
        tests("RondoCheckpoints", resources: [.copy("Vectors")]),
        tests("RondoData"),
        tests("RondoDiagnostics"),
        tests("RondoTrain", resources: [.copy("Vectors")]),
        tests("RondoReproduce"),
        tests("RondoCLI"),
    ]
)
