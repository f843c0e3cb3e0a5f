/// The published systems that Rondo is to show, in the order of their kinds.
public enum Catalogue {
    /// A paper.
    public struct Paper: Sendable, Equatable {
        /// The name on the command line.
        public var slug: String
        /// The title.
        public var title: String
    }

    /// All papers.
    public static let papers: [Paper] = [
        // Kernels and nonlinear recurrences.
        Paper(slug: "flashrnn", title: "FlashRNN: I/O-Aware Optimization of Traditional RNNs on Modern Hardware"),
        Paper(
            slug: "pararnn",
            title: "ParaRNN: Unlocking Parallel Training of Nonlinear RNNs for Large Language Models"),
        Paper(slug: "m2rnn", title: "M²RNN: Non-Linear RNNs with Matrix-Valued States for Scalable Language Modeling"),
        Paper(slug: "minmax-rnc", title: "MinMax Recurrent Neural Cascades"),
        Paper(
            slug: "state-regularized-rnn",
            title: "State-Regularized Recurrent Neural Networks to Extract Automata and Explain Predictions"),
        Paper(slug: "quantum-rnn", title: "Recurrent Quantum Neural Networks"),
        Paper(
            slug: "emergent-timescales",
            title: "Emergent mechanisms for long timescales depend on training curriculum and affect "
                + "performance in memory tasks"),
        Paper(slug: "rnn-sparsity", title: "Investigating Sparsity in Recurrent Neural Networks"),
        Paper(slug: "lattice-pruning", title: "Lattice-Based Pruning in Recurrent Neural Networks via Poset Modeling"),
        Paper(slug: "gradient-noise", title: "Adding Gradient Noise Improves Learning for Very Deep Networks"),
        // State-space and linear recurrences.
        Paper(slug: "s4", title: "Efficiently Modeling Long Sequences with Structured State Spaces"),
        Paper(
            slug: "lssl",
            title: "Combining Recurrent, Convolutional, and Continuous-time Models with Linear State-Space Layers"),
        Paper(
            slug: "mamba-360",
            title: "Mamba-360: Survey of State Space Models as Transformer Alternative for Long Sequence "
                + "Modelling: Methods, Applications, and Challenges"),
        Paper(
            slug: "stuffed-mamba",
            title: "Stuffed Mamba: State Collapse and State Capacity of RNN-Based Long-Context Modeling"),
        Paper(slug: "gla", title: "Gated Linear Attention Transformers with Hardware-Efficient Training"),
        Paper(
            slug: "negative-eigenvalues",
            title: "Unlocking State-Tracking in Linear RNNs Through Negative Eigenvalues"),
        Paper(slug: "plstm", title: "pLSTM: parallelizable Linear Source Transition Mark networks"),
        Paper(
            slug: "lmuformer",
            title: "LMUFormer: Low Complexity Yet Powerful Spiking Model With Legendre Memory Units"),
        Paper(
            slug: "selectivbench",
            title: "Dissecting Linear Recurrent Models: How Different Gating Strategies Drive Selectivity "
                + "and Generalization"),
        Paper(slug: "jrt", title: "Just read twice: closing the recall gap for recurrent language models"),
        // Memory and attention-like recurrences.
        Paper(slug: "titans", title: "Titans: Learning to Memorize at Test Time"),
        Paper(
            slug: "miras",
            title: "It's All Connected: A Journey Through Test-Time Memorization, Attentional Bias, "
                + "Retention, and Online Optimization"),
        Paper(slug: "memory-caching", title: "Memory Caching: RNNs with Growing Memory"),
        Paper(slug: "aaren", title: "Attention as an RNN"),
        Paper(slug: "sessa", title: "Sessa: Selective State Space Attention"),
        Paper(
            slug: "recurrent-transformer",
            title: "The Recurrent Transformer: Greater Effective Depth and Efficient Decoding"),
        Paper(slug: "universal-transformer", title: "Universal Transformers"),
        Paper(
            slug: "recurrent-depth-sampler",
            title: "Efficient Parallel Samplers for Recurrent-Depth Models and Their Connection to "
                + "Diffusion Language Models"),
        Paper(slug: "gsm-plus-plus", title: "Best of Both Worlds: Advantages of Hybrid Graph Sequence Models"),
        Paper(slug: "icll", title: "In-Context Language Learning: Architectures and Algorithms"),
        // Sequences, language, structure.
        Paper(slug: "critical-review", title: "A Critical Review of Recurrent Neural Networks for Sequence Learning"),
        Paper(slug: "seq2seq", title: "Sequence to Sequence Learning with Neural Networks"),
        Paper(slug: "pointer-networks", title: "Pointer Networks"),
        Paper(slug: "lrcn", title: "Long-term Recurrent Convolutional Networks for Visual Recognition and Description"),
        Paper(
            slug: "chren",
            title: "ChrEn: Cherokee-English Machine Translation for Endangered Language Revitalization"),
        Paper(
            slug: "poem-meters",
            title: "Learning meters of Arabic and English poems with Recurrent Neural Networks: a step "
                + "forward for language understanding and synthesis"),
        Paper(
            slug: "languini",
            title: "The Languini Kitchen: Enabling Language Modelling Research at Different Scales of Compute"),
        Paper(
            slug: "recoding",
            title: "Recoding latent sentence representations: Dynamic gradient-based activation modification in RNNs"),
        Paper(
            slug: "pv-rnn",
            title: "A Novel Predictive-Coding-Inspired Variational RNN Model for Online Prediction and Recognition"),
        Paper(
            slug: "neural-symbolic-recursive-machine",
            title: "Neural-Symbolic Recursive Machine for Systematic Generalization"),
        // Speech, vision, time series, adaptation.
        Paper(slug: "ar-net", title: "AR-Net: A simple Auto-Regressive Neural Network for time-series"),
        Paper(slug: "pgn", title: "PGN: The RNN's New Successor is Effective for Long-Range Time Series Forecasting"),
        Paper(
            slug: "mossformer2",
            title: "MossFormer2: Combining Transformer and RNN-Free Recurrent Network for Enhanced "
                + "Time-Domain Monaural Speech Separation"),
        Paper(
            slug: "stateful-conformer",
            title: "Stateful Conformer with Cache-based Inference for Streaming Automatic Speech Recognition"),
        Paper(
            slug: "audio-statistics",
            title: "Attention is All You Need? Good Embeddings with Statistics are enough: Large Scale "
                + "Audio Understanding without Transformers / Convolutions / BERTs / Mixers / Attention / RNNs or …"),
        Paper(
            slug: "cine-mri-forecasting",
            title: "Frame forecasting in cine MRI using the PCA respiratory motion model: comparing "
                + "recurrent neural networks trained online and transformers"),
        Paper(
            slug: "tactile-ead",
            title: "Task-Optimized Convolutional Recurrent Networks Align with Tactile Processing in the Rodent Brain"),
        Paper(
            slug: "writer-adaptation",
            title: "Writer adaptation for offline text recognition: An exploration of neural network-based methods"),
        Paper(slug: "discrete-kv-bottleneck", title: "Discrete Key-Value Bottleneck"),
        Paper(slug: "hypernetwork-continual", title: "Continual Learning with Dependency Preserving Hypernetworks"),
        // Language-model methods and explanation.
        Paper(slug: "recurrentgpt", title: "RecurrentGPT: Interactive Generation of (Arbitrarily) Long Text"),
        Paper(
            slug: "hyperfitting",
            title: "The Hyperfitting Phenomenon: Sharpening and Stabilizing LLMs for Open-Ended Text Generation"),
        Paper(
            slug: "recursive-speculative-decoding",
            title: "Recursive Speculative Decoding: Accelerating LLM Inference via Sampling Without Replacement"),
        Paper(
            slug: "set-based-prompting",
            title: "Set-Based Prompting: Provably Solving the Language Model Order Dependency Problem"),
        Paper(
            slug: "autoregressive-search-engine",
            title: "Autoregressive Search Engines: Generating Substrings as Document Identifiers"),
        Paper(
            slug: "continual-pretraining",
            title: "Simple and Scalable Strategies to Continually Pre-train Large Language Models"),
        Paper(
            slug: "reprompt",
            title: "RePrompT: Recurrent Prompt Tuning for Integrating Structured EHR Encoders with Large "
                + "Language Models"),
        Paper(
            slug: "explainable-ai-guide",
            title: "A Comprehensive Guide to Explainable AI: From Classical Models to LLMs"),
    ]
}
