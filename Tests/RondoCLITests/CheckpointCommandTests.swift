import RondoIO
import RondoMixers
import RondoTensor
import RondoTestSupport
import Testing

/// A model from tokenizer and training to export, import, quantisation, adapters and logits, as users do it.
@Suite struct CheckpointCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func run(_ arguments: String...) throws -> RondoProcess.Outcome {
        try RondoProcess.run(arguments, in: folder.path)
    }

    private func path(_ name: String) -> String { FileSystem.join(folder.path, name) }

    /// A text, a tokenizer of it, and a model of its tokens.
    private func train(_ mixer: String = "mamba") throws {
        let verse = "the quick brown fox jumps over the lazy dog; a rondo is a round.\n"
        try AtomicFile.write(String(repeating: verse, count: 60), to: path("text.txt"))
        let tokenizer = try run("tokenizer", "train", "text.txt", "--vocab-size", "280", "--out", "tok")
        #expect(tokenizer.status == 0, "\(tokenizer.messages)")
        let training = try run(
            "train", "--text", "text.txt", "--tokenizer", "tok", "--mixer", mixer, "--layers", "2", "--d-model", "16",
            "--steps", "8", "--batch", "4", "--window", "16", "--out", "run")
        #expect(training.status == 0, "\(training.messages)")
    }

    private func logits(_ name: String) throws -> Tensor { try TensorFile(path(name)).tensor("logits") }

    @Test func aModelGoesOutAndComesBack() throws {
        try train()
        try AtomicFile.write("[[1, 2, 3, 4, 5], [6, 7]]", to: path("ids.json"))
        #expect(try run("export", "--model", "run", "--out", "hf").status == 0)
        #expect(try JSONValue(contentsOf: path("hf/config.json"))["model_type"]?.stringValue == "mamba")
        #expect(FileSystem.kind(of: path("hf/tokenizer.json")) == .file)
        #expect(try run("import", "--model", "hf", "--out", "back").status == 0)
        for model in ["run", "hf", "back"] {
            let outcome = try run(
                "logits", "--model", model, "--ids", "ids.json", "--out", "\(model).safetensors", "--form",
                model == "hf" ? "step" : "right-padded")
            #expect(outcome.status == 0, "\(outcome.messages)")
        }
        let own = try logits("run.safetensors")
        #expect(own.shape == [2, 5, 280])
        for other in ["hf", "back"] {
            #expect(try (own - logits("\(other).safetensors")).abs().max().scalar() < 1e-5)
        }
        let greedy = try ["run", "hf"].map {
            try run("generate", "--model", $0, "--prompt", "the quick", "--greedy", "--max-tokens", "12").text
        }
        #expect(greedy[0] == greedy[1] && !greedy[0].isEmpty)
        let refused = try run("export", "--model", "run", "--format", "mamba2", "--out", "other")
        #expect(refused.status != 0 && refused.messages.contains("mixer"))
        #expect(FileSystem.kind(of: path("other")) == nil)
        #expect(try run("export", "--model", "run", "--out", "hf").messages.contains("exists"))
    }

    @Test(arguments: ["bfloat16", "int8", "int4"]) func smallerWeightsSayWhatTheyCost(_ type: String) throws {
        try train("gla")
        let outcome = try run(
            "quantize", "--model", "run", "--to", type, "--out", "small", "--text", "text.txt", "--json")
        #expect(outcome.status == 0, "\(outcome.messages)")
        let json = try outcome.json()
        let sizes = try ["bytes_before", "bytes_after"].map { try #require(json[$0]?.intValue) }
        // Rows of 16 columns are filled up to whole blocks, so that only 16 bits are surely smaller here.
        #expect(type != "bfloat16" || sizes[1] < sizes[0])
        #expect(abs(try #require(json["change"]?.doubleValue)) < 0.2)
        let text = try run("generate", "--model", "small", "--prompt", "the", "--max-tokens", "5", "--seed", "1")
        #expect(text.status == 0 && !text.text.isEmpty)
        let summary = try run("inspect", "small", "--json").json()
        #expect(summary["types"]?.stringValue?.contains(type == "bfloat16" ? "BF16" : "U8") == true)
        // However the weights are stored, the model is the same.
        #expect(try run("inspect", "run", "--json").json()["parameters"] == summary["parameters"])
        #expect(try run("train", "--model", "small", "--text", "text.txt", "--steps", "1", "--out", "more").status == 0)
    }

    @Test func adaptersAreTrainedAndAttached() throws {
        try train()
        let training = try run(
            "train", "--model", "run", "--text", "text.txt", "--lora", "2", "--tune-state", "--steps", "6", "--batch",
            "2", "--window", "16", "--out", "lora")
        #expect(training.status == 0, "\(training.messages)")
        let plain = try run("evaluate", "--model", "run", "--text", "text.txt", "--json").json()
        let attached = try run("evaluate", "--model", "lora", "--text", "text.txt", "--json").json()
        let named = try run("evaluate", "--model", "run", "--adapter", "lora", "--text", "text.txt", "--json").json()
        let values = try [plain, attached, named].map { try #require($0["bits_per_byte"]?.doubleValue) }
        #expect(values[1] < values[0] && values[1] == values[2])
        let more = try run("train", "--resume", "lora", "--steps", "8")
        #expect(more.status == 0, "\(more.messages)")
    }

    @Test func aStateOfTokensGoesOn() throws {
        try train()
        let whole = try run("generate", "--model", "run", "--prompt", "a rondo", "--max-tokens", "20", "--seed", "4")
        let first = try run(
            "generate", "--model", "run", "--prompt", "a rondo", "--max-tokens", "7", "--seed", "4", "--state-out", "s")
        let rest = try run("generate", "--model", "run", "--max-tokens", "13", "--state-in", "s")
        #expect(rest.status == 0, "\(rest.messages)")
        #expect(first.text + rest.text == whole.text)
    }

    @Test func badInputIsRefusedInWords() throws {
        try train()
        for (arguments, part) in [
            (["logits", "--model", "run", "--ids", "ids.json", "--out", "x"], "ids.json"),
            (["inspect", "nowhere"], "nowhere"),
            (["generate", "--model", "run", "--chat", "--prompt", "hi"], "chat template"),
            (["generate", "--model", "run", "--adapter", "tok", "--prompt", "hi"], "tok"),
            (["quantize", "--model", "run", "--to", "int3", "--out", "x"], "int8"),
        ] {
            let outcome = try RondoProcess.run(arguments, in: folder.path)
            #expect(outcome.status != 0 && outcome.messages.contains(part), "\(arguments): \(outcome.messages)")
        }
        try AtomicFile.write("[[1, 999]]", to: path("ids.json"))
        let outside = try run("logits", "--model", "run", "--ids", "ids.json", "--out", "x")
        #expect(outside.status != 0 && outside.messages.contains("row 0, token 1"))
        #expect(FileSystem.kind(of: path("x")) == nil)
        try FileSystem.makeFolder(path("pickle"))
        try AtomicFile.write("{\"model_type\": \"mamba\"}", to: path("pickle/config.json"))
        try AtomicFile.write("x", to: path("pickle/pytorch_model.bin"))
        #expect(try run("generate", "--model", "pickle", "--prompt", "a").messages.contains("pickle"))
    }

    @Test func aModelKeepsItsForms() throws {
        try train("mamba2,sliding_window")
        let outcome = try run("verify", "--model", "run", "--json")
        #expect(outcome.status == 0, "\(outcome.messages)")
        let forms = try #require(try outcome.json().arrayValue)
        #expect(forms.count == 4 && forms.allSatisfy { $0["kept"]?.boolValue == true })
        #expect(try run("verify", "--model", "run", "--dtype", "float64").text.contains("step by step"))
        #expect(try run("verify", "--model", "run", "lstm").status == 2)
    }

    @Test func aChatTemplateIsWrittenOut() throws {
        try train()
        try run("export", "--model", "run", "--out", "hf").requireSuccess()
        let template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
        try AtomicFile.write(template, to: path("hf/chat_template.jinja"))
        let chat = try run(
            "generate", "--model", "hf", "--chat", "--system", "be a fox", "--prompt", "jump", "--greedy",
            "--max-tokens", "6")
        let plain = try run(
            "generate", "--model", "hf", "--prompt", "<system>be a fox<user>jump", "--greedy", "--max-tokens", "6")
        #expect(chat.status == 0 && chat.text == plain.text)
    }
}

extension RondoProcess.Outcome {
    fileprivate func requireSuccess() throws { #expect(status == 0, "\(messages)") }
}
