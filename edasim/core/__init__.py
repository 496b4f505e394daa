"""The ground floor: time, randomness, quantities, messages and the journal of facts."""
