import CRondoKernels
import Testing

@Suite struct KernelTrainingTests {
    private func checkOptimisers<Scalar: KernelScalar>(count: Int, _: Scalar.Type) {
        let type = Scalar.kernelType
        let p: [Scalar] = numbers(count, seed: 1)
        let g: [Scalar] = numbers(count, seed: 2)
        let m: [Scalar] = numbers(count, seed: 3)
        let v: [Scalar] = numbers(count, in: 0.01...1, seed: 4)
        let (rate, scale, decay) = (0.1, 0.5, 0.2)
        var (np, nm, nv) = (p, m, v)
        rk_adamw(type, count, &np, g, &nm, &nv, rate, 0.9, 0.99, 1e-3, decay, 0.271, 0.0297, scale)
        let moments = zip(m, g).map { 0.9 * Double($0) + 0.1 * scale * Double($1) }
        let squares = zip(v, g).map { 0.99 * Double($0) + 0.01 * scale * scale * Double($1) * Double($1) }
        let adam = (0..<count).map { i in
            let step = moments[i] / 0.271 / ((squares[i] / 0.0297).squareRoot() + 1e-3)
            return Double(p[i]) * (1 - rate * decay) - rate * step
        }
        expectClose(nm, moments, "adamw m")
        expectClose(nv, squares, "adamw v")
        expectClose(np, adam, "adamw p")
        (np, nm) = (p, m)
        rk_lion(type, count, &np, g, &nm, rate, 0.9, 0.99, decay, scale)
        expectClose(nm, zip(m, g).map { 0.99 * Double($0) + 0.01 * scale * Double($1) }, "lion m")
        let lion = (0..<count).map { i in
            let direction = 0.9 * Double(m[i]) + 0.1 * scale * Double(g[i])
            return Double(p[i]) * (1 - rate * decay) - rate * (direction > 0 ? 1 : -1)
        }
        expectClose(np, lion, "lion p")
    }

    private func checkSGD<Scalar: KernelScalar>(count: Int, _: Scalar.Type) {
        let p: [Scalar] = numbers(count, seed: 1)
        let g: [Scalar] = numbers(count, seed: 2)
        let b: [Scalar] = numbers(count, seed: 3)
        for choice in 0..<16 {
            let (decoupled, nesterov) = (choice & 1 != 0, choice & 2 != 0)
            let (first, momentum) = (choice & 4 != 0, choice & 8 != 0 ? 0.9 : 0)
            var (np, nb) = (p, b)
            nb.withUnsafeMutableBytes { buffer in
                rk_sgd(
                    Scalar.kernelType, count, &np, g, momentum > 0 ? buffer.baseAddress : nil, 0.1, momentum, 0.2,
                    decoupled, nesterov, first, 0.5)
            }
            for i in 0..<count {
                var d = 0.5 * Double(g[i]) + (decoupled ? 0 : 0.2 * Double(p[i]))
                if momentum > 0 {
                    let velocity = first ? d : momentum * Double(b[i]) + d
                    #expect(agree(Double(nb[i]), velocity, Scalar.tolerance))
                    d = nesterov ? d + momentum * velocity : velocity
                }
                #expect(agree(Double(np[i]), Double(p[i]) * (decoupled ? 0.98 : 1) - 0.1 * d, Scalar.tolerance))
            }
        }
    }

    @Test func optimisers() {
        atEveryLevel {
            for count in kernelSizes {
                checkOptimisers(count: count, Float.self)
                checkOptimisers(count: count, Double.self)
            }
            checkSGD(count: 33, Float.self)
            checkSGD(count: 33, Double.self)
        }
    }

    /// Positions one after the other have the bits of the sequence, and leave its last inputs.
    private func checkConvolutionSteps<Scalar: KernelScalar>(time: Int, channels: Int, width: Int, _: Scalar.Type) {
        let type = Scalar.kernelType
        let x: [Scalar] = numbers(time * channels, seed: 1)
        let weight: [Scalar] = numbers(channels * width, seed: 3)
        let bias: [Scalar] = numbers(channels, seed: 4)
        var history: [Scalar] = numbers((width - 1) * channels, seed: 2)
        var whole = x
        rk_causal_convolution(type, time, channels, width, 0, channels, x, history, weight, bias, &whole)
        let inputs = history + x
        let taps = (0..<width * channels).map { weight[$0 % channels * width + $0 / channels] }
        for t in 0..<time {
            var y = [Scalar](repeating: .nan, count: channels)
            let now = Array(x[(t * channels)..<((t + 1) * channels)])
            rk_causal_convolution_step(type, channels, width, now, &history, taps, bias, &y)
            #expect(y == Array(whole[(t * channels)..<((t + 1) * channels)]), "\(channels) \(width) \(t)")
        }
        #expect(history == Array(inputs.suffix(history.count)), "\(channels) \(width)")
    }

    @Test func convolutionStepsEqualTheSequence() {
        atEveryLevel {
            for (channels, width) in [(1, 1), (5, 4), (16, 2), (33, 3), (70, 4)] {
                checkConvolutionSteps(time: 6, channels: channels, width: width, Float.self)
                checkConvolutionSteps(time: 6, channels: channels, width: width, Double.self)
            }
        }
    }

    /// The definition, and its gradients by exchanging the sums.
    private func checkConvolution<Scalar: KernelScalar>(
        time: Int, channels: Int, width: Int, past: Bool, _: Scalar.Type
    ) {
        let x: [Scalar] = numbers(time * channels, seed: 1)
        let history: [Scalar] = numbers((width - 1) * channels, seed: 2)
        let weight: [Scalar] = numbers(channels * width, seed: 3)
        let bias: [Scalar] = numbers(channels, seed: 4)
        let g: [Scalar] = numbers(time * channels, seed: 5)
        var (y, dx) = (x, x)
        var dhistory = history
        var dweight = [Scalar](repeating: 1, count: channels * width)
        var dbias = [Scalar](repeating: 1, count: channels)
        for (begin, end) in [(0, channels / 3), (channels / 3, channels)] {
            rk_causal_convolution(
                Scalar.kernelType, time, channels, width, begin, end, x, past ? history : nil, weight, bias, &y)
            rk_causal_convolution_gradient(
                Scalar.kernelType, time, channels, width, begin, end, x, past ? history : nil, weight, g, &dx,
                &dhistory,
                &dweight, &dbias)
        }
        var (wantedY, wantedX) = ([Double](repeating: 0, count: x.count), [Double](repeating: 0, count: x.count))
        var wantedHistory = [Double](repeating: 0, count: history.count)
        var wantedWeight = dweight.map { _ in 1.0 }
        var wantedBias = dbias.map { _ in 1.0 }
        for t in 0..<time {
            for c in 0..<channels {
                let slope = Double(g[t * channels + c])
                wantedBias[c] += slope
                var sum = Double(bias[c])
                for k in 0..<width {
                    let s = t - (width - 1) + k
                    let place = (s >= 0 ? s : s + width - 1) * channels + c
                    let value = s >= 0 ? Double(x[place]) : past ? Double(history[place]) : 0
                    sum += Double(weight[c * width + k]) * value
                    wantedWeight[c * width + k] += slope * value
                    let share = slope * Double(weight[c * width + k])
                    if s >= 0 { wantedX[place] += share } else { wantedHistory[place] += share }
                }
                wantedY[t * channels + c] = sum
            }
        }
        let what = "convolution \(time) \(channels) \(width)"
        expectClose(y, wantedY, 4 * Scalar.tolerance, what)
        expectClose(dx, wantedX, 4 * Scalar.tolerance, what + " dx")
        expectClose(dhistory, wantedHistory, 4 * Scalar.tolerance, what + " dhistory")
        expectClose(dweight, wantedWeight, 8 * Scalar.tolerance, what + " dweight")
        expectClose(dbias, wantedBias, 8 * Scalar.tolerance, what + " dbias")
    }

    @Test func convolutions() {
        atEveryLevel {
            for (time, channels, width) in [(1, 1, 1), (3, 33, 4), (100, 3, 2), (2, 300, 5), (70, 17, 4)] {
                for past in [false, true] {
                    checkConvolution(time: time, channels: channels, width: width, past: past, Float.self)
                    checkConvolution(time: time, channels: channels, width: width, past: past, Double.self)
                }
            }
        }
    }
}
