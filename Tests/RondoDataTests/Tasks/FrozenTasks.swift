/// Digests of the first examples of every task, as `TaskRegistryTests.examplesStayWhatTheyAre` makes them.
enum FrozenTasks {
    static let digests = [
        "associative_recall": "c436027c5359a729",
        "copying": "5d2d893a4862a1f9",
        "group_word": "448afdeb220f89e6",
        "induction_heads": "b80407d36da69987",
        "latching": "454d6b31a7a5519e",
        "latest_recall": "9b41a854a08a62e9",
        "modular_arithmetic": "32024851e9445537",
        "modular_arithmetic_brackets": "64c55bfbe1067f07",
        "n_delayed_match": "f53ab64596a8cb5e",
        "n_parity": "452a887e01ec9a60",
        "parity": "a54cd36c6d3a1265",
        "passkey": "2f2de723328f7f8f",
        "reber": "11a517f7a4d8d0f5",
        "selective_copying": "8df0608fbbbe328d",
    ]
}
