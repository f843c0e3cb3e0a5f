import RondoCheckpoints
import RondoIO
import RondoModels
import RondoTensor
import RondoTestSupport
import Testing

@Suite struct GenerationDefaultsTests {
    private func read(_ text: String) throws -> GenerationDefaults {
        let folder = try TemporaryFolder()
        try AtomicFile.write(text, to: folder.file(GenerationDefaults.fileName))
        return try GenerationDefaults(folder: folder.path)
    }

    @Test func withoutAFileNothingIsWanted() throws {
        #expect(try GenerationDefaults(folder: TemporaryFolder().path) == GenerationDefaults())
    }

    @Test func everythingThatRondoHasIsTaken() throws {
        let got = try read(
            """
            {"do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_p": 0.05, "repetition_penalty": 1.1,
             "max_new_tokens": 64, "max_length": 128, "eos_token_id": [2, 7], "bos_token_id": 0,
             "stop_strings": ["END"], "transformers_version": "5.24.0", "num_beams": 1, "typical_p": 1.0,
             "suppress_tokens": []}
            """)
        #expect(
            got.sampling
                == SamplingOptions(
                    temperature: 0.6, topK: 20, topP: 0.95, minP: 0.05, repetitionPenalty: 1.1, repetitionWindow: -1))
        #expect(got.maxNewTokens == 64 && got.maxLength == 128)
        #expect(got.endTokens == [2, 7] && got.stopStrings == ["END"])
        #expect(got.unsupported.isEmpty)
    }

    @Test func withoutSamplingTheMostLikelyTokenIsTaken() throws {
        let got = try read(#"{"do_sample": false, "temperature": 0.6, "top_p": 0.5, "eos_token_id": 3}"#)
        #expect(got.sampling == SamplingOptions(temperature: 0))
        #expect(got.endTokens == [3])
    }

    @Test func whatRondoDoesNotHaveIsReported() throws {
        let got = try read(
            #"{"num_beams": 4, "suppress_tokens": [1, 2], "surprise": true, "typical_p": 0.9, "forced_eos_token_id": 2}"#
        )
        #expect(
            got.unsupported == [
                "num_beams: 4", "suppress_tokens: [1,2]", "surprise: true", "typical_p: 0.9", "forced_eos_token_id: 2",
            ])
    }

    @Test func everyImpossibleValueIsNamed() throws {
        let message = try rondoError {
            _ = try read(#"{"max_new_tokens": 0, "eos_token_id": [-1], "top_k": "many", "temperature": 1}"#)
        }.message
        for part in ["max_new_tokens: must be at least 1", "eos_token_id:", "top_k: must be an integer"] {
            #expect(message.contains(part), "\(message)")
        }
        #expect(throws: RondoError.self) { try read(#"{"top_p": 1.5}"#) }
        #expect(throws: RondoError.self) { try read("[]") }
    }
}
