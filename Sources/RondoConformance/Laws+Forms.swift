import RondoMixers
import RondoTensor

extension Subject {
    /// Two pieces, cut at every place including both ends, and the state after them.
    func split(_ findings: inout Findings) throws {
        let (whole, final) = try chunk(x, from: begun)
        for cut in 0...x.shape[1] {
            let (first, middle) = try chunk(x.sliced(1, 0..<cut), from: begun)
            if cut == 0 { try findings.compareBits(middle, begun, "an empty chunk") }
            let (second, after) = try chunk(x.sliced(1, cut..<x.shape[1]), from: middle)
            let both = try Tensor.concatenate([first, second], axis: 1)
            try findings.compare(both, whole, length: length, "cut at \(cut)")
            try findings.compare(after, final, length: length, "cut at \(cut)")
        }
    }

    func step(_ findings: inout Findings) throws {
        let (whole, final) = try chunk(x, from: begun)
        for withStepper in [false, true] {
            let (outputs, after) = try steps(x, from: begun, withStepper: withStepper)
            let what = withStepper ? "stepper" : "step"
            try findings.compare(outputs, whole, length: length, what)
            try findings.compare(after, final, length: length, what)
        }
    }

    func parallel(_ findings: inout Findings) throws {
        let (expected, _) = try chunk(x, from: mixer.initialState(batch: Self.batch))
        try findings.compare(mixer.parallel(x), expected, length: length, "parallel")
    }

    /// From the very beginning and from a begun state.
    func reference(_ findings: inout Findings) throws {
        for (name, start) in [("from the beginning", try mixer.initialState(batch: Self.batch)), ("continued", begun)] {
            let (expected, final) = try reference(x, from: start)
            let (outputs, after) = try chunk(x, from: start)
            try findings.compare(outputs, expected, length: length, name)
            try findings.compare(after, final, length: length, name)
        }
    }
}
