// Imports are public because conformances of public types are.
public import ArgumentParser
public import RondoModels
public import RondoTokenizers
public import RondoTracking
public import RondoTrain

extension BytePairTrainer.Splitting: ExpressibleByArgument {}
extension LanguageModelConfiguration.FeedForwardKind: ExpressibleByArgument {}
extension LanguageModelConfiguration.Norm: ExpressibleByArgument {}
extension OptimizerConfiguration.Name: ExpressibleByArgument {}
extension Run.Status: ExpressibleByArgument {}
extension RunStore.Order: ExpressibleByArgument {}
extension SamplerOrder: ExpressibleByArgument {}
extension ScheduleConfiguration.Kind: ExpressibleByArgument {}
