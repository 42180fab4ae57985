//! From which similarity on is a stored answer served?
