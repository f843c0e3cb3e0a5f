/// Digests of the first examples of every task, as `TaskRegistryTests.examplesStayWhatTheyAre` makes them.
enum FrozenTasks {
    static let digests = [
        "adding": "b0fb5210f4febbac",
        "arrow_pointing": "2f8e82f6c0cc1768",
        "associative_recall": "c436027c5359a729",
        "context_free_language": "3d2488f2e3910666",
        "copying": "5d2d893a4862a1f9",
        "cyclic_navigation": "470f8d687f2d87c6",
        "delay_memory": "e144b47eb2449c94",
        "dyck": "63416f518b7c88e9",
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
        "regular_language": "6a9fc4739acc2d02",
        "selective_copying": "8df0608fbbbe328d",
    ]
}
