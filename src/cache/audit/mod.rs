//! How often is the semantic layer wrong?
