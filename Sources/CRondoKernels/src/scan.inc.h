// Linear recurrences whose state is a vector, elementwise.
