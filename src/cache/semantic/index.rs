//! Which stored texts are nearest to this one?
